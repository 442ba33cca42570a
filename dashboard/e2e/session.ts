import { expect, test as base, type BrowserContext, type Page } from '@playwright/test';

/** A setting from the environment; the defaults are those of the stand-in server. */
function setting(name: string, fallback: string): string {
  return process.env[name] ?? fallback;
}

export const person = {
  /** That of the project whose test runs. */
  get tenant(): string {
    return (base.info().project.metadata as { tenant: string }).tenant;
  },
  email: setting('BATON_EMAIL', 'demo@acme.example'),
  password: setting('BATON_PASSWORD', 'correct horse'),
};

/** Folder that holds experian.csv. */
export const samples = setting('BATON_SAMPLES', '../tests/fixtures');

/** The name of the source for Experian's files, or a part of it. */
export const experian = new RegExp(setting('BATON_EXPERIAN_SOURCE', 'experian'), 'i');

/** One browser's profile for all tests of a worker, so that the program is fetched once. A test begins with nothing else in it. */
export const test = base.extend<object, { profile: BrowserContext }>({
  profile: [async ({ browser }, use, { project }) => {
    const { baseURL, viewport, reducedMotion } = project.use;
    const profile = await browser.newContext({ baseURL, viewport, reducedMotion });
    // Stays open: it keeps the process that draws all pages of the profile.
    await (await profile.newPage()).goto('/healthz');
    await use(profile);
    await profile.close();
  }, { scope: 'worker' }],
  context: async ({ profile }, use) => {
    await profile.setStorageState({ cookies: [], origins: [] });
    await use(profile);
    await Promise.all(profile.pages().slice(1).map((page) => page.close()));
  },
});

export async function fillIn(page: Page, password = person.password): Promise<void> {
  await page.getByLabel('Tenant').fill(person.tenant);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(password);
}

/** Of the last sign-in: the next test goes on with it, as whoever signs in too often has to wait. */
let kept: Awaited<ReturnType<BrowserContext['cookies']>> = [];

/** The page as the administrator sees it: with the session that there is, or by the form when there is none any more. */
export async function signIn(page: Page, path = '/leads'): Promise<void> {
  await page.context().addCookies(kept);
  await page.goto(path);
  // Of every page that needs a session; the compact board has no navigation.
  const inside = page.locator('main#main');
  const form = page.getByRole('heading', { name: 'Sign in' });
  await expect(inside.or(form)).toBeVisible();
  if (await form.isVisible()) {
    await fillIn(page);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(inside).toBeVisible();
    kept = await page.context().cookies();
  }
}

/** Asks the API as whoever is signed in on the page. Answers the data. */
export async function ask(page: Page, query: string, variables: Record<string, unknown> = {}): Promise<unknown> {
  const answer = await page.evaluate(async (body) => {
    const csrf = decodeURIComponent(document.cookie.split('; ').find((part) => part.startsWith('baton_csrf='))?.slice(11) ?? '');
    const response = await fetch('/graphql', { method: 'POST', headers: { 'x-baton-csrf': csrf, 'content-type': 'application/json' }, body });
    return await response.json() as { data: unknown; errors?: unknown };
  }, JSON.stringify({ query, variables }));
  expect(answer.errors).toBeUndefined();
  return answer.data;
}
