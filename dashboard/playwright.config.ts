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
  // For a machine that has other work to do; on an idle one a test takes 3 to 15 seconds.
  timeout: 180_000,
  expect: { timeout: 45_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.BATON_URL ?? 'http://127.0.0.1:8080',
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    // Recording every step costs a third of the time; `--trace retain-on-failure` asks for it.
    trace: 'off',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ],
    },
  },
});
