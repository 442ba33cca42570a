import type { AttemptOutcome, Breaker, DeliveryState, FailedRecordState, ImportState, LeadStatus, SubmitOutcome } from '../gql/graphql';
import classes from './status.module.css';

export type Tone = 'good' | 'busy' | 'wait' | 'bad' | 'calm' | 'soft';

/** A state in a word, with the tone that repeats it. */
export interface Look {
  label: string;
  tone: Tone;
}

export const leadStatuses: Readonly<Record<LeadStatus, Look>> = {
  ACCEPTED: { label: 'Accepted', tone: 'calm' },
  PENDING: { label: 'On its way', tone: 'busy' },
  DELIVERED: { label: 'Delivered', tone: 'good' },
  HELD: { label: 'Held', tone: 'wait' },
  FAILED: { label: 'Failed', tone: 'bad' },
};

export const deliveryStates: Readonly<Record<DeliveryState, Look>> = {
  PENDING: { label: 'Waiting', tone: 'calm' },
  SENDING: { label: 'Sending', tone: 'busy' },
  DELIVERED: { label: 'Delivered', tone: 'good' },
  FAILED: { label: 'Failed', tone: 'bad' },
  HELD: { label: 'Held', tone: 'wait' },
  UNKNOWN: { label: 'Unknown', tone: 'wait' },
  REJECTED: { label: 'Not sent', tone: 'soft' },
};

export const importStates: Readonly<Record<ImportState, Look>> = {
  RECEIVED: { label: 'Received', tone: 'calm' },
  RUNNING: { label: 'Running', tone: 'busy' },
  DONE: { label: 'Done', tone: 'good' },
  FAILED: { label: 'Failed', tone: 'bad' },
  CANCELLED: { label: 'Cancelled', tone: 'wait' },
};

export const failedRecordStates: Readonly<Record<FailedRecordState, Look>> = {
  OPEN: { label: 'Open', tone: 'bad' },
  CORRECTED: { label: 'Corrected', tone: 'good' },
  DISMISSED: { label: 'Dismissed', tone: 'calm' },
};

export const attemptOutcomes: Readonly<Record<AttemptOutcome, Look>> = {
  DELIVERED: { label: 'Delivered', tone: 'good' },
  REFUSED: { label: 'Refused', tone: 'bad' },
  BARRED: { label: 'Not let in', tone: 'bad' },
  RETRYABLE: { label: 'To be tried again', tone: 'wait' },
  UNKNOWN: { label: 'Outcome unknown', tone: 'wait' },
};

export const breakers: Readonly<Record<Breaker, Look>> = {
  CLOSED: { label: 'Leads flow', tone: 'good' },
  OPEN: { label: 'No answer', tone: 'bad' },
  HELD: { label: 'Held', tone: 'wait' },
};

export const submitOutcomes: Readonly<Record<SubmitOutcome, Look>> = {
  ACCEPT: { label: 'Accepted', tone: 'good' },
  WARN: { label: 'Accepted with warnings', tone: 'wait' },
  UPDATE: { label: 'Updated a lead', tone: 'busy' },
  DUPLICATE: { label: 'Duplicate', tone: 'soft' },
  REJECT: { label: 'Refused again', tone: 'bad' },
};

export function Status({ label, tone }: Look) {
  return <span className={classes.status} data-tone={tone}>{label}</span>;
}

/** Whether something is in use. */
export function Enabled({ on }: { on: boolean }) {
  return on ? <Status label="Enabled" tone="good" /> : <Status label="Disabled" tone="calm" />;
}

/** A short remark beside a name. */
export function Tag({ tone = 'wait', children }: { tone?: Tone; children: string }) {
  return <span className={classes.tag} data-tone={tone}>{children}</span>;
}
