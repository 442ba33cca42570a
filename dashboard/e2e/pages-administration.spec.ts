import { testPages } from './accessibility';

testPages([
  '/reconciliation', '/billing', '/billing/plans',
  '/settings/people', '/settings/teams', '/settings/roles', '/settings/sign-in', '/settings/links', '/settings/embedding', '/settings/keys', '/settings/sessions', '/settings/audit',
]);
