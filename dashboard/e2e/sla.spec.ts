import { expect, test } from '@playwright/test';
import { signIn } from './session';

test('an administrator makes a calendar and a policy, and sees when a lead would be due', async ({ page }) => {
  const name = `Office ${Date.now()}`;
  await signIn(page, '/sla/calendars');
  await page.getByRole('button', { name: 'New calendar' }).click();
  const calendar = page.getByRole('dialog', { name: 'New calendar' });
  await calendar.getByRole('textbox', { name: 'Name' }).fill(name);
  await calendar.getByLabel('From').first().fill('9');
  await calendar.getByRole('button', { name: 'Create the calendar' }).click();
  await expect(calendar.getByRole('alert')).toContainText('as in 09:00');
  await calendar.getByLabel('From').first().fill('09:00');
  await calendar.getByRole('button', { name: 'Create the calendar' }).click();
  await expect(page.getByRole('row').filter({ hasText: name })).toContainText('Mon–Fri 09:00–17:00');

  await page.goto('/sla/policies');
  await page.getByRole('button', { name: 'New policy' }).click();
  const policy = page.getByRole('dialog', { name: 'New policy' });
  await policy.getByRole('textbox', { name: 'Name' }).fill(`Within the hour ${name}`);
  await policy.getByLabel('Target').fill('60');
  await policy.getByRole('textbox', { name: 'Time', exact: true }).click();
  await page.getByRole('option', { name: new RegExp(name) }).click();
  // A lead of a Saturday afternoon is due on Monday, an hour after somebody has begun to work.
  await expect(policy.getByRole('status')).toContainText(/Saturday.*Monday.*10:00:00 AM/s);
  await policy.getByRole('button', { name: 'Create the policy' }).click();
  const row = page.getByRole('row').filter({ hasText: `Within the hour ${name}` });
  await expect(row).toContainText('1 h');
  await row.getByRole('button').click();
  const edit = page.getByRole('dialog', { name: `Within the hour ${name}` });
  await edit.getByRole('button', { name: 'What would these terms have given' }).click();
  await expect(edit.getByText(/would have been missed/)).toBeVisible();
});

test('the board keeps its filters in the address, and fits one screen as a resource link', async ({ page }) => {
  await signIn(page, '/sla?span=month&clock=processing');
  await expect(page.getByRole('heading', { name: 'Service levels', exact: true })).toBeVisible();
  await expect(page.getByRole('radio', { name: '30 days' })).toBeChecked();
  await page.getByText('24 hours').click();
  await expect(page).toHaveURL(/span=day/);
  const csv = await page.getByRole('link', { name: 'Download missed service levels as CSV' }).getAttribute('href');
  const answer = await page.request.get(csv ?? '');
  expect(answer.status()).toBe(200);
  expect(await answer.text()).toContain('lead,clock,policy');
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.goto('/sla/compact');
  await expect(page.getByRole('heading', { name: 'Due next' })).toBeVisible();
  const overflow = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
  expect(overflow).toBeLessThanOrEqual(0);
});

test('the executive view compares with the span before, and says what leads cost', async ({ page }) => {
  await signIn(page, '/sla/executive?span=month');
  const glance = page.getByRole('region', { name: 'The span at a glance' });
  for (const label of ['Processing in target', 'Response in target', 'Speed to lead', 'Leads received', 'Sold', 'Revenue', 'Cost']) {
    await expect(glance.getByText(label, { exact: true })).toBeVisible();
  }
  await expect(page.getByRole('heading', { name: 'Top problems' })).toBeVisible();
  await page.getByRole('button', { name: 'Costs' }).click();
  const costs = page.getByRole('dialog', { name: 'Costs of sources' });
  await costs.getByRole('textbox', { name: 'Source' }).click();
  await page.getByRole('option', { name: 'leadsource' }).click();
  await costs.getByLabel('From').fill('2020-01-01');
  await costs.getByRole('textbox', { name: 'Cost of a new lead' }).fill('two');
  await costs.getByRole('button', { name: 'Set the cost' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'USD' }).first()).toBeVisible();
  await costs.getByRole('textbox', { name: 'Cost of a new lead' }).fill('2.50');
  await costs.getByRole('button', { name: 'Set the cost' }).click();
  await expect(costs.getByRole('list', { name: 'Costs so far' })).toContainText('$2.50 a lead from 2020-01-01');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('table', { name: 'Source effectiveness' }).getByRole('row').filter({ hasText: 'leadsource' })).toContainText('$');
});
