import { expect, type Page } from '@playwright/test';
import { signIn, test } from './session';

// A lead whose delivery was refused, and which they have all the same.
const list = 'id,external_id,first_name,last_name,email,phone,source\n91001,LS-1001,Zed,Extra,zed.extra@example.com,,somewhere\n';

/** Sends that list, by that name, for the destination that refuses: other tests make some that nothing was handed to. */
async function compare(page: Page, name: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Destination' }).click();
  await page.getByRole('option', { name: 'refusing', exact: true }).click();
  await page.getByLabel('Their list').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(list) });
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
}

test('a list is compared, and a difference is settled with its reason', async ({ page }) => {
  await signIn(page, '/reconciliation');
  await expect(page.getByRole('heading', { name: 'Reconciliation', level: 1 })).toBeVisible();
  await compare(page, 'their-list.csv');
  const tally = page.getByRole('list', { name: 'Records by outcome' });
  await expect(page.getByText('when it came: nothing is sent again by itself')).toBeVisible();
  await expect(tally.getByRole('listitem').filter({ hasText: 'Not confirmed' }).getByText(/[1-9]/)).toBeVisible();
  const differences = page.getByRole('table', { name: 'Differences with their state' });
  await differences.getByRole('button').first().click();
  await expect(page).toHaveURL(/difference=/);

  const drawer = page.getByRole('dialog');
  await expect(drawer.getByRole('table', { name: 'Both sides, field by field' })).toBeVisible();
  await drawer.getByRole('button', { name: 'Take it over' }).click();
  await expect(drawer.getByText(/taken over by/)).toBeVisible();
  await drawer.getByLabel('Reason or note').fill('Sold elsewhere');
  await drawer.getByRole('button', { name: 'Accept', exact: true }).click();
  await expect(page.getByText('The difference may stay.')).toBeVisible();
  // Where all of them stand is told anew on the same page.
  const states = page.getByRole('list', { name: 'Differences by state' });
  await expect(states.getByRole('listitem').filter({ hasText: 'Accepted' }).getByText(/[1-9]/)).toBeVisible();
});

test('the differences are asked for again when a lookup has ended', async ({ page }) => {
  let proving = true;
  let asked = 0;
  // The lookup is the browser's invention: it lasts until the test has seen it.
  await page.route('**/graphql', async (route) => {
    const { operationName } = route.request().postDataJSON() as { operationName?: string };
    if (operationName === 'Differences') asked += 1;
    if (operationName !== 'DifferenceStanding') return route.fallback();
    const response = await route.fetch();
    const answer = await response.json() as { data: { differenceStanding: object } };
    const proof = {
      __typename: 'DifferenceProof', state: proving ? 'RUNNING' : 'DONE', error: null, total: 1, found: proving ? 0 : 1, absent: 0, waiting: 0,
      finishedAt: proving ? null : new Date().toISOString(),
    };
    Object.assign(answer.data.differenceStanding, { proof });
    return route.fulfill({ response, json: answer });
  });
  await signIn(page, '/reconciliation');
  await compare(page, 'again.csv');
  await expect(page.getByText(/^Looking them up there/)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Differences', exact: true })).toBeVisible();
  await expect.poll(() => asked).toBeGreaterThan(0);
  const before = asked;
  proving = false;
  await expect(page.getByText(/^Looked up/)).toBeVisible();
  await expect.poll(() => asked).toBeGreaterThan(before);
  // The page asks on while the test ends.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('a list that cannot be compared says why', async ({ page }) => {
  await signIn(page, '/reconciliation');
  await page.getByLabel('Their list').setInputFiles({ name: 'names.csv', mimeType: 'text/csv', buffer: Buffer.from('Name,Notes\nAda,hello\n') });
  await expect(page.getByText('The list could not be compared')).toBeVisible();
  await expect(page.getByText(/no column with an id/)).toBeVisible();
});

test('what could not be asked for says so, and is asked for again', async ({ page }) => {
  const failing = new Set(['ReconciliationPlan', 'DifferenceStanding', 'DifferenceHistory']);
  await page.route('**/graphql', (route) => {
    const { operationName = '' } = route.request().postDataJSON() as { operationName?: string };
    // Each of them once.
    if (!failing.delete(operationName)) return route.fallback();
    return route.fulfill({ json: { errors: [{ message: 'not now', extensions: { code: 'UNAVAILABLE' } }] } });
  });
  const unavailable = 'Baton is not available right now';
  await signIn(page, '/reconciliation');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const settings = page.getByRole('dialog', { name: 'How it is compared' });
  await expect(settings.getByText(unavailable)).toBeVisible();
  await settings.getByRole('button', { name: 'Try again' }).click();
  await expect(settings.getByLabel('Address of its API')).toBeVisible();
  await settings.getByRole('button', { name: 'Cancel' }).click();

  await compare(page, 'unavailable.csv');
  const repair = page.getByRole('region', { name: 'Repair' });
  await expect(repair.getByText(unavailable)).toBeVisible();
  await repair.getByRole('button', { name: 'Try again' }).click();
  await expect(repair.getByRole('list', { name: 'Differences by state' })).toBeVisible();

  await page.getByLabel('Which differences').getByText('All', { exact: true }).click();
  await page.getByRole('table', { name: 'Differences with their state' }).getByRole('button').first().click();
  const drawer = page.getByRole('dialog');
  await expect(drawer.getByText(unavailable)).toBeVisible();
  await drawer.getByRole('button', { name: 'Try again' }).click();
  await expect(drawer.getByText(unavailable)).toBeHidden();
});

test('the ways to send a list never lie over its fields, however wide the page is', async ({ page }) => {
  await signIn(page, '/reconciliation');
  const field = page.getByLabel(/^File made at/);
  const button = page.getByRole('button', { name: 'Send their list' });
  await expect(button).toBeVisible();
  for (const width of [1280, 1100, 1000, 900, 820, 380]) {
    await page.setViewportSize({ width, height: 800 });
    const [of, way] = [await field.boundingBox(), await button.boundingBox()];
    if (!of || !way) throw new Error('one of them is not shown');
    const apart = way.x >= of.x + of.width || way.y >= of.y + of.height;
    expect(apart, `${width} wide`).toBe(true);
  }
});
