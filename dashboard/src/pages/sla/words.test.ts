import { describe, expect, it } from 'vitest';
import { weekHours } from './words';

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
