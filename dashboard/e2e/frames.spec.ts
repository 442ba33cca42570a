import { expect, test, type Browser, type Page } from '@playwright/test';
import { args, executablePath } from './browser';
import { startCrm, type Running } from './servers';
import { fillIn, signIn } from './session';

const base = process.env.BATON_URL ?? 'http://127.0.0.1:8080';
const name = `Leads tab ${Date.now()}`;
let crm: Running;
let stranger: Running;
let link = '';

// As browsers will be: no cookies of other sites, other than partitioned ones.
test.use({ launchOptions: { executablePath, args: [...args, '--test-third-party-cookie-phaseout'] } });
test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  [crm, stranger] = [await startCrm(() => link), await startCrm(() => link)];
});
test.afterAll(async () => { await Promise.all([crm.close(), stranger.close()]); });

async function inFreshBrowser(browser: Browser, work: (page: Page) => Promise<void>) {
  const context = await browser.newContext({ baseURL: base });
  await work(await context.newPage());
  await context.close();
}

const frameOf = (page: Page) => page.frameLocator('iframe[title="Baton"]');

test('an administrator lets a site show Baton, makes a link, and sees it in a preview', async ({ page }) => {
  await signIn(page, '/settings/embedding');
  await page.getByLabel('Origins').first().fill('http://localhost/with/a/path');
  await page.getByLabel('Origins').first().press('Enter');
  await page.getByRole('button', { name: 'Save the list' }).click();
  await expect(page.getByText('each must be an origin')).toBeVisible();
  await page.getByLabel('Origins').first().press('Backspace');
  await page.getByLabel('Origins').first().fill(crm.url);
  await page.getByLabel('Origins').first().press('Enter');
  await page.getByRole('button', { name: 'Save the list' }).click();
  await expect(page.getByText('The list of sites was saved.')).toBeVisible();

  await page.goto('/settings/links');
  await page.getByRole('button', { name: 'New link' }).click();
  const form = page.getByRole('dialog', { name: 'New link' });
  await form.getByLabel(/^Name/).fill(name);
  await form.getByRole('button', { name: 'Create the link' }).click();
  const made = page.getByRole('dialog', { name });
  link = await made.getByLabel('Address', { exact: true }).innerText();
  expect(link).toMatch(/\/r\/[\w-]{49}$/);
  await made.getByRole('button', { name: 'Show a preview' }).click();
  await expect(page.frameLocator(`iframe[title="Preview of ${name}"]`).getByRole('heading', { name: 'Leads', level: 1 })).toBeVisible();
});

test('in the CRM a person signs in once, in a window of its own, and stays signed in there', async ({ browser }) => {
  await inFreshBrowser(browser, async (page) => {
    await page.goto(crm.url);
    const opened = page.waitForEvent('popup');
    await frameOf(page).getByRole('button', { name: 'Sign in' }).click();
    const popup = await opened;
    await fillIn(popup);
    await popup.getByRole('button', { name: 'Sign in' }).click();
    const leads = frameOf(page).getByRole('heading', { name: 'Leads', level: 1 });
    await expect(leads).toBeVisible();
    await expect.poll(() => popup.isClosed()).toBe(true);

    const cookies = await page.context().cookies();
    const inFrame = cookies.filter(({ name: cookie }) => cookie.startsWith('__Host-baton_frame'));
    expect(inFrame.map(({ secure, sameSite }) => ({ secure, sameSite }))).toEqual([{ secure: true, sameSite: 'None' }, { secure: true, sameSite: 'None' }]);
    expect(inFrame.every((cookie) => 'partitionKey' in cookie)).toBe(true);

    await page.reload();
    await expect(leads).toBeVisible();
    await frameOf(page).getByRole('table', { name: 'Leads, newest first' }).getByRole('row').nth(1).getByRole('link').click();
    await expect(frameOf(page).getByRole('region', { name: 'Journey' })).toBeVisible();
  });
});

test('where the window does not know the frame, its code is typed', async ({ browser }) => {
  await inFreshBrowser(browser, async (page) => {
    await page.goto(crm.url);
    const opened = page.waitForEvent('popup');
    await frameOf(page).getByRole('button', { name: 'Sign in' }).click();
    const popup = await opened;
    await popup.waitForURL('**/sign-in?**');
    const other = await page.context().newPage();
    await other.goto(popup.url());
    await popup.close();
    await fillIn(other);
    await other.getByRole('button', { name: 'Sign in' }).click();
    const code = await other.getByLabel('Code for the page in your CRM').innerText();
    await frameOf(page).getByLabel('Code from the other window').fill(code.toLowerCase());
    await frameOf(page).getByRole('button', { name: 'Use it' }).click();
    await expect(frameOf(page).getByRole('heading', { name: 'Leads', level: 1 })).toBeVisible();
  });
});

test('another site cannot show it, and a revoked link opens nowhere, at once', async ({ browser, page: admin }) => {
  await inFreshBrowser(browser, async (page) => {
    const refusals: string[] = [];
    page.on('console', (message) => { if (message.text().includes('frame-ancestors')) refusals.push(message.text()); });
    await page.goto(stranger.url);
    await expect.poll(() => refusals.length).toBeGreaterThan(0);
    await expect(frameOf(page).getByRole('button', { name: 'Sign in' })).toHaveCount(0);
  });
  await signIn(admin, '/settings/links');
  await admin.getByRole('button', { name }).click();
  await admin.getByRole('button', { name: 'Revoke this link' }).click();
  await admin.getByRole('dialog', { name: `Revoke ${name}?` }).getByRole('button', { name: 'Revoke' }).click();
  await expect(admin.getByText('opens no more.')).toBeVisible();
  await inFreshBrowser(browser, async (page) => {
    await page.goto(crm.url);
    await expect(frameOf(page).getByText('This link is not valid any more')).toBeVisible();
  });
});
