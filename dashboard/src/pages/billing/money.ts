/** Amounts come as exact decimals in text; here they are only shown. */

const formatters = new Map<string, Intl.NumberFormat>();

/** ('1234.50', 'USD') → "$1,234.50". */
export function formatMoney(amount: string | null | undefined, currency: string): string {
  if (amount === null || amount === undefined) return '–';
  let formatter = formatters.get(currency);
  if (!formatter) {
    formatter = new Intl.NumberFormat('en-US', { style: 'currency', currency });
    formatters.set(currency, formatter);
  }
  return formatter.format(Number(amount));
}

/** The months up to this one, the latest first, as periods: "2026-11", "2026-10", … */
export function recentMonths(count: number, now = new Date()): string[] {
  return Array.from({ length: count }, (_, back) => {
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
    return month.toISOString().slice(0, 7);
  });
}

const monthName = new Intl.DateTimeFormat('en-US', { month: 'long', year: 'numeric', timeZone: 'UTC' });

/** "2026-10" → "October 2026"; quarters and weeks stay as they are. */
export function periodName(period: string): string {
  return /^\d{4}-\d{2}$/.test(period) ? monthName.format(new Date(`${period}-01T00:00:00Z`)) : period;
}
