/** Chromium without windows, as Debian packs it: two thirds of the whole browser's processor time. */
export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell';

/** It neither fetches nor reports anything by itself. */
export const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
