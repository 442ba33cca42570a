import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('GraphiQL loads from this server alone and runs as whoever is signed in', async ({ page }) => {
  await signIn(page);
  const elsewhere: string[] = [];
  const faults: string[] = [];
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith('http') && host !== new URL(page.url()).host) elsewhere.push(request.url());
  });
  // A breach of the content security policy is an error on the console.
  page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('pageerror', (error) => { faults.push(error.message); });

  await page.goto('/graphiql');
  const run = page.getByRole('button', { name: /^Execute query/ });
  // The editors come after the page; before them the button has nothing to run.
  await expect(async () => {
    // Together: an answer that does not come while the click still waits is this attempt's failure, not the test's.
    const [answered] = await Promise.all([
      page.waitForResponse((answer) => answer.url().endsWith('/graphql') && (answer.request().postData() ?? '').includes('leads('), { timeout: 10_000 }),
      run.click({ timeout: 10_000 }),
    ]);
    expect(await answered.json()).toHaveProperty('data.leads');
  }).toPass({ timeout: 90_000 });
  await expect(page.getByRole('region', { name: 'Result Window' })).toContainText('"leads"');
  // The schema was read: the explorer knows the root types.
  await page.getByRole('button', { name: /Documentation Explorer/ }).click();
  await expect(page.getByRole('link', { name: 'Mutation' }).first()).toBeVisible();
  expect(elsewhere).toEqual([]);
  expect(faults).toEqual([]);
});
