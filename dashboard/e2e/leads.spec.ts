import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('filters stand in the address and survive a reload', async ({ page }) => {
  await signIn(page);
  const leads = page.getByRole('table', { name: 'Leads, newest first' });
  const name = await leads.getByRole('row').nth(1).getByRole('link').innerText();
  await page.getByLabel('Search').fill(name);
  await expect(page).toHaveURL(/[?&]search=/);
  await page.reload();
  await expect(page.getByLabel('Search')).toHaveValue(name);
  await expect(leads.getByRole('link', { name }).first()).toBeVisible();
  await page.getByLabel('Search').fill('nobody has this name');
  await expect(page.getByText('No lead fits these filters')).toBeVisible();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(leads.getByRole('link', { name }).first()).toBeVisible();
});

test('a lead’s page tells its journey, and the focus is on its heading', async ({ page }) => {
  await signIn(page);
  await page.getByRole('table', { name: 'Leads, newest first' }).getByRole('row').nth(1).getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await expect(page.getByRole('region', { name: 'Journey' }).getByText('Received', { exact: true })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Contact' })).toBeVisible();
});
