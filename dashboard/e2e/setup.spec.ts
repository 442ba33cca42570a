import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('an administrator makes a source, sees its token once, and disables it', async ({ page }) => {
  const slug = `browser-${Date.now()}`;
  await signIn(page, '/sources');
  await page.getByRole('button', { name: 'New source' }).click();
  const form = page.getByRole('dialog', { name: 'New source' });
  await form.getByLabel('Short name').fill('Not A Short Name');
  await form.getByRole('button', { name: 'Create the source' }).click();
  await expect(form.getByLabel('Short name')).toHaveAttribute('aria-invalid', 'true');
  await form.getByLabel('Short name').fill(slug);
  await form.getByLabel('Name', { exact: true }).fill(`Made by a browser ${slug}`);
  await form.getByRole('button', { name: 'Create the source' }).click();

  const secret = page.getByRole('dialog', { name: 'Source token' });
  await expect(secret.getByLabel('Source token', { exact: true })).not.toBeEmpty();
  await secret.getByRole('button', { name: 'I have stored it' }).click();
  await expect(secret).toBeHidden();

  const row = page.getByRole('row').filter({ hasText: slug });
  await expect(row.getByText('Enabled')).toBeVisible();
  await row.getByRole('button').click();
  const edit = page.getByRole('dialog', { name: slug });
  await edit.getByRole('switch', { name: 'Enabled' }).click();
  await edit.getByRole('button', { name: 'Save' }).click();
  await expect(row.getByText('Disabled')).toBeVisible();
});
