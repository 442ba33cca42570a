const counts = new Intl.NumberFormat('en-US');
const oneDigit = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** 12345 → "12,345". */
export function formatCount(value: number): string {
  return counts.format(value);
}

/** Bytes in decimal units, as file managers show them: 1_530_000 → "1.5 MB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${oneDigit.format(value)} ${units[unit] ?? ''}`;
}

/** Milliseconds in the unit that reads best: 84 → "84 ms", 2_400 → "2.4 s", 75_000 → "1 min 15 s". */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${counts.format(Math.round(milliseconds))} ms`;
  if (milliseconds < 60_000) return `${oneDigit.format(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${counts.format(hours)} h` : `${counts.format(hours)} h ${minutes % 60} min`;
}

/** Share of a whole in percent; a whole of zero has no shares. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '0 %';
  const share = (part / whole) * 100;
  if (share > 0 && share < 0.1) return '< 0.1 %';
  return `${oneDigit.format(share)} %`;
}

/** "3035550101" and "+13035550101" → "(303) 555-0101"; other numbers stay as they are. */
export function formatPhone(phone: string): string {
  const match = /^(?:\+?1)?(\d{3})(\d{3})(\d{4})$/.exec(phone);
  return match ? `(${match[1] ?? ''}) ${match[2] ?? ''}-${match[3] ?? ''}` : phone;
}

/** A person's name, or what stands in when the source sent none. */
export function formatName(lead: { firstName?: string | null; lastName?: string | null }): string {
  const name = [lead.firstName, lead.lastName].filter(Boolean).join(' ');
  return name === '' ? 'No name' : name;
}

/** MISSING_CONTACT → "Missing contact", credit_score → "Credit score". */
export function humanise(name: string): string {
  const words = name.replaceAll(/[_-]+/g, ' ').trim().toLowerCase();
  return sentence(words);
}

/** A remark with a capital at its beginning: "nobody has reached the lead" → "Nobody has reached the lead". */
export function sentence(remark: string): string {
  return remark.charAt(0).toUpperCase() + remark.slice(1);
}

/** The singular or the plural with its count: (1, 'lead') → "1 lead". */
export function plural(count: number, singular: string, many = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : many}`;
}
