import { expect, type Page } from '@playwright/test';
import { ask, fillIn, person, signIn, test } from './session';

/** Sends a partner's actions, as a program sends them, by the page's session. Answers what became of them. */
async function sendActions(page: Page, partner: string, actions: readonly string[]): Promise<unknown> {
  const body = ['email,product,lead_type,action_type,level,occurred_at', ...actions, ''].join('\n');
  return page.evaluate(async ({ address, csv }) => {
    const csrf = decodeURIComponent(document.cookie.split('; ').find((part) => part.startsWith('baton_csrf='))?.slice(11) ?? '');
    const response = await fetch(address, { method: 'POST', headers: { 'x-baton-csrf': csrf, 'content-type': 'text/csv' }, body: csv });
    return await response.json() as unknown;
  }, { address: `/ingest/actions/${partner}`, csv: body });
}

test('an administrator makes a plan, bills a partner, closes its period and fetches the file; the partner sees its own', async ({ page, browser }) => {
  test.slow();
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
  const action = (email: string, day: string) => `${email},${product},Event,Click,High,${period}-${day}T10:00:00Z`;
  const sent = await sendActions(page, `partner-${tag}`, [action('ann@example.com', '03'), action('ann@example.com', '04')]);
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
  const users = await page.request.get(await page.getByRole('link', { name: 'Download all lead users as CSV' }).getAttribute('href') ?? '');
  expect(await users.text()).toContain('ann@example.com,2,25.00,12.50,');

  // What came in late is in the version that is issued again, side by side with the former one.
  const late = await sendActions(page, `partner-${tag}`, [action('bob@example.com', '05')]);
  expect(late).toMatchObject({ records: 1, accepted: 1, refused: 0 });
  await page.getByRole('button', { name: 'Issue again' }).click();
  const again = page.getByRole('dialog', { name: 'Issue this report again?' });
  await again.getByRole('textbox', { name: 'Reason' }).fill('Bob was forgotten');
  await again.getByRole('button', { name: 'Issue again' }).click();
  const differing = page.getByRole('table', { name: 'Lines that differ' });
  await expect(differing.getByRole('row').filter({ hasText: 'bob@example.com' })).toContainText('$12.50');
  await expect(page.getByText(/Debit note over \$12\.50/)).toBeVisible();
  await page.getByLabel('Lead user', { exact: true }).fill('bob@');
  await expect(page.getByText('1 found')).toBeVisible();
  const report = page.url();

  // What the month would have cost by another price.
  await page.goto('/billing/plans');
  await page.getByRole('button', { name: `Plan ${tag}` }).click();
  const plan = page.getByRole('dialog');
  await plan.getByRole('textbox', { name: 'High', exact: true }).fill('10.00');
  await plan.getByRole('button', { name: 'Compute' }).click();
  await expect(plan.getByRole('region', { name: 'What if' })).toContainText('-$5.00');

  // Somebody of the partner sees its billing, its own settings, and nothing else.
  const { partners } = await ask(page, '{ partners { id slug } }') as { partners: { id: string; slug: string }[] };
  const email = `books-${tag}@example.com`;
  await page.goto('/settings/people');
  await page.getByRole('button', { name: 'Invite somebody' }).click();
  const invitation = page.getByRole('dialog', { name: 'Invite somebody' });
  await invitation.getByLabel('E-mail').fill(email);
  await invitation.getByRole('textbox', { name: 'Role' }).click();
  await page.getByRole('option', { name: /Partner/ }).click();
  await invitation.getByLabel('Partner id').fill(partners.find(({ slug }) => slug === `partner-${tag}`)?.id ?? '');
  await invitation.getByRole('button', { name: 'Make the invitation' }).click();
  const link = await page.getByRole('dialog', { name: 'Invitation link' }).getByLabel('Invitation link', { exact: true }).innerText();
  const context = await browser.newContext();
  const books = await context.newPage();
  await books.goto(link);
  await books.getByLabel('Your name').fill('Bea Books');
  await books.getByLabel('Password', { exact: true }).fill('a long enough password');
  await books.getByRole('button', { name: 'Join' }).click();
  await expect(books.getByLabel('Tenant')).toHaveValue(person.tenant);
  await fillIn(books, 'a long enough password');
  await books.getByLabel('E-mail').fill(email);
  await books.getByRole('button', { name: 'Sign in' }).click();
  await expect(books.getByRole('navigation', { name: 'Main' }).getByRole('link')).toHaveText(['Billing', 'Settings']);
  await books.goto(`/billing?period=${period}`);
  await expect(books.getByRole('table', { name: /^Partners in/ }).getByRole('row')).toHaveCount(2);
  await books.getByRole('link', { name: `Partner ${tag}` }).click();
  await expect(books).toHaveURL(report);
  await expect(books.getByRole('heading', { name: 'Files' })).toBeVisible();
  for (const name of ['Issue again', 'Void', 'Share a link', 'Tell the partner again']) {
    await expect(books.getByRole('button', { name })).toHaveCount(0);
  }
  const fetching = books.waitForEvent('download');
  await books.getByRole('link', { name: 'PDF', exact: true }).click();
  expect((await fetching).suggestedFilename()).toBe(`partner-${tag}-${period}-v2.pdf`);
  await context.close();
});
