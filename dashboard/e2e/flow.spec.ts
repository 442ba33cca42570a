import { createHmac } from 'node:crypto';
import { expect } from '@playwright/test';
import { signIn, test } from './session';

/** A report as Standard Webhooks signs it. */
function signed(secret: string, id: string, body: string): Record<string, string> {
  const at = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${signature}` };
}

test('a destination is let report, its report is read as it came and processed again', async ({ page, request, baseURL }) => {
  const stamp = Date.now();
  await signIn(page, '/inbound');
  await expect(page.getByRole('heading', { name: 'Reports', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Who reports' }).click();
  const drawer = page.getByRole('dialog', { name: 'Who reports' });
  await drawer.getByRole('textbox', { name: 'It proves itself by' }).click();
  await page.getByRole('option', { name: /Standard Webhooks/ }).click();
  await drawer.getByRole('button', { name: 'Let it report' }).click();
  const once = page.getByRole('dialog', { name: 'Secret of the reports' });
  const secret = await once.getByLabel('Secret of the reports').innerText();
  await once.getByRole('button', { name: 'I have stored it' }).click();
  const url = await drawer.locator('code').innerText();
  await drawer.getByRole('textbox', { name: 'Its own words' }).fill('In Escrow');
  await drawer.getByRole('button', { name: 'Save the words' }).click();
  await expect(drawer.getByText('has no “=”')).toBeVisible();
  await drawer.getByRole('textbox', { name: 'Its own words' }).fill('In Escrow = qualified');
  await drawer.getByRole('button', { name: 'Save the words' }).click();
  await expect(page.getByText('Reports are read with these words from now on.')).toBeVisible();
  await page.keyboard.press('Escape');

  // It names no lead, so there is nothing to do: it is failed, and kept as it came.
  const body = JSON.stringify({ type: 'lead.status', data: { status: 'In Escrow', note: `walk ${stamp}` } });
  const path = new URL(url).pathname;
  const answer = await request.post(`${baseURL}${path}`, { headers: signed(secret, `msg_${stamp}`, body), data: body });
  expect(answer.status()).toBe(202);
  await expect(async () => {
    await page.goto('/inbound?state=FAILED');
    await expect(page.getByRole('row').nth(1)).toContainText('names no lead', { timeout: 5_000 });
  }).toPass();
  await page.getByRole('row').nth(1).getByRole('button').click();
  const report = page.getByRole('dialog', { name: 'Report' });
  await expect(report).toContainText(`walk ${stamp}`);
  await report.getByRole('button', { name: 'Process it again' }).click();
  await expect(page.getByText('1 report will be processed again.')).toBeVisible();
});

test('a person is added to the list, found and removed', async ({ page }) => {
  const address = `nobody${Date.now()}@example.com`;
  await signIn(page, '/suppression');
  await page.getByRole('button', { name: 'Add a person' }).click();
  const form = page.getByRole('dialog', { name: 'Contact no more' });
  await form.getByRole('textbox', { name: 'Phone or e-mail' }).fill('nonsense');
  await form.getByRole('button', { name: 'Add to the list' }).click();
  await expect(form.getByRole('textbox', { name: 'Phone or e-mail' })).toHaveAttribute('aria-invalid', 'true');
  await form.getByRole('textbox', { name: 'Phone or e-mail' }).fill(address);
  await form.getByRole('textbox', { name: 'Reason' }).fill('asked on the phone');
  await form.getByRole('button', { name: 'Add to the list' }).click();
  const row = page.getByRole('row').filter({ hasText: address });
  await expect(row).toContainText('asked on the phone');
  // The search is asked before the removal and answered after it: that answer is out of date.
  const search = address.slice(0, 20);
  let found: (() => void) | undefined;
  const searched = new Promise<void>((resolve) => { found = resolve; });
  await page.route('**/graphql', async (route) => {
    const body = route.request().postData() ?? '';
    if (body.includes(`"search":"${search}"`) && found) {
      const response = await route.fetch();
      found();
      found = undefined;
      await expect(page.getByText('may be contacted again')).toBeVisible();
      await route.fulfill({ response });
    } else {
      if (body.includes('"Unsuppress"')) await searched;
      await route.continue();
    }
  });
  await row.getByRole('button', { name: `Remove ${address}` }).click();
  await page.getByRole('button', { name: 'Remove from the list' }).click();
  await page.locator('input[type=search]').fill(search);
  await expect(page.getByText('Nobody of that phone or e-mail')).toBeVisible();
});

test('what destinations answer is shown by class, latency and kind of trouble', async ({ page }) => {
  await signIn(page, '/deliveries');
  await page.getByRole('link', { name: 'Responses' }).click();
  await expect(page.getByRole('heading', { name: 'Responses', level: 1 })).toBeFocused();
  const table = page.getByRole('table', { name: 'Answers by destination' });
  await expect(table.getByRole('columnheader', { name: 'p99' })).toBeVisible();
  await expect(table.getByRole('row').nth(1)).toContainText('%');
  const trouble = page.getByRole('table', { name: 'Kinds of trouble' });
  await trouble.getByRole('link', { name: 'Open the last' }).first().click();
  await expect(page.getByRole('dialog', { name: 'Delivery' })).toBeVisible();
});

test('users and campaigns of a destination say that none are known yet', async ({ page }) => {
  await signIn(page, '/destinations');
  await page.locator('main').getByRole('table').getByRole('link').first().click();
  await page.getByRole('link', { name: 'Users and campaigns' }).click();
  await expect(page.getByRole('heading', { name: 'Users and campaigns', level: 1 })).toBeVisible();
  await page.getByText('Campaigns', { exact: true }).click();
  await expect(page.getByText('No campaign is known')).toBeVisible();
});
