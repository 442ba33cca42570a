import { createRequire } from 'node:module';
import { expect, test } from '@playwright/test';
import { signIn } from './session';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

interface Finding {
  id: string;
  impact: string | null;
  nodes: { target: string[] }[];
}

test('filters stand in the address and survive a reload', async ({ page }) => {
  await signIn(page);
  const leads = page.getByRole('table', { name: 'Leads, newest first' });
  const name = await leads.getByRole('row').nth(1).getByRole('link').innerText();
  await page.getByLabel('Search').fill(name);
  await expect(page).toHaveURL(/[?&]search=/);
  await page.reload();
  await expect(page.getByLabel('Search')).toHaveValue(name);
  await expect(leads.getByRole('link', { name }).first()).toBeVisible();
  await page.getByLabel('Search').fill('nobody has this name');
  await expect(page.getByText('No lead fits these filters')).toBeVisible();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(leads.getByRole('link', { name }).first()).toBeVisible();
});

test('a lead’s page tells its journey, and the focus is on its heading', async ({ page }) => {
  await signIn(page);
  await page.getByRole('table', { name: 'Leads, newest first' }).getByRole('row').nth(1).getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await expect(page.getByRole('region', { name: 'Journey' }).getByText('Received', { exact: true })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Contact' })).toBeVisible();
});

for (const path of ['/leads', '/imports', '/imports/refused', '/deliveries', '/sources', '/destinations', '/settings/people', '/settings/teams', '/settings/roles', '/settings/sign-in', '/settings/links', '/settings/embedding', '/settings/keys', '/settings/sessions', '/settings/audit']) {
  test(`${path} has no serious accessibility fault, also in a narrow frame`, async ({ page }) => {
    await signIn(page, path);
    for (const width of [1280, 380]) {
      await page.setViewportSize({ width, height: 900 });
      await page.waitForLoadState('networkidle');
      await page.evaluate('globalThis.axe === undefined').then(async (absent) => {
        // Evaluated, not added as a script: the page's security policy allows none from outside.
        if (absent) await page.evaluate(await (await import('node:fs/promises')).readFile(axePath, 'utf8'));
      });
      const { violations } = await page.evaluate<{ violations: Finding[] }>('axe.run(document)');
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)).toEqual([]);
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(overflow).toBe(0);
    }
  });
}
