import { expect, type Browser, type Page } from '@playwright/test';
import { client, startIdentityProvider, startPlainProvider, type Running } from './servers';
import { person, signIn, test } from './session';

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

test('people sign in with a plain OAuth 2.0 provider, whose endpoints are entered by hand', async ({ page: admin, browser }) => {
  const plainSlug = `plain-${Date.now()}`;
  const plainName = `Plain ${plainSlug}`;
  const plain = await startPlainProvider(`${base}/t/${person.tenant}/oauth/${plainSlug}/callback`);
  try {
    await signIn(admin, '/settings/sign-in');
    await admin.getByRole('button', { name: 'New provider' }).click();
    const form = admin.getByRole('dialog', { name: 'New provider' });
    await form.getByRole('textbox', { name: 'Kind' }).click();
    await admin.getByRole('option', { name: /OAuth 2\.0/ }).click();
    await form.getByLabel(/^Name/).fill(plainName);
    await form.getByLabel('Short name').fill(plainSlug);
    await form.getByLabel('Issuer').fill(plain.url);
    await form.getByLabel('Client id').fill(client.id);
    await form.getByLabel('Client secret').fill(client.secret);
    await form.getByLabel('Authorization address').fill(`${plain.url}/auth`);
    await form.getByLabel('Token address').fill(`${plain.url}/token`);
    await form.getByLabel('User-info address').fill(`${plain.url}/me`);
    await form.getByLabel('Domains that may join').first().fill('example.com');
    await form.getByLabel('Domains that may join').first().press('Enter');
    await form.getByRole('button', { name: 'Create the provider' }).click();
    await expect(admin.getByRole('dialog', { name: plainName })).toBeVisible();

    const enter = async (page: Page, login: string) => {
      await page.goto(`/sign-in?tenant=${person.tenant}`);
      await page.getByRole('link', { name: `Continue with ${plainName}` }).click();
      await page.getByPlaceholder('Enter any login').fill(login);
      await page.getByPlaceholder('and password').fill('anything');
      await page.getByRole('button', { name: 'Sign-in' }).click();
      await page.getByRole('button', { name: 'Continue' }).click();
    };
    await inFreshBrowser(browser, async (page) => {
      await enter(page, 'linus@example.com');
      await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
      await expect(page.getByText('Grace Hopper')).toBeVisible();
    });
    await inFreshBrowser(browser, async (page) => {
      await enter(page, 'unverified-plain@example.com');
      await expect(page.getByRole('alert')).toContainText('has not verified your e-mail address');
    });
    expect(plain.asked).toContain('/me');
    expect(plain.asked.filter((path) => path.startsWith('/.well-known/') || path === '/jwks')).toEqual([]);
  } finally {
    await plain.close();
  }
});
