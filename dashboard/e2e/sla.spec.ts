import { expect, type Page } from '@playwright/test';
import { startWebhook } from './servers';
import { ask, signIn, test } from './session';

/** Leads of several sources, delivered and due within minutes; some of them reached, by agents of two teams. */
async function fillBoard(page: Page, crm: string): Promise<void> {
  const tag = Date.now();
  await ask(page, 'mutation ($input: CreateDestinationInput!) { createDestination(input: $input) { destination { id } } }', {
    input: { slug: `taking-${tag}`, kind: 'WEBHOOK', url: crm },
  });
  // The first policy that fits a lead counts.
  await ask(page, 'mutation ($input: CreateSlaPolicyInput!) { createSlaPolicy(input: $input) { policy { id } } }', {
    input: { name: `Within minutes ${tag}`, clock: 'response', place: 1, draft: { targetSeconds: 600, atRiskPercent: 1 } },
  });
  const names = ['Ada Featherstone', 'Benedict Cumberland', 'Grace Hopper', 'Katherine Johnson', 'Dorothy Vaughan'];
  const leads: string[] = [];
  for (let source = 0; source < 6; source += 1) {
    const made = await ask(page, 'mutation ($input: CreateSourceInput!) { createSource(input: $input) { source { id } } }', {
      input: { slug: `board-${source}-${tag}`, name: `Lead source ${source + 1}`, kind: 'LEADSOURCE' },
    }) as { createSource: { source: { id: string } } };
    for (const [index, name] of names.entries()) {
      const number = source * names.length + index;
      const [first, last] = name.split(' ');
      const record = { 'Lead ID': `${tag}-${number}`, 'First Name': first, 'Last Name': last, 'Pri. Phone': `720${3_000_000 + ((tag + number) % 100_000)}` };
      const taken = await ask(page, 'mutation ($input: SubmitLeadInput!) { submitLead(input: $input) { lead { id } } }', {
        input: { source: made.createSource.source.id, record },
      }) as { submitLead: { lead: { id: string } } };
      leads.push(taken.submitLead.lead.id);
    }
  }
  await expect.poll(async () => {
    const counts = await ask(page, '{ slaNow(filter: { clock: "response" }) { running atRisk } }') as { slaNow: { running: number; atRisk: number } };
    return counts.slaNow.running + counts.slaNow.atRisk;
  }, { timeout: 60_000 }).toBeGreaterThanOrEqual(leads.length);
  for (const [index, leadId] of leads.slice(0, 8).entries()) {
    await ask(page, 'mutation ($input: RecordContactInput!) { recordContact(input: $input) { first } }', {
      input: { leadId, agent: `Agent ${index % 4}`, team: index % 2 === 0 ? 'East' : 'West' },
    });
  }
  await expect.poll(async () => {
    const counts = await ask(page, '{ slaNow(filter: { clock: "response" }) { atRisk } }') as { slaNow: { atRisk: number } };
    return counts.slaNow.atRisk;
  }, { timeout: 60_000 }).toBeGreaterThanOrEqual(10);
}

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

test('a threshold is set for a clock and removed again', async ({ page }) => {
  await signIn(page, '/sla/cases');
  await page.getByRole('button', { name: 'When help opens' }).click();
  const form = page.getByRole('dialog', { name: 'When help opens' });
  await form.getByLabel('Below this share in target').fill('1');
  await form.getByLabel('When at least so many are decided').fill('100000');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form).toBeHidden();
  await expect(page.getByText('No threshold is set')).toBeHidden();
  await page.getByRole('button', { name: 'When help opens' }).click();
  await expect(form.getByLabel('When at least so many are decided')).toHaveValue('100000');
  await form.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Remove the threshold' }).click();
  await expect(form).toBeHidden();
  await page.getByRole('button', { name: 'When help opens' }).click();
  await expect(form.getByRole('button', { name: 'Remove', exact: true })).toBeHidden();
});

test('the board keeps its filters in the address', async ({ page }) => {
  await signIn(page, '/sla?span=month&clock=processing');
  await expect(page.getByRole('heading', { name: 'Service levels', exact: true })).toBeVisible();
  await expect(page.getByRole('radio', { name: '30 days' })).toBeChecked();
  await page.getByText('24 hours').click();
  await expect(page).toHaveURL(/span=day/);
  const csv = await page.getByRole('link', { name: 'Download missed service levels as CSV' }).getAttribute('href');
  const answer = await page.request.get(csv ?? '');
  expect(answer.status()).toBe(200);
  expect(await answer.text()).toContain('lead,clock,policy');
});

test('the filters are about the sources too, and the rows stand beside the span before', async ({ page }) => {
  await signIn(page, '/sla?span=month&states=ZZ');
  const sources = page.getByRole('table', { name: 'Source effectiveness' });
  const row = sources.getByRole('row').filter({ hasText: 'leadsource' }).first();
  // Of a refused record nobody knows the state.
  await expect(page.getByText('of refused records only the source is known')).toBeVisible();
  await expect(row.getByRole('cell').nth(1)).toHaveText('–');
  await expect(row.getByRole('cell').nth(2)).toContainText('0');
  const csv = await page.getByRole('link', { name: 'Download source effectiveness as CSV' }).getAttribute('href');
  expect(csv).toContain('states=ZZ');
  const text = await (await page.request.get(csv ?? '')).text();
  expect(text).toContain('before_received');
  expect(text).toMatch(/^leadsource,,0,,0,0,0,/m);

  await page.getByRole('link', { name: 'Executive view' }).click();
  await expect(page).toHaveURL(/executive.*states=ZZ/);
  const glance = page.getByRole('region', { name: 'The span at a glance' });
  await expect(glance.getByText('New leads', { exact: true })).toBeVisible();
  await expect(page.getByText('Narrowed to state ZZ')).toBeVisible();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(glance.getByText('Leads received', { exact: true })).toBeVisible();
  await expect(row.getByRole('cell').nth(1)).toHaveText(/against the span before: (.* %|as before|none before)/);

  // In a card, too.
  await page.setViewportSize({ width: 390, height: 844 });
  await expect(row.getByRole('cell').nth(1)).toContainText('against the span before');
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
});

test('as a resource link the board fits one screen with all that it shows, however much there is', async ({ page }) => {
  test.slow();
  const crm = await startWebhook();
  try {
    await signIn(page, '/sla');
    await fillBoard(page, crm.url);
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.goto('/sla/compact');
    const due = page.getByRole('table', { name: 'Due next' });
    await expect(due.getByRole('row')).toHaveCount(11);
    await expect(due.getByRole('row').nth(1)).toContainText('At risk');
    await expect(page.getByRole('table', { name: 'Service level by source' }).getByRole('row')).toHaveCount(6);
    await expect(page.locator('svg.recharts-surface').first()).toBeVisible();
    const scrolls = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
    expect(scrolls).toBeLessThanOrEqual(0);
    // The page hides what does not fit: so each row and the chart must end within its panel, and the panel on the screen.
    const cut = await page.evaluate(() => Array.from(document.querySelectorAll('main section')).flatMap((section) => {
      const end = Math.min(section.getBoundingClientRect().bottom, window.innerHeight);
      return Array.from(section.querySelectorAll('tbody tr, svg.recharts-surface'))
        .filter((part) => !part.closest('.visually-hidden') && part.getBoundingClientRect().bottom > end + 0.5)
        .map((part) => part.textContent);
    }));
    expect(cut).toEqual([]);
  } finally {
    await crm.close();
  }
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
