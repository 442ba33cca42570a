import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('a shared link to an older page leads back to the newer one', async ({ page }) => {
  await signIn(page, '/deliveries');
  const table = page.getByRole('table', { name: /^Deliveries/ });
  const pages = page.getByRole('navigation', { name: 'Pages of deliveries' });
  const first = table.getByRole('row').nth(1);
  // The rows of a table that still loads have no link.
  await expect(first.getByRole('link').first()).toBeVisible();
  const newest = await first.textContent();
  await pages.getByRole('button', { name: 'Older' }).click();
  await expect(page).toHaveURL(/after=/);
  await expect(first).not.toHaveText(newest ?? '');
  // Opened afresh, as somebody else would: nothing but the address says where it is.
  const address = page.url();
  await page.goto('about:blank');
  await page.goto(address);
  await pages.getByRole('button', { name: 'Newer' }).click();
  await expect(page).toHaveURL(/before=/);
  await expect(first).toHaveText(newest ?? '');
});
