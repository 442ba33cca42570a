import { defineConfig } from '@playwright/test';

/**
 * The tests drive a running server:
 * BATON_URL, BATON_TENANT, BATON_EMAIL, BATON_PASSWORD, BATON_SAMPLES (folder of experian.csv).
 */
export default defineConfig({
  testDir: 'e2e',
  // They share one tenant: what one uploads, another would count.
  workers: 1,
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.BATON_URL ?? 'http://127.0.0.1:8080',
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ],
    },
  },
});
