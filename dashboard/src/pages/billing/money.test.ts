import { expect, test } from 'vitest';
import { formatMoney, periodName, recentMonths } from './money';

test('amounts are shown in their currency', () => {
  expect(formatMoney('1234.50', 'USD')).toBe('$1,234.50');
  expect(formatMoney('-4.00', 'USD')).toBe('-$4.00');
  expect(formatMoney('500', 'JPY')).toBe('¥500');
  expect(formatMoney(null, 'USD')).toBe('–');
});

test('months go back over the year', () => {
  expect(recentMonths(3, new Date('2026-01-31T23:00:00Z'))).toEqual(['2026-01', '2025-12', '2025-11']);
  expect(periodName('2026-10')).toBe('October 2026');
  expect(periodName('2026-Q4')).toBe('2026-Q4');
});
