import { expect, type Page } from '@playwright/test';
import { startSilentWebhook } from './servers';
import { ask, signIn, test } from './session';

async function make(page: Page, slug: string, url: string): Promise<string> {
  const mutation = `mutation ($slug: String!, $url: String!) {
    createDestination(input: { slug: $slug, kind: WEBHOOK, url: $url, settings: { unknown: "ask" } }) { destination { id } }
  }`;
  const made = await ask(page, mutation, { slug, url }) as { createDestination: { destination: { id: string } } };
  return made.createDestination.destination.id;
}

async function submit(page: Page, record: Record<string, string>) {
  const { sources } = await ask(page, '{ sources { id slug } }') as { sources: { id: string; slug: string }[] };
  const source = sources.find(({ slug }) => slug === 'leadsource')?.id;
  await ask(page, 'mutation ($source: ID!, $record: JSON!) { submitLead(input: { source: $source, record: $record }) { lead { id } } }', { source, record });
}

test('a lead that may have arrived goes out a second time only when a person says so', async ({ page }) => {
  const stamp = String(Date.now());
  const crm = await startSilentWebhook();
  await signIn(page, '/failed');
  const destination = await make(page, `silent-${stamp}`, crm.url);
  try {
    await submit(page, { 'Lead ID': `E2E-${stamp}`, 'First Name': 'Dora', 'Last Name': 'Doubt', 'Pri. Phone': `303556${stamp.slice(-4)}` });
    await expect(async () => {
      await page.goto(`/failed?destination=${destination}`);
      await expect(page.getByRole('row').nth(1)).toContainText('In doubt', { timeout: 5_000 });
    }).toPass();

    await page.getByRole('button', { name: 'Retry all', exact: true }).click();
    await page.getByRole('dialog', { name: 'Retry all failed leads?' }).getByRole('button', { name: 'Retry all' }).click();
    await expect(page.getByText('0 leads on the way again; 1 left, as it may have arrived already.')).toBeVisible();

    const retry = page.getByRole('button', { name: 'Retry Dora Doubt' });
    const question = page.getByRole('dialog', { name: 'Send it a second time?' });
    await retry.click();
    await expect(question).toContainText('may have arrived already');
    await question.getByRole('button', { name: 'Keep as it is' }).click();
    await expect(question).toBeHidden();
    expect(crm.received()).toBe(1);

    await retry.click();
    await question.getByRole('button', { name: 'Send 1 lead again' }).click();
    await expect(page.getByText('1 lead on the way again.')).toBeVisible();
    await expect.poll(() => crm.received()).toBe(2);
  } finally {
    await ask(page, 'mutation ($id: ID!) { updateDestination(input: { id: $id, enabled: false }) { error { message } } }', { id: destination });
    await crm.close();
  }
});
