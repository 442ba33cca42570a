import type { Look, Tone } from '../../components/status';
import type { SlaBookingState, SlaStanding } from '../../gql/graphql';
import { formatDuration, humanise } from '../../lib/format';
import { formatMoney } from '../billing/money';


/** From a share in target to the word that colours repeat. */
export function toneOf(share: number | null | undefined): Tone {
  if (share === null || share === undefined) return 'calm';
  if (share >= 0.9) return 'good';
  return share >= 0.75 ? 'wait' : 'bad';
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(share < 0.9995 ? 1 : 0)} %`;
}

/** Seconds in the unit that reads best. */
export function lasting(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '–';
  const hours = seconds / 3600;
  return hours >= 48 ? `${(hours / 24).toFixed(1)} days` : formatDuration(seconds * 1000);
}

/** A clock's name as people say it, with what it counts. */
export function clockName(clock: string): string {
  if (clock === 'processing') return 'Processing (received to delivered)';
  if (clock === 'response') return 'Response (delivered to contacted)';
  return humanise(clock);
}

export const standings: Readonly<Record<SlaStanding, Look>> = {
  RUNNING: { label: 'Running', tone: 'busy' },
  AT_RISK: { label: 'At risk', tone: 'wait' },
  OVERDUE: { label: 'Overdue', tone: 'bad' },
  PAUSED: { label: 'Paused', tone: 'calm' },
};

export const bookingStates: Readonly<Record<SlaBookingState, Look>> = {
  REQUESTED: { label: 'Requested', tone: 'wait' },
  CONFIRMED: { label: 'Confirmed', tone: 'busy' },
  DONE: { label: 'Done', tone: 'good' },
  CANCELLED: { label: 'Cancelled', tone: 'calm' },
};

export const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

interface Hours { weekday: number; from: string; until: string }

/** A week's hours in a line, neighbours that are alike together: "Mon–Fri 09:00–17:00 · Sat 10:00–12:00". */
export function weekHours(windows: readonly Hours[]): string {
  const runs: { first: string; last: string; hours: string }[] = [];
  weekdays.forEach((weekday, index) => {
    const hours = windows.filter((window) => window.weekday === index + 1).map(({ from, until }) => `${from}–${until}`).join(', ');
    const day = weekday.slice(0, 3);
    const former = runs.at(-1);
    if (former?.hours === hours) former.last = day;
    else runs.push({ first: day, last: day, hours });
  });
  return runs.filter(({ hours }) => hours !== '').map(({ first, last, hours }) => `${first === last ? first : `${first}–${last}`} ${hours}`).join(' · ');
}

export interface Money { currency: string; amount: string }

/** Amounts of several sources as sums, a currency each. */
export function sums(all: readonly (readonly Money[])[]): Money[] {
  const by = new Map<string, number>();
  for (const { currency, amount } of all.flat()) by.set(currency, (by.get(currency) ?? 0) + Number(amount));
  return [...by].map(([currency, amount]) => ({ currency, amount: String(amount) }));
}

/** Amounts as people read them; a dash when nothing is known. */
export function money(amounts: readonly Money[]): string {
  return amounts.map(({ currency, amount }) => formatMoney(amount, currency)).join(' + ') || '–';
}

const same = 'as before';

function signed(value: number, unit: string): string {
  if (Math.abs(value) < 0.05) return same;
  return `${value > 0 ? '+' : '−'}${Math.abs(value).toFixed(1)} ${unit}`;
}

/** In few words: by how many points a share is more or less than in the span before; nothing where one of both is not known. */
export function points(now: number | null | undefined, before: number | null | undefined): string {
  if (now === null || now === undefined || before === null || before === undefined) return '';
  return signed((now - before) * 100, 'points');
}

/** In few words: by how many percent a count is more or less than in the span before. */
export function more(now: number | null | undefined, before: number | null | undefined): string {
  if (now === null || now === undefined || before === null || before === undefined) return '';
  if (before === 0) return now === 0 ? same : 'none before';
  return signed(((now - before) / before) * 100, '%');
}

/** The same of amounts, where both spans have one and the same currency. */
export function moreMoney(now: readonly Money[], before: readonly Money[]): string {
  const [one, other] = [now[0], before[0]];
  if (!one || !other || now.length > 1 || before.length > 1 || one.currency !== other.currency) return '';
  return more(Number(one.amount), Number(other.amount));
}

/** Few words at length, as a tile has room for. */
export function atLength(said: string): string {
  switch (said) {
    case '': return 'nothing to compare with';
    case same: return 'as in the period before';
    case 'none before': return 'nothing in the period before';
    default: return `${said} on the period before`;
  }
}
