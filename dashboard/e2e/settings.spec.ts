import { expect } from '@playwright/test';
import { fillIn, person, signIn, test } from './session';

test('an invited person chooses a password, signs in, and sees what its role allows', async ({ page, browser }) => {
  const email = `invited-${Date.now()}@example.com`;
  await signIn(page, '/settings/people');
  await page.getByRole('button', { name: 'Invite somebody' }).click();
  const form = page.getByRole('dialog', { name: 'Invite somebody' });
  await form.getByLabel('E-mail').fill(email);
  await form.getByRole('button', { name: 'Make the invitation' }).click();
  const secret = page.getByRole('dialog', { name: 'Invitation link' });
  const link = await secret.getByLabel('Invitation link', { exact: true }).innerText();
  await secret.getByRole('button', { name: 'I have stored it' }).click();
  await expect(page.getByRole('table', { name: 'Invitations, newest first' }).getByText(email)).toBeVisible();

  const context = await browser.newContext();
  const invited = await context.newPage();
  await invited.goto(link);
  await invited.getByLabel('Your name').fill('Ida Invited');
  await invited.getByLabel('Password', { exact: true }).fill('a long enough password');
  await invited.getByRole('button', { name: 'Join' }).click();
  await expect(invited.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(invited.getByLabel('Tenant')).toHaveValue(person.tenant);
  await fillIn(invited, 'a long enough password');
  await invited.getByLabel('E-mail').fill(email);
  await invited.getByRole('button', { name: 'Sign in' }).click();
  await expect(invited.getByRole('navigation', { name: 'Main' })).toBeVisible();
  // An agent: neither offered nor shown.
  await expect(invited.getByRole('link', { name: 'Leads', exact: true })).toBeVisible();
  for (const path of ['/reconciliation', '/billing', '/settings/audit']) {
    await invited.goto(path);
    await expect(invited.getByText('Not for your role')).toBeVisible();
    await expect(invited.locator(`a[href="${path}"]`)).toHaveCount(0);
  }
  await invited.goto('/destinations');
  await expect(invited.getByRole('link', { name: 'refusing', exact: true })).toBeVisible();
  await expect(invited.getByRole('button', { name: 'New destination' })).toHaveCount(0);
  await invited.goto('/settings/sessions');
  await expect(invited.getByRole('table', { name: 'Your sessions, newest first' }).getByText('this one')).toBeVisible();

  // Disabled, the person is out at once.
  await page.reload();
  await page.getByRole('button', { name: 'Ida Invited' }).first().click();
  const edit = page.getByRole('dialog', { name: 'Ida Invited' });
  await edit.getByRole('switch', { name: 'May sign in' }).click();
  await edit.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('row').filter({ hasText: email }).getByText('Disabled')).toBeVisible();
  await invited.goto('/leads');
  await expect(invited.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await context.close();
});

test('a key is shown once, works, and is refused after it was revoked; the audit log tells of both', async ({ page, request }) => {
  const name = `Reader ${Date.now()}`;
  await signIn(page, '/settings/keys');
  await page.getByRole('button', { name: 'New key' }).click();
  const form = page.getByRole('dialog', { name: 'New key' });
  await form.getByLabel(/^Name/).fill(name);
  await form.getByRole('button', { name: 'Create the key' }).click();
  const secret = page.getByRole('dialog', { name: 'Key', exact: true });
  const key = await secret.getByLabel('Key', { exact: true }).innerText();
  await secret.getByRole('button', { name: 'I have stored it' }).click();

  const ask = async (query: string) => {
    const answer = await request.post('/graphql', { headers: { authorization: `Bearer ${key}` }, data: { query } });
    return (await answer.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
  };
  expect((await ask('{ leads(first: 1) { nodes { id } } }')).errors).toBeUndefined();
  expect((await ask('{ users { id } }')).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('dialog', { name: `Revoke ${name}?` }).getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByRole('row').filter({ hasText: name }).getByText('Revoked')).toBeVisible();
  expect((await ask('{ leads(first: 1) { nodes { id } } }')).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');

  await page.goto('/settings/audit?action=key.');
  await expect(page.getByRole('table', { name: 'Audit log, newest first' }).getByText(/revoked/).first()).toBeVisible();
});

test('a team gets its people and sources', async ({ page }) => {
  const name = `Team ${Date.now()}`;
  await signIn(page, '/settings/teams');
  await page.getByRole('button', { name: 'New team' }).click();
  const form = page.getByRole('dialog', { name: 'New team' });
  await form.getByLabel(/^Name/).fill(name);
  await form.getByRole('textbox', { name: 'Sources' }).click();
  await page.getByRole('option').first().click();
  await form.getByLabel(/^Name/).click();
  await form.getByRole('button', { name: 'Create the team' }).click();
  await expect(page.getByRole('row').filter({ hasText: name }).getByRole('cell', { name: '1', exact: true })).toBeVisible();
});
