import type { Look } from '../../components/status';
import type { DifferenceKind, DifferenceState, ReconciliationState } from '../../gql/graphql';

export const runStates: Readonly<Record<ReconciliationState, Look>> = {
  RUNNING: { label: 'Running', tone: 'busy' },
  DONE: { label: 'Done', tone: 'good' },
  FAILED: { label: 'Failed', tone: 'bad' },
};

export const differenceStates: Readonly<Record<DifferenceState, Look>> = {
  OPEN: { label: 'Open', tone: 'bad' },
  RESENDING: { label: 'Sent again', tone: 'busy' },
  RESOLVED: { label: 'Resolved', tone: 'good' },
  ACCEPTED: { label: 'Accepted', tone: 'calm' },
};

/** A kind of difference: its name, and what it means to the person who looks at it. */
export const differenceKinds: Readonly<Record<DifferenceKind, { label: string; meaning: string }>> = {
  MATCHED: { label: 'Matched', meaning: 'Both sides have it and say the same.' },
  MISMATCHED: { label: 'Fields differ', meaning: 'Both sides have it and differ in a field.' },
  MISSING: { label: 'Missing there', meaning: 'It was handed over and is not in their list.' },
  UNCONFIRMED: { label: 'There, not confirmed', meaning: 'They have it, and our record does not call it delivered.' },
  DUPLICATED: { label: 'Twice there', meaning: 'A second record of a lead that they have already.' },
  REJECTED_PRESENT: { label: 'Refused, yet there', meaning: 'We refused this record, and they have it.' },
  DUPLICATE_DELIVERED: { label: 'Duplicate, yet there', meaning: 'We held this record back as a duplicate, and they have it.' },
  UNEXPECTED: { label: 'Unexpected', meaning: 'It carries our mark, and we never had it.' },
  EXTRA_KNOWN: { label: 'Theirs alone', meaning: 'Entered there by hand or by another system.' },
};

/** The kinds that are differences, in the order in which they are shown. */
export const listedKinds: readonly DifferenceKind[] = [
  'MISSING', 'MISMATCHED', 'UNCONFIRMED', 'DUPLICATED', 'REJECTED_PRESENT', 'DUPLICATE_DELIVERED', 'UNEXPECTED',
];
