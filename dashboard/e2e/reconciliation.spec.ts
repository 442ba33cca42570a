import { expect, test } from '@playwright/test';
import { signIn } from './session';

// A lead whose delivery was refused, and which they have all the same.
const list = 'id,external_id,first_name,last_name,email,phone,source\n91001,LS-1001,Zed,Extra,zed.extra@example.com,,somewhere\n';

test('a list is compared, and a difference is settled with its reason', async ({ page }) => {
  await signIn(page, '/reconciliation');
  await expect(page.getByRole('heading', { name: 'Reconciliation', level: 1 })).toBeVisible();
  // Other tests make destinations, which nothing was handed to.
  await page.getByRole('textbox', { name: 'Destination' }).click();
  await page.getByRole('option', { name: 'refusing', exact: true }).click();
  await page.getByLabel('Their list').setInputFiles({ name: 'their-list.csv', mimeType: 'text/csv', buffer: Buffer.from(list) });

  await expect(page.getByRole('heading', { name: 'their-list.csv', level: 1 })).toBeVisible();
  const tally = page.getByRole('list', { name: 'Records by outcome' });
  await expect(tally.getByRole('listitem').filter({ hasText: 'Not confirmed' }).getByText(/[1-9]/)).toBeVisible({ timeout: 30_000 });
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
});

test('a list that cannot be compared says why', async ({ page }) => {
  await signIn(page, '/reconciliation');
  await page.getByLabel('Their list').setInputFiles({ name: 'names.csv', mimeType: 'text/csv', buffer: Buffer.from('Name,Notes\nAda,hello\n') });
  await expect(page.getByText('The list could not be compared')).toBeVisible({ timeout: 30_000 });
  await expect(page.getByText(/no column with an id/)).toBeVisible();
});
