import { expect } from '@playwright/test';
import { signIn, test } from './session';

test('an administrator makes a destination, holds it, resumes it, and sees what would be sent', async ({ page }) => {
  const slug = `hook-${Date.now()}`;
  await signIn(page, '/destinations');
  await page.getByRole('button', { name: 'New destination' }).click();
  const form = page.getByRole('dialog', { name: 'New destination' });
  await form.getByLabel('Short name').fill(slug);
  await form.getByRole('textbox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'Signed webhook' }).click();
  await form.getByLabel('Address').fill('https://crm.example.com/leads/0123456789abcdef');
  await form.getByRole('button', { name: 'Create the destination' }).click();
  const secret = page.getByRole('dialog', { name: 'Signing secret' });
  await expect(secret.getByLabel('Signing secret', { exact: true })).toContainText('whsec_');
  await secret.getByRole('button', { name: 'I have stored it' }).click();

  await page.getByRole('link', { name: slug, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: slug })).toBeVisible();
  await page.getByRole('button', { name: 'Hold' }).click();
  await page.getByRole('dialog', { name: `Hold ${slug}?` }).getByRole('button', { name: 'Hold it' }).click();
  await expect(page.getByText('Leads wait until somebody resumes this destination')).toBeVisible();
  await page.getByRole('button', { name: 'Resume and retry all' }).click();
  await expect(page.getByText('Leads wait until somebody resumes this destination')).toBeHidden();

  await page.getByRole('textbox', { name: 'Lead' }).click();
  await page.getByRole('option').first().click();
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('It would be sent')).toBeVisible();
  await expect(page.getByLabel('Request')).toContainText('lead.accepted');
  await expect(page.getByText('0123456789abcdef')).toHaveCount(0);

  // Switched off again: other tests count what is delivered.
  await page.getByRole('button', { name: 'Edit' }).click();
  const edit = page.getByRole('dialog', { name: slug });
  await edit.getByRole('switch', { name: 'Enabled' }).click();
  await edit.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Disabled').first()).toBeVisible();
});
