import { testPages } from './accessibility';

testPages([
  '/leads', '/imports', '/imports/refused', '/deliveries', '/deliveries/responses', '/failed', '/inbound', '/suppression', '/alerts', '/sources', '/destinations',
  '/sla', '/sla/executive', '/sla/compact', '/sla/policies', '/sla/calendars', '/sla/cases',
]);
