import { describe, expect, it } from 'vitest';
import { assignReasons } from './faults';
import { fieldText, groupDetails } from './fields';
import { formatBytes, formatDuration, formatName, formatPhone, formatShare, humanise, plural } from './format';
import { dayAfter, formatFullTime, formatTime, instantOf, localTime, startOfDay } from './zone';

describe('format', () => {
  it.each([
    [0, '0 B'], [999, '999 B'], [1000, '1 kB'], [1_530_000, '1.5 MB'], [2_000_000_000, '2 GB'],
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0 ms'], [84.4, '84 ms'], [2400, '2.4 s'], [75_000, '1 min 15 s'], [120_000, '2 min'], [5_400_000, '1 h 30 min'],
  ])('shows %d ms as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it.each([
    ['3035550101', '(303) 555-0101'], ['+13035550101', '(303) 555-0101'], ['+442079460958', '+442079460958'],
  ])('shows phone %s as %s', (phone, text) => {
    expect(formatPhone(phone)).toBe(text);
  });

  it('shows shares, also of nothing', () => {
    expect(formatShare(1, 3)).toBe('33.3 %');
    expect(formatShare(1, 100_000)).toBe('< 0.1 %');
    expect(formatShare(0, 0)).toBe('0 %');
  });

  it('names people and codes', () => {
    expect(formatName({ firstName: 'Alma', lastName: null })).toBe('Alma');
    expect(formatName({})).toBe('No name');
    expect(humanise('MISSING_CONTACT')).toBe('Missing contact');
    expect(plural(1, 'lead')).toBe('1 lead');
    expect(plural(1200, 'delivery', 'deliveries')).toBe('1,200 deliveries');
  });
});

describe('zone', () => {
  it.each([
    ['2026-11-20', 'America/Denver', '2026-11-20T07:00:00.000Z'],
    ['2026-07-01', 'America/Denver', '2026-07-01T06:00:00.000Z'],
    // The day on which clocks change still begins in the former offset.
    ['2026-03-08', 'America/New_York', '2026-03-08T05:00:00.000Z'],
    ['2026-11-01', 'America/New_York', '2026-11-01T04:00:00.000Z'],
    ['2026-11-20', 'Asia/Kolkata', '2026-11-19T18:30:00.000Z'],
    // Clocks change between midnight and noon, where the first guess lies.
    ['2026-09-27', 'Pacific/Auckland', '2026-09-26T12:00:00.000Z'],
    // Midnight is skipped: the day begins at one.
    ['2026-09-06', 'America/Santiago', '2026-09-06T04:00:00.000Z'],
    ['2026-11-20', 'UTC', '2026-11-20T00:00:00.000Z'],
  ])('%s begins in %s at %s', (day, zone, instant) => {
    expect(startOfDay(day, zone)).toBe(instant);
  });

  it.each([
    ['2026-11-28T15:00', 'America/Denver', '2026-11-28T22:00:00.000Z'],
    ['2026-07-04T09:30', 'Asia/Kolkata', '2026-07-04T04:00:00.000Z'],
  ])('%s on a form in %s is %s, and is shown so again', (local, zone, instant) => {
    expect(instantOf(local, zone)).toBe(instant);
    expect(localTime(instant, zone)).toBe(local);
  });

  it('knows the next day across months and leap years', () => {
    expect(dayAfter('2026-11-30')).toBe('2026-12-01');
    expect(dayAfter('2028-02-28')).toBe('2028-02-29');
  });

  it('shows the year only when it is another one', () => {
    const now = new Date('2026-11-20T12:00:00Z');
    expect(formatTime('2026-11-20T16:41:07Z', 'America/Denver', now)).toBe('Nov 20, 9:41 AM');
    expect(formatTime('2025-11-20T16:41:07Z', 'America/Denver', now)).toBe('Nov 20, 2025, 9:41 AM');
    expect(formatFullTime('2026-11-20T16:41:07Z', 'America/Denver')).toContain('9:41:07 AM MST');
  });
});

describe('fields', () => {
  it.each([
    ['mortgage_balance', '250000.00', '$250,000.00'], ['mortgage_rate', 4.25, '4.25 %'], ['credit_score', 712, '712'],
    ['mortgage_open_date', '2019-03-15', 'Mar 15, 2019'], ['cash_out', false, 'No'],
    ['property_value', 'about 300', 'about 300'],
  ])('shows %s %s as %s', (name, value, text) => {
    expect(fieldText(name, value)).toBe(text);
  });

  it('groups what it knows and keeps what it does not', () => {
    const grouped = groupDetails({ favourite_colour: 'blue', credit_score: 712 });
    expect(grouped.map(({ group }) => group)).toEqual(['Credit', 'Other details']);
    expect(grouped[1]?.entries[0]?.label).toBe('Favourite colour');
    expect(groupDetails(null)).toEqual([]);
  });
});

describe('faults', () => {
  const values = ['First Name', 'Telephone # 1', 'Telephone # 1 (2)', 'Zip Code'].map((column) => ({ column }));
  const contact = { field: 'record', code: 'MISSING_CONTACT', message: 'No phone and no e-mail.', columns: ['Telephone # 1', 'Telephone # 1 (2)'] };
  const zip = { field: 'zip', code: 'INVALID_ZIP', message: 'Not a ZIP code.', value: '8O202', columns: ['Zip Code', 'Telephone # 1'] };

  it('marks every column that a reason speaks of, by its first reason', () => {
    const { byColumn, others } = assignReasons(values, [contact, zip]);
    expect([...byColumn.entries()]).toEqual([[1, contact], [2, contact], [3, zip]]);
    expect(others).toEqual([]);
  });

  it('marks the blank input of a value that the record lacks', () => {
    const required = { field: 'state', code: 'INVALID_FIELD', message: 'The field is required and blank.', columns: ['address.state'] };
    const blank = [{ column: 'name', value: 'Fay' }, { column: 'address.state', value: '' }];
    expect([...assignReasons(blank, [required]).byColumn.entries()]).toEqual([[1, required]]);
  });

  it('keeps reasons that speak of no column, or of none that is there', () => {
    const whole = { field: 'record', code: 'MALFORMED_ROW', message: 'Too many cells.', columns: [] };
    const unknown = { field: 'zip', code: 'INVALID_ZIP', message: 'Not a ZIP code.', columns: null };
    const elsewhere = { ...zip, columns: ['Postcode'] };
    expect(assignReasons(values, [whole, unknown, elsewhere]).others).toEqual([whole, unknown, elsewhere]);
  });
});
