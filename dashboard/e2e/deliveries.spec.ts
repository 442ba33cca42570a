import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('a failed delivery shows its attempts and is retried by one click', async ({ page }) => {
  await signIn(page, '/deliveries?state=FAILED');
  await expect(page.getByRole('group', { name: 'Deliveries by state' })).toBeVisible();
  const row = page.getByRole('table', { name: 'Deliveries, newest first' }).getByRole('row').nth(1);
  await row.getByRole('link').first().click();
  const dialog = page.getByRole('dialog', { name: 'Delivery' });
  await expect(dialog.getByText('Failed', { exact: true })).toBeVisible();
  await dialog.getByText('Answer of attempt 1').click();
  await expect(dialog.locator('pre').first()).toBeVisible();
  await dialog.getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByText('The delivery is on its way again.')).toBeVisible();
});

test('retrying all failed deliveries asks first', async ({ page }) => {
  await signIn(page, '/deliveries');
  await page.getByRole('button', { name: 'Retry all failed' }).click();
  const dialog = page.getByRole('dialog', { name: 'Retry all failed deliveries?' });
  await expect(dialog.getByRole('button', { name: 'Keep as it is' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
});
