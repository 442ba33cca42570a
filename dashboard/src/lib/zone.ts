/** Times are UTC inside and in the tenant's zone on the screen. */

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string, kind: 'short' | 'shortYear' | 'full' | 'clock' | 'parts' | 'day'): Intl.DateTimeFormat {
  const key = `${zone}|${kind}`;
  const known = formatters.get(key);
  if (known) return known;
  const options: Record<typeof kind, Intl.DateTimeFormatOptions> = {
    short: { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' },
    shortYear: { year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' },
    full: {
      weekday: 'long', year: 'numeric', month: 'long', day: 'numeric',
      hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
    },
    clock: { hour: 'numeric', minute: '2-digit' },
    day: { month: 'short', day: 'numeric' },
    parts: {
      year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
    },
  };
  const made = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...options[kind] });
  formatters.set(key, made);
  return made;
}

/** "Nov 20, 9:41 AM"; with the year when it is not this one. */
export function formatTime(iso: string, zone: string, now: Date = new Date()): string {
  const at = new Date(iso);
  const sameYear = at.getUTCFullYear() === now.getUTCFullYear();
  return formatter(zone, sameYear ? 'short' : 'shortYear').format(at);
}

/** "Friday, November 20, 2026 at 9:41:07 AM MST". */
export function formatFullTime(iso: string, zone: string): string {
  return formatter(zone, 'full').format(new Date(iso));
}

const calendarDay = new Intl.DateTimeFormat('en-US', { timeZone: 'UTC', year: 'numeric', month: 'short', day: 'numeric' });

/** A day of the calendar, of no zone: "2019-03-15" → "Mar 15, 2019". */
export function formatCalendarDay(day: string): string {
  return calendarDay.format(new Date(`${day}T00:00:00Z`));
}

/** "9:41 AM", for an axis that stays within a day. */
export function formatClock(iso: string, zone: string): string {
  return formatter(zone, 'clock').format(new Date(iso));
}

/** "Nov 20", for an axis of several days. */
export function formatDay(iso: string, zone: string): string {
  return formatter(zone, 'day').format(new Date(iso));
}

/** What the zone's clocks show at this instant, as if it were UTC, in milliseconds. */
function wallClock(instant: number, zone: string): number {
  const parts = Object.fromEntries(
    formatter(zone, 'parts').formatToParts(new Date(instant)).map((part) => [part.type, Number(part.value)]),
  );
  return Date.UTC(
    parts.year ?? 0, (parts.month ?? 1) - 1, parts.day ?? 1, parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0,
  );
}

/**
 * The instant at which a zone's clocks show a local time ("2026-11-20T15:00", as a form's field holds it). A time that
 * daylight saving skips is the first instant after the gap.
 */
export function instantOf(local: string, zone: string): string {
  const wanted = Date.parse(`${local}Z`);
  const guess = wanted - (wallClock(wanted, zone) - wanted);
  // The offset at the guess can differ from the one that it was made with: a second step settles it,
  // unless that time does not exist, and then it is the later of the two.
  const settled = guess - (wallClock(guess, zone) - wanted);
  const instant = wallClock(settled, zone) === wanted ? settled : Math.max(guess, settled);
  return new Date(instant).toISOString();
}

/** What a zone's clocks show at an instant, as a form's field for date and time holds it. */
export function localTime(iso: string, zone: string): string {
  return new Date(wallClock(Date.parse(iso), zone)).toISOString().slice(0, 16);
}

/** The instant at which a calendar day ("2026-11-20") begins in a zone. */
export function startOfDay(day: string, zone: string): string {
  return instantOf(`${day}T00:00`, zone);
}

/** The calendar day after: "2026-11-30" → "2026-12-01". */
export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}
