// Screenshots of moments that no address leads to: a running import, a menu, a secret, a member's view.
//   node dev/moments.mjs        (against the stand-in server; into shots/)

import { chromium } from '@playwright/test';

const url = process.env.BATON_URL ?? 'http://127.0.0.1:8080';
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

async function open(email, width) {
  const page = await (await browser.newContext({ viewport: { width, height: 860 }, reducedMotion: 'reduce', colorScheme: 'light' })).newPage();
  page.on('console', (message) => { if (message.type() === 'error' && !message.text().includes('401')) console.log(message.text()); });
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Tenant').fill('acme');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/leads');
  return page;
}

const page = await open('demo@acme.example', 1280);
await page.goto(`${url}/imports`);
await page.getByRole('textbox', { name: 'Source' }).first().click();
await page.getByRole('option', { name: /Experian/ }).click();
await page.getByLabel('Files to import', { exact: true }).setInputFiles({ name: 'experian_2026-11-20.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n1,2\n') });
await page.getByRole('list', { name: 'Uploads' }).getByRole('link').waitFor();
await page.screenshot({ path: 'shots/moment-upload.png' });
await page.getByRole('list', { name: 'Uploads' }).getByRole('link').click();
await page.getByText('Progress').waitFor();
await page.waitForTimeout(600);
await page.screenshot({ path: 'shots/moment-running.png' });
await page.goto(`${url}/sources`);
await page.getByRole('button', { name: 'Account' }).click();
await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
await page.screenshot({ path: 'shots/moment-account.png' });
await page.keyboard.press('Escape');
await page.getByRole('button', { name: 'New source' }).click();
await page.getByLabel('Short name').fill(`fair-${Date.now()}`);
await page.getByRole('textbox', { name: 'Kind' }).click();
await page.getByRole('option', { name: /Generic/ }).click();
await page.getByLabel('Mapping').fill('{"fields": ');
await page.screenshot({ path: 'shots/moment-mapping.png' });
await page.getByLabel('Mapping').fill('{"fields": []}');
await page.getByRole('button', { name: 'Create the source' }).click();
await page.getByRole('dialog', { name: 'Source token' }).waitFor();
await page.waitForTimeout(300);
await page.screenshot({ path: 'shots/moment-secret.png' });

const member = await open('member@acme.example', 400);
await member.goto(`${url}/destinations`);
await member.getByRole('button', { name: 'Bonzo', exact: true }).click();
await member.getByText('Only an administrator can change this.').waitFor();
await member.screenshot({ path: 'shots/moment-member.png' });
await member.goto(`${url}/leads`);
await member.getByRole('button', { name: 'Open the menu' }).click();
await member.getByRole('dialog').getByRole('link', { name: 'Imports' }).waitFor();
await member.screenshot({ path: 'shots/moment-menu.png' });
await browser.close();
