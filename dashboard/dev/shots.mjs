// Screenshots of every page against a running server, with an accessibility check:
//   node dev/shots.mjs [name …]        (BATON_URL, default http://127.0.0.1:8080; into shots/)
// A console error, a breach of the security policy or a serious axe violation ends it with 1.

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from '@playwright/test';

const url = process.env.BATON_URL ?? 'http://127.0.0.1:8080';
const widths = (process.env.WIDTHS ?? '1440,1024,400').split(',').map(Number);
const schemes = (process.env.SCHEMES ?? 'light,dark').split(',');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function firstHref(page, path, prefix) {
  await page.goto(url + path);
  const link = page.locator(`main a[href^="${prefix}"]`).first();
  await link.waitFor();
  return link.getAttribute('href');
}

const pages = [
  ['leads', () => '/leads'],
  ['leads-none', () => '/leads?search=nobody'],
  ['lead', (page) => firstHref(page, '/leads?status=FAILED', '/leads/')],
  ['imports', () => '/imports'],
  ['import', async (page) => {
    await page.goto(`${url}/imports`);
    return page.getByRole('link', { name: 'experian.csv' }).first().getAttribute('href');
  }],
  ['refused', () => '/imports/refused'],
  ['correct', (page) => firstHref(page, '/imports/refused', '/imports/refused?')],
  ['deliveries', () => '/deliveries'],
  ['delivery', (page) => firstHref(page, '/deliveries?state=FAILED', '/deliveries?')],
  ['sources', () => '/sources'],
  ['destinations', () => '/destinations'],
  ['destination', (page) => firstHref(page, '/destinations', '/destinations/')],
  ['responses', () => '/deliveries/responses'],
  ['crm', async (page) => `${await firstHref(page, '/destinations', '/destinations/')}/crm`],
  ['failed', () => '/failed'],
  ['reports', () => '/inbound'],
  ['suppression', () => '/suppression'],
  ['alerts', () => '/alerts'],
  ['sla', () => '/sla?span=month'],
  ['compact', () => '/sla/compact?span=month'],
  ['executive', () => '/sla/executive?span=month'],
  ['policies', () => '/sla/policies'],
  ['calendars', () => '/sla/calendars'],
  ['cases', () => '/sla/cases'],
  ['reconciliation', () => '/reconciliation'],
  ['run', (page) => firstHref(page, '/reconciliation', '/reconciliation/')],
  ['billing', () => '/billing'],
  ['plans', () => '/billing/plans'],
  ['period', (page) => firstHref(page, '/billing', '/billing/partners/')],
  ['report', (page) => firstHref(page, '/billing', '/billing/reports/')],
  ...['people', 'teams', 'roles', 'sign-in', 'links', 'embedding', 'keys', 'sessions', 'audit'].map((name) => [`settings-${name}`, () => `/settings/${name}`]),
  ['missing', () => '/nowhere'],
];

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
await mkdir('shots', { recursive: true });
let faults = 0;

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(globalThis.document, { resultTypes: ['violations'] }));
  for (const { id, impact, help, nodes } of violations) {
    if (impact === 'serious' || impact === 'critical') faults += 1;
    console.log(`${name}: ${impact} ${id} (${help})`, nodes.slice(0, 3).map(({ target, any }) => `${target.join(' ')} ${any[0]?.message ?? ''}`));
  }
}

const only = process.argv.slice(2);
for (const scheme of schemes) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: widths[0], height: 900 }, reducedMotion: 'reduce', bypassCSP: false });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() !== 'error' || message.text().includes('401')) return;
    faults += 1;
    console.log(`console at ${page.url()}: ${message.text().split('\n')[0]}`);
  });
  page.on('pageerror', (error) => { faults += 1; console.log(`error at ${page.url()}: ${error.message}`); });
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Tenant').waitFor();
  if (only.length === 0 || only.includes('sign-in')) {
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 });
      await page.screenshot({ path: `shots/sign-in-${width}-${scheme}.png` });
    }
    await check(page, `sign-in ${scheme}`);
  }
  await page.setViewportSize({ width: widths[0], height: 900 });
  await page.getByLabel('Tenant').fill(process.env.BATON_TENANT ?? 'acme');
  await page.getByLabel('E-mail').fill(process.env.BATON_EMAIL ?? 'demo@acme.example');
  await page.getByLabel('Password', { exact: true }).fill(process.env.BATON_PASSWORD ?? 'correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/leads');
  for (const [name, path] of pages) {
    if (only.length > 0 && !only.includes(name)) continue;
    try {
      const target = await path(page);
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        await page.goto(url + target);
        // Nothing waits for an answer any more; the streams of a live page never end.
        await page.locator('h1').waitFor();
        await page.waitForFunction(() => globalThis.document.querySelector('[aria-busy="true"]') === null);
        await page.waitForTimeout(350);
        const overflow = await page.evaluate(() => globalThis.document.documentElement.scrollWidth - globalThis.document.documentElement.clientWidth);
        if (overflow > 0) { faults += 1; console.log(`${name} at ${width}: ${overflow} px wider than the window`); }
        await page.screenshot({ path: `shots/${name}-${width}-${scheme}.png`, fullPage: !['correct', 'delivery'].includes(name) });
        if (width !== widths[1]) await check(page, `${name} ${width} ${scheme}`);
      }
    } catch (error) { faults += 1; console.log(`${name}: ${error.message.split('\n')[0]}`); }
  }
  await context.close();
}
await browser.close();
console.log(faults === 0 ? 'No faults.' : `${faults} faults.`);
process.exitCode = faults === 0 ? 0 : 1;
