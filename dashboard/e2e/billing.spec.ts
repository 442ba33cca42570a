import { expect, test } from '@playwright/test';
import { signIn } from './session';

test('an administrator makes a plan, bills a partner, closes its period and fetches the file', async ({ page }) => {
  const tag = Date.now();
  await signIn(page, '/billing/plans');
  const product = `P${tag}`;
  await page.getByRole('button', { name: 'New product' }).click();
  const productForm = page.getByRole('dialog', { name: 'New product' });
  await productForm.getByLabel('Short name').fill(product);
  await productForm.getByRole('button', { name: 'Add the product' }).click();
  await expect(page.getByRole('cell', { name: product }).first()).toBeVisible();

  await page.getByRole('button', { name: 'New rate plan' }).click();
  const form = page.getByRole('dialog', { name: 'New rate plan' });
  await form.getByLabel('Short name').fill(`plan-${tag}`);
  await form.getByLabel('Name', { exact: true }).fill(`Plan ${tag}`);
  await form.getByLabel('In force from').fill('2020-01-01');
  await form.getByRole('textbox', { name: 'High', exact: true }).fill('12.50');
  await form.getByRole('button', { name: 'Create the rate plan' }).click();
  await expect(page.getByRole('button', { name: `Plan ${tag}` })).toBeVisible();

  await page.goto('/billing');
  await page.getByRole('button', { name: 'New partner' }).click();
  const partner = page.getByRole('dialog', { name: 'New partner' });
  await partner.getByLabel('Short name').fill(`partner-${tag}`);
  await partner.getByLabel('Name', { exact: true }).fill(`Partner ${tag}`);
  await partner.getByLabel('E-mail').fill(`billing-${tag}@example.com`);
  await partner.getByRole('textbox', { name: 'Rate plan' }).click();
  await page.getByRole('option', { name: `Plan ${tag}` }).click();
  await partner.getByRole('button', { name: 'Add the partner' }).click();
  await expect(partner).toBeHidden();

  // Last month's actions, as a program sends them.
  const period = new URL(page.url()).searchParams.get('period') ?? await page.evaluate(() => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7);
  });
  const sent = await page.evaluate(async ({ slug, product: about, month }) => {
    const csrf = decodeURIComponent(document.cookie.split('; ').find((part) => part.startsWith('baton_csrf='))?.slice(11) ?? '');
    const body = `email,product,lead_type,action_type,level,occurred_at\nann@example.com,${about},Event,Click,High,${month}-03T10:00:00Z\n`
      + `ann@example.com,${about},Event,Click,High,${month}-04T10:00:00Z\n`;
    const response = await fetch(`/ingest/actions/${slug}`, { method: 'POST', headers: { 'x-baton-csrf': csrf, 'content-type': 'text/csv' }, body });
    return await response.json() as unknown;
  }, { slug: `partner-${tag}`, product, month: period });
  expect(sent).toMatchObject({ records: 2, accepted: 2, refused: 0 });

  await page.reload();
  await page.getByRole('link', { name: `Partner ${tag}` }).click();
  await expect(page.getByRole('region', { name: 'Totals' })).toContainText('$25.00');
  await expect(page.getByRole('region', { name: 'Totals' })).toContainText('$12.50');
  await page.getByRole('button', { name: 'Close the period' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close the period' }).click();
  await expect(page.getByRole('heading', { name: 'Files' })).toBeVisible();

  const saving = page.waitForEvent('download');
  await page.getByRole('link', { name: 'CSV', exact: true }).click();
  expect((await saving).suggestedFilename()).toBe(`partner-${tag}-${period}-v1.csv`);

  await page.getByRole('button', { name: 'Share a link' }).click();
  await page.getByRole('button', { name: 'Make the link' }).click();
  await expect(page.getByRole('dialog', { name: 'Link to the file' }).locator('code')).toContainText('?link=');
  await page.getByRole('button', { name: 'I have stored it' }).click();
  await expect(page.getByRole('heading', { name: 'Links that hold' })).toBeVisible();
});
