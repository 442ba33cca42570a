import { expect, test, type Browser, type Page } from '@playwright/test';
import { client, startIdentityProvider, type Running } from './servers';
import { person, signIn } from './session';

const base = process.env.BATON_URL ?? 'http://127.0.0.1:8080';
const slug = `example-${Date.now()}`;
const name = `Example ${slug}`;
let provider: Running;

test.beforeAll(async () => {
  provider = await startIdentityProvider(`${base}/t/${person.tenant}/oauth/${slug}/callback`);
});
test.afterAll(async () => { await provider.close(); });

/** Signs in at the provider, up to the moment when it sends the browser back. */
async function atProvider(page: Page, login: string) {
  await page.goto(`/sign-in?tenant=${person.tenant}`);
  await page.getByRole('link', { name: `Continue with ${name}` }).click();
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('anything');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** The states that a page's requests carry, as they come. */
function statesOf(page: Page): string[] {
  const states: string[] = [];
  page.on('request', (request) => {
    const state = new URL(request.url()).searchParams.get('state');
    if (state !== null) states.push(state);
  });
  return states;
}

async function inFreshBrowser(browser: Browser, work: (page: Page) => Promise<void>) {
  const context = await browser.newContext({ baseURL: base });
  await work(await context.newPage());
  await context.close();
}

test('an administrator sets up a provider, and a misspelt issuer is found at once', async ({ page }) => {
  await signIn(page, '/settings/sign-in');
  await page.getByRole('button', { name: 'New provider' }).click();
  const form = page.getByRole('dialog', { name: 'New provider' });
  await form.getByLabel(/^Name/).fill(name);
  await form.getByLabel('Short name').fill(slug);
  await form.getByLabel('Issuer').fill(`${provider.url}/nowhere`);
  await form.getByLabel('Client id').fill(client.id);
  await form.getByLabel('Client secret').fill(client.secret);
  await form.getByLabel('Domains that may join').first().fill('example.com');
  await form.getByLabel('Domains that may join').first().press('Enter');
  await form.getByRole('button', { name: 'Create the provider' }).click();
  await expect(form.getByLabel('Issuer')).toHaveAttribute('aria-invalid', 'true');
  await form.getByLabel('Issuer').fill(provider.url);
  await form.getByRole('button', { name: 'Create the provider' }).click();
  const made = page.getByRole('dialog', { name });
  await expect(made.getByLabel('Redirect address', { exact: true })).toHaveText(`${base}/t/${person.tenant}/oauth/${slug}/callback`);
});

test('a person of a domain that may join signs in with the provider and comes to the page that was asked for', async ({ browser }) => {
  await inFreshBrowser(browser, async (page) => {
    const backs: string[] = [];
    page.on('request', (request) => { if (request.url().includes('/callback?')) backs.push(request.url()); });
    await page.goto('/deliveries');
    await page.getByLabel('Tenant').fill(person.tenant);
    await page.getByRole('link', { name: `Continue with ${name}` }).click();
    await page.getByPlaceholder('Enter any login').fill('grace@example.com');
    await page.getByPlaceholder('and password').fill('anything');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await expect(page).toHaveURL(`${base}/deliveries`);
    await expect(page.getByRole('heading', { name: 'Deliveries', level: 1 })).toBeVisible();
    await expect(page.getByText('Grace Hopper')).toBeVisible();
    // The way back works once, also in this very browser.
    expect(backs).toHaveLength(1);
    await page.goto(backs[0] ?? '');
    await expect(page.getByRole('alert')).toContainText('took too long, or was used already');
  });
});

test('what was begun in another browser signs nobody in here', async ({ browser }) => {
  await inFreshBrowser(browser, async (attacker) => {
    const states = statesOf(attacker);
    await attacker.goto(`/t/${person.tenant}/oauth/${slug}/start?next=/leads`);
    await expect(attacker.getByPlaceholder('Enter any login')).toBeVisible();
    expect(states[0]).toHaveLength(43);
    await inFreshBrowser(browser, async (victim) => {
      // With a sign-in of its own under way, too.
      await victim.goto(`/t/${person.tenant}/oauth/${slug}/start?next=/leads`);
      await victim.goto(`/t/${person.tenant}/oauth/${slug}/callback?code=stolen&state=${states[0] ?? ''}&iss=${encodeURIComponent(provider.url)}`);
      await expect(victim.getByRole('alert')).toContainText('took too long, or was used already');
      expect((await victim.context().cookies()).filter(({ name: cookie }) => cookie.includes('session'))).toEqual([]);
    });
  });
});

test('an answer in another provider’s name is refused before its code is used', async ({ browser }) => {
  await inFreshBrowser(browser, async (page) => {
    const states = statesOf(page);
    await page.goto(`/t/${person.tenant}/oauth/${slug}/start?next=/leads`);
    await page.goto(`/t/${person.tenant}/oauth/${slug}/callback?code=x&state=${states[0] ?? ''}&iss=https://evil.example`);
    await expect(page.getByRole('alert')).toContainText('did not answer as it should');
  });
});

for (const [login, words] of [
  ['eve@elsewhere.example', 'Ask an administrator for an invitation'],
  ['unverified@example.com', 'has not verified your e-mail address'],
] as const) {
  test(`${login} is not let in, and told why`, async ({ browser }) => {
    await inFreshBrowser(browser, async (page) => {
      await atProvider(page, login);
      await expect(page.getByRole('alert')).toContainText(words);
      await page.goto('/leads');
      await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
    });
  });
}

test('who declines at the provider is told so', async ({ browser }) => {
  await inFreshBrowser(browser, async (page) => {
    await page.goto(`/sign-in?tenant=${person.tenant}`);
    await page.getByRole('link', { name: `Continue with ${name}` }).click();
    await page.getByRole('link', { name: 'Cancel' }).click();
    await expect(page.getByRole('alert')).toContainText('was cancelled');
  });
});
