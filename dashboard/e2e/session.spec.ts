import { expect, test } from '@playwright/test';
import { fillIn, person, signIn } from './session';

test('a wrong password is refused with words, and the right one goes on to the page that was asked for', async ({ page }) => {
  await page.goto('/deliveries?state=FAILED');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await fillIn(page, 'not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('You are not signed in');
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/deliveries\?state=FAILED$/);
  await expect(page.getByRole('heading', { name: 'Deliveries', level: 1 })).toBeVisible();
});

test('signing in needs no mouse, and the tenant is remembered', async ({ page }) => {
  await page.goto('/sign-in');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Tenant')).toBeFocused();
  await page.keyboard.type(person.tenant);
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await page.keyboard.type(person.email);
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Password', { exact: true })).toBeFocused();
  await page.keyboard.type(person.password);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Leads', level: 1 })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.context().clearCookies();
  await page.goto('/sign-in');
  await expect(page.getByLabel('Tenant')).toHaveValue(person.tenant);
});

test('a session survives a reload and ends with sign out', async ({ page }) => {
  await signIn(page);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Leads', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await page.goto('/leads');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});
