import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('an administrator adds a channel and a rule, and finds the alert', async ({ page }) => {
  const stamp = Date.now();
  await signIn(page, '/alerts');
  await page.getByRole('button', { name: 'New channel' }).click();
  const channel = page.getByRole('dialog', { name: 'New channel' });
  await channel.getByRole('textbox', { name: 'Name' }).fill(`Ops ${stamp}`);
  await channel.getByLabel('Mail address').fill('not an address');
  await channel.getByRole('button', { name: 'Create the channel' }).click();
  await expect(channel.getByLabel('Mail address')).toHaveAttribute('aria-invalid', 'true');
  await channel.getByLabel('Mail address').fill('ops@example.com');
  await channel.getByRole('button', { name: 'Create the channel' }).click();
  await expect(page.getByRole('row').filter({ hasText: `Ops ${stamp}` })).toContainText('ops@example.com');

  await page.getByRole('button', { name: 'New rule' }).click();
  const rule = page.getByRole('dialog', { name: 'New rule' });
  await rule.getByRole('textbox', { name: 'Name' }).fill(`Failures ${stamp}`);
  await rule.getByRole('button', { name: 'Create the rule' }).click();
  const row = page.getByRole('row').filter({ hasText: `Failures ${stamp}` });
  await expect(row).toContainText('More than 10 leads wait for a person');
  await row.getByRole('button').click();
  const edit = page.getByRole('dialog', { name: `Failures ${stamp}` });
  await edit.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Remove the rule' }).click();
  await expect(row).toBeHidden();
});

test('failed leads are chosen and retried', async ({ page }) => {
  await signIn(page, '/failed');
  await expect(page.getByRole('heading', { name: 'Failed leads' })).toBeVisible();
  const choose = page.getByRole('checkbox').first();
  await choose.check();
  await page.getByRole('button', { name: 'Retry 1 lead' }).click();
  await expect(page.getByText('1 lead on the way again.').first()).toBeVisible();
});
