import { join } from 'node:path';
import { expect } from '@playwright/test';
import { experian, samples, signIn, test } from './session';

test('a file is uploaded, watched to its end, and a refused record is corrected', async ({ page }) => {
  await signIn(page, '/imports');
  await page.getByRole('textbox', { name: 'Source' }).first().click();
  await page.getByRole('option', { name: experian }).first().click();
  await page.getByLabel('Files to import', { exact: true }).setInputFiles(join(samples, 'experian.csv'));

  const upload = page.getByRole('list', { name: 'Uploads' }).getByRole('listitem').first();
  await upload.getByRole('link', { name: 'experian.csv' }).click();
  await expect(page.getByRole('heading', { name: 'experian.csv', level: 1 })).toBeVisible();
  await expect(page.getByRole('main').getByText('Done', { exact: true }).first()).toBeVisible();
  const outcomes = page.getByRole('table', { name: 'Records by outcome' });
  await expect(outcomes.getByRole('row', { name: /^Refused [1-9]/ })).toBeVisible();

  const refused = page.getByRole('table', { name: 'Refused records with their reasons' });
  const correct = refused.getByRole('link', { name: 'Correct record 7', exact: true });
  await expect(correct).toBeVisible();
  await expect(refused.getByText('MISSING_CONTACT').first()).toBeVisible();
  await correct.click();

  const form = page.getByRole('form', { name: 'Correct record 7' });
  const phone = form.getByLabel('Telephone # 1').first();
  await expect(phone).toHaveAttribute('aria-invalid', 'true');
  await phone.fill('123');
  await form.getByRole('button', { name: 'Send again' }).click();
  await expect(form.getByText('Refused again')).toBeVisible();
  // A number of its own for each run: the second of two equal ones would be a duplicate.
  await phone.fill(`30355501${String(10 + (Date.now() % 90))}`);
  await form.getByRole('button', { name: 'Send again' }).click();
  await expect(form.getByText(/^(Accepted|Accepted with warnings|Duplicate)$/).first()).toBeVisible();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).first().click();
  await expect(correct).toBeHidden();
});

test('the refused records of a file can be downloaded', async ({ page }) => {
  await signIn(page, '/imports');
  await page.getByRole('table', { name: 'Imports, newest first' }).getByRole('link', { name: 'experian.csv' }).last().click();
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download refused records' }).click();
  expect((await download).suggestedFilename()).toMatch(/\.csv$/);
});

test('an empty file is refused with words', async ({ page }) => {
  await signIn(page, '/imports');
  await page.getByRole('textbox', { name: 'Source' }).first().click();
  await page.getByRole('option', { name: experian }).first().click();
  await page.getByLabel('Files to import', { exact: true }).setInputFiles({ name: 'empty.csv', mimeType: 'text/csv', buffer: Buffer.alloc(0) });
  const uploads = page.getByRole('list', { name: 'Uploads' });
  await expect(uploads.getByText(/was not imported|Failed/)).toBeVisible();
});
