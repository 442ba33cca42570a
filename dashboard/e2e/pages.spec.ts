import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import { signIn } from './session';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  id: string;
  impact: string | null;
  nodes: { target: string[] }[];
}

const paths = [
  '/leads', '/imports', '/imports/refused', '/deliveries', '/deliveries/responses', '/failed', '/inbound', '/suppression', '/alerts', '/sources', '/destinations',
  '/sla', '/sla/compact', '/sla/policies', '/sla/calendars', '/sla/cases', '/reconciliation', '/billing', '/billing/plans',
  '/settings/people', '/settings/teams', '/settings/roles', '/settings/sign-in', '/settings/links', '/settings/embedding', '/settings/keys', '/settings/sessions', '/settings/audit',
];

// Dark is the same document in other colours.
const looks = [
  { width: 1280, colorScheme: 'light' }, { width: 380, colorScheme: 'light' }, { width: 1280, colorScheme: 'dark', runOnly: ['color-contrast'] },
] as const;

// One browser's profile for all pages: the program is fetched once.
let context: BrowserContext;
test.beforeAll(async ({ browser, baseURL }) => {
  context = await browser.newContext({ reducedMotion: 'reduce', ...(baseURL ? { baseURL } : {}) });
  const page = await context.newPage();
  await signIn(page);
  await page.close();
});
test.afterAll(() => context.close());

/** The page has its heading, waits for no answer any more, and nothing changes its colour. */
async function settled(page: Page) {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
  await page.evaluate('Promise.allSettled(document.getAnimations().map((animation) => animation.finished))');
}

for (const path of paths) {
  test(`${path} has no serious accessibility fault, wide, narrow and dark`, async () => {
    const page = await context.newPage();
    await page.goto(path);
    // Evaluated, not added as a script: the page's security policy allows none from outside.
    await page.evaluate(axe);
    for (const { width, colorScheme, ...only } of looks) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', colorScheme);
      await settled(page);
      const { violations } = await page.evaluate<{ violations: Finding[] }>(`axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], ...only })})`);
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`), `${colorScheme}, ${width} wide`).toEqual([]);
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(overflow, `${colorScheme}, ${width} wide`).toBe(0);
    }
    await page.close();
  });
}
