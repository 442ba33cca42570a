import { Button, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconRefresh } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { Confirm } from '../../components/confirm';
import { notifyDone, notifyError } from '../../components/notify';
import { graphql } from '../../gql';
import type { SubmissionFilter } from '../../gql/graphql';
import { formatCount, plural } from '../../lib/format';

const RetryFailedLeadsDocument = graphql(`
  mutation RetryFailedLeads($ids: [ID!]!, $inDoubt: Boolean! = false) {
    retryFailedLeads(ids: $ids, inDoubt: $inDoubt) { retried skipped inDoubt }
  }
`);

const RetryAllFailedLeadsDocument = graphql(`
  mutation RetryAllFailedLeads($filter: SubmissionFilter) { retryAllFailedLeads(filter: $filter) { retried inDoubt more } }
`);

interface Outcome {
  retried: number;
  skipped?: number;
  /** How many were left, as they may have arrived. */
  inDoubt: number;
}

function sentence({ retried, skipped = 0, inDoubt }: Outcome): string {
  const parts = [`${plural(retried, 'lead')} on the way again`];
  if (skipped > 0) parts.push(`${formatCount(skipped)} needed it no more`);
  if (inDoubt > 0) parts.push(`${formatCount(inDoubt)} left, as ${inDoubt === 1 ? 'it' : 'they'} may have arrived already`);
  return `${parts.join('; ')}.`;
}

/** Sends failed leads again. Those that may have arrived already are asked about, by `question`, before they go out a second time. */
export function useRetries(onDone: () => void) {
  const [{ fetching }, mutate] = useMutation(RetryFailedLeadsDocument);
  const [doubtful, setDoubtful] = useState<readonly string[]>([]);

  async function send(ids: readonly string[], inDoubt: boolean) {
    const { data, error } = await mutate({ ids: [...ids], inDoubt });
    if (error) notifyError(error);
    if (data) onDone();
    return data?.retryFailedLeads;
  }

  async function retry(ids: readonly string[]) {
    const outcome = await send(ids, false);
    if (!outcome) return;
    setDoubtful(outcome.inDoubt);
    if (outcome.inDoubt.length < ids.length) notifyDone(sentence({ ...outcome, inDoubt: outcome.inDoubt.length }));
  }

  async function sendAnyway() {
    const outcome = await send(doubtful, true);
    setDoubtful([]);
    if (outcome) notifyDone(sentence({ ...outcome, inDoubt: outcome.inDoubt.length }));
  }

  const question = (
    <Confirm
      opened={doubtful.length > 0} onClose={() => { setDoubtful([]); }} onConfirm={() => { void sendAnyway(); }} busy={fetching} danger
      title={doubtful.length === 1 ? 'Send it a second time?' : 'Send them a second time?'} action={`Send ${plural(doubtful.length, 'lead')} again`}
    >
      <Text size="sm">
        {doubtful.length === 1 ? 'This lead' : `These ${formatCount(doubtful.length)} leads`} may have arrived already, and the destination can neither be asked nor
        recognises a copy. Look there first. Open the lead to say that it arrived.
      </Text>
    </Confirm>
  );
  return { retrying: fetching, retry, question };
}

/** Sends all again that the filters find, after a question. */
export function RetryAll({ filter, narrowed, onDone }: { filter: SubmissionFilter; narrowed: boolean; onDone: () => void }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching }, mutate] = useMutation(RetryAllFailedLeadsDocument);
  async function confirm() {
    const { data, error } = await mutate({ filter });
    close();
    if (error) notifyError(error);
    if (!data) return;
    const { more, ...outcome } = data.retryAllFailedLeads;
    notifyDone(`${sentence(outcome)}${more ? ' There may be more: retry all once more.' : ''}`);
    onDone();
  }
  return (
    <>
      <Button size="xs" variant="default" leftSection={<IconRefresh size={14} aria-hidden="true" />} onClick={open}>Retry all</Button>
      <Confirm opened={asking} onClose={close} onConfirm={() => { void confirm(); }} busy={fetching} title="Retry all failed leads?" action="Retry all">
        <Text size="sm">
          Every failed or held lead{narrowed ? ' that fits the filters' : ''} is sent again, also beyond this page. One that may have arrived already is sent again only where a second copy does no harm; the others are left: each is a decision.
        </Text>
      </Confirm>
    </>
  );
}
