import { defineConfig } from '@playwright/test';
import { args, executablePath } from './e2e/browser';

const tenant = process.env.BATON_TENANT ?? 'acme';
// The files of the second tenant; a new file is one of the first's.
const administration = /\/(billing|oauth|pages-administration|reconciliation|settings|setup|sla)\.spec\.ts$/;

/**
 * The tests drive a running server:
 * BATON_URL, BATON_TENANT, BATON_SECOND_TENANT, BATON_EMAIL, BATON_PASSWORD, BATON_SAMPLES (folder of experian.csv).
 * Without a second tenant: `--workers 1`.
 */
export default defineConfig({
  testDir: 'e2e',
  workers: 2,
  fullyParallel: false,
  // Each has a tenant of its own and one worker: what one test uploads, another would count. Both take about as long.
  projects: [
    { name: 'leads', workers: 1, testIgnore: administration, metadata: { tenant } },
    { name: 'administration', workers: 1, testMatch: administration, metadata: { tenant: process.env.BATON_SECOND_TENANT ?? tenant } },
  ],
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
    // All pages of a profile in one process: what it has compiled serves the next one.
    launchOptions: { executablePath, args: [...args, '--process-per-site'] },
  },
});
