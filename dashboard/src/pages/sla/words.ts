import type { SlaStanding } from '../../gql/graphql';
import { formatDuration } from '../../lib/format';

export type Tone = 'good' | 'wait' | 'bad' | 'calm';

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

/** A clock's name as people say it. */
export function clockName(clock: string): string {
  if (clock === 'processing') return 'Processing (received to delivered)';
  if (clock === 'response') return 'Response (delivered to first contact)';
  const words = clock.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const standings: Readonly<Record<SlaStanding, { label: string; tone: 'good' | 'busy' | 'wait' | 'bad' | 'calm' }>> = {
  RUNNING: { label: 'Running', tone: 'busy' },
  AT_RISK: { label: 'At risk', tone: 'wait' },
  OVERDUE: { label: 'Overdue', tone: 'bad' },
  PAUSED: { label: 'Paused', tone: 'calm' },
};

export const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

/** Minutes as people write a target: 90 → "1 h 30 min". */
export function targetName(seconds: number): string {
  return lasting(seconds);
}
