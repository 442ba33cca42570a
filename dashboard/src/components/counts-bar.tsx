import { formatCount, formatShare } from '../lib/format';
import classes from './counts-bar.module.css';
import type { Tone } from './status';

export interface Outcomes {
  records: number;
  accepted: number;
  warned: number;
  updated: number;
  duplicates: number;
  rejected: number;
  skipped: number;
}

const parts: readonly { key: Exclude<keyof Outcomes, 'records'>; label: string; tone: Tone }[] = [
  { key: 'accepted', label: 'Accepted', tone: 'good' },
  { key: 'warned', label: 'Accepted with warnings', tone: 'wait' },
  { key: 'updated', label: 'Updated a lead', tone: 'busy' },
  { key: 'duplicates', label: 'Duplicates', tone: 'soft' },
  { key: 'rejected', label: 'Refused', tone: 'bad' },
  { key: 'skipped', label: 'Skipped', tone: 'calm' },
];

/** The outcomes as one bar, for the eye only: the table says the same in figures. */
export function OutcomeBar({ counts, slim = false }: { counts: Outcomes; slim?: boolean }) {
  return (
    <div className={classes.bar} data-slim={slim || undefined} aria-hidden="true">
      {parts.filter(({ key }) => counts[key] > 0).map(({ key, tone }) => (
        <span key={key} data-tone={tone} style={{ flexGrow: counts[key] }} />
      ))}
    </div>
  );
}

export function OutcomeTable({ counts }: { counts: Outcomes }) {
  return (
    <table className={classes.table}>
      <caption className="visually-hidden">Records by outcome</caption>
      <thead className="visually-hidden">
        <tr><th scope="col">Outcome</th><th scope="col">Records</th><th scope="col">Share</th></tr>
      </thead>
      <tbody>
        {parts.map(({ key, label, tone }) => (
          <tr key={key}>
            <th scope="row"><span className={classes.key} data-tone={tone} aria-hidden="true" />{label}</th>
            <td>{formatCount(counts[key])}</td>
            <td className="quiet">{formatShare(counts[key], counts.records)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
