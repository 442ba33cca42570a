import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { expect, type Page } from '@playwright/test';
import { signIn, test } from './session';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  id: string;
  impact: string | null;
  nodes: { target: string[] }[];
}

// Dark is the same document in other colours.
const looks = [
  { width: 1280, colorScheme: 'light' }, { width: 380, colorScheme: 'light' }, { width: 1280, colorScheme: 'dark', runOnly: ['color-contrast'] },
] as const;

/** The page has its heading, waits for no answer any more, and nothing changes its colour. */
async function settled(page: Page) {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
  await page.evaluate('Promise.allSettled(document.getAnimations().map((animation) => animation.finished))');
}

/** Goes on as a link inside the program does: nothing is loaded again. */
async function open(page: Page, path: string) {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 900 });
  const leaving = await page.evaluate((to) => {
    document.querySelector('h1')?.setAttribute('data-leaving', '');
    const title = document.title;
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate', { state: null }));
    return title;
  }, path);
  // The former page stays until the next one is there. That has another title, or a heading of its own.
  await expect.poll(() => page.evaluate((title) => document.title !== title || !document.querySelector('h1[data-leaving]'), leaving)).toBe(true);
}

/** A test for each of the pages, one after the other in one tab. */
export function testPages(paths: readonly string[]): void {
  let page: Page;
  test.beforeAll(async ({ profile }) => {
    page = await profile.newPage();
    // None of the paths: each of them is come to from elsewhere.
    await signIn(page, '/nowhere');
    // Evaluated, not added as a script: the page's security policy allows none from outside.
    await page.evaluate(axe);
  });
  test.afterAll(() => page.close());

  for (const path of paths) {
    test(`${path} has no serious accessibility fault, wide, narrow and dark`, async () => {
      await open(page, path);
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
    });
  }
}
