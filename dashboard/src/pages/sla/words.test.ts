import { describe, expect, it } from 'vitest';
import { atLength, more, moreMoney, points, weekHours } from './words';

const office = (weekdays: readonly number[]) => weekdays.map((weekday) => ({ weekday, from: '09:00', until: '17:00' }));

describe('a week’s hours', () => {
  it.each([
    [office([1, 2, 3, 4, 5]), 'Mon–Fri 09:00–17:00'],
    [[...office([1, 2, 4]), { weekday: 6, from: '10:00', until: '12:00' }], 'Mon–Tue 09:00–17:00 · Thu 09:00–17:00 · Sat 10:00–12:00'],
    [[{ weekday: 7, from: '08:00', until: '12:00' }, { weekday: 7, from: '13:00', until: '18:00' }], 'Sun 08:00–12:00, 13:00–18:00'],
    [[], ''],
  ])('%#: neighbours that are alike stand together', (windows, text) => {
    expect(weekHours(windows)).toBe(text);
  });
});

describe('beside the span before', () => {
  it('shares differ by points, where both are known', () => {
    expect([points(0.921, 0.9), points(0.8, 0.9), points(0.9, 0.9), points(0.9, null), points(undefined, 0.9)])
      .toEqual(['+2.1 points', '−10.0 points', 'as before', '', '']);
  });

  it('counts differ by percent of what there was', () => {
    expect([more(15, 10), more(5, 10), more(10, 10), more(3, 0), more(0, 0), more(3, null)])
      .toEqual(['+50.0 %', '−50.0 %', 'as before', 'none before', 'as before', '']);
  });

  it('amounts differ in one and the same currency only', () => {
    const [ten, fifteen, euros] = [{ currency: 'USD', amount: '10.00' }, { currency: 'USD', amount: '15.00' }, { currency: 'EUR', amount: '15.00' }];
    expect([moreMoney([fifteen], [ten]), moreMoney([euros], [ten]), moreMoney([fifteen, euros], [ten]), moreMoney([], [ten])])
      .toEqual(['+50.0 %', '', '', '']);
  });

  it('a tile says it at length', () => {
    expect(['', 'as before', 'none before', '+2.1 points'].map(atLength))
      .toEqual(['nothing to compare with', 'as in the period before', 'nothing in the period before', '+2.1 points on the period before']);
  });
});
