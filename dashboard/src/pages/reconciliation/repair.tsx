import { Alert, Button, Progress, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAlertCircle, IconSearch, IconSend } from '@tabler/icons-react';
import { useCallback, useEffect, useRef } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { notifyDone, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { DifferenceStandingQuery } from '../../gql/graphql';
import { formatCount, plural, sentence } from '../../lib/format';
import { useAskedAgain } from './asked-again';
import classes from './reconciliation.module.css';

const StandingDocument = graphql(`
  query DifferenceStanding($destinationId: ID!) {
    differenceStanding(destinationId: $destinationId) {
      open resending resolved accepted
      proof { state error total found absent waiting finishedAt }
    }
    missing: differences(first: 1, filter: { destinationId: $destinationId, states: [OPEN], kinds: [MISSING] }) { totalCount }
  }
`);

export const ResendDocument = graphql(`
  mutation ResendDifferences($input: ResendDifferencesInput!) {
    resendDifferences(input: $input) { resent error { field code message } }
  }
`);

const ProveDocument = graphql(`
  mutation ProveDifferences($destinationId: ID!) {
    proveDifferences(destinationId: $destinationId) { proof { state } error { field code message } }
  }
`);

type Proof = NonNullable<NonNullable<DifferenceStandingQuery['differenceStanding']>['proof']>;

interface Props {
  destinationId: string;
  /** Counts what was changed anywhere on the page. */
  changes: number;
  onChange: () => void;
}

/** Where the destination's differences stand, live while leads are on their way again or looked up. */
export function Repair({ destinationId, changes, onChange }: Props) {
  const writes = useMay('reconciliation:write');
  const [{ data, error }, ask] = useQuery({ query: StandingDocument, variables: { destinationId } });
  const again = useCallback(() => { ask({ requestPolicy: 'network-only' }); }, [ask]);
  useAskedAgain(changes, again);
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching: sending }, resend] = useMutation(ResendDocument);
  const [{ fetching: asked }, prove] = useMutation(ProveDocument);
  const standing = data?.differenceStanding;
  const missing = data?.missing.totalCount ?? 0;
  const resending = standing?.resending ?? 0;
  const proof = standing?.proof;
  const proving = proof?.state === 'RUNNING';
  const live = resending > 0 || proving;
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(again, 2000);
    return () => { clearInterval(timer); };
  }, [live, again]);
  // What a proof or a resend settles is listed elsewhere on the page, which is told when one has ended.
  const before = useRef({ proving: false, resending: 0 });
  useEffect(() => {
    if ((before.current.proving && !proving) || before.current.resending > resending) onChange();
    before.current = { proving, resending };
  }, [proving, resending, onChange]);

  async function sendAll() {
    const payload = succeeded(await resend({ input: { destinationId } }), (answer) => answer.resendDifferences);
    close();
    if (!payload) return;
    notifyDone(`${plural(payload.resent ?? 0, 'lead')} on the way again.`);
    onChange();
  }

  async function lookUp() {
    if (succeeded(await prove({ destinationId }), (answer) => answer.proveDifferences)) again();
  }

  if (error && !standing) return <Panel title="Repair" flush><ErrorState error={error} onRetry={again} /></Panel>;
  if (!standing) return null;
  const total = standing.open + standing.resending + standing.resolved + standing.accepted;
  if (total === 0) return null;
  const settled = standing.resolved + standing.accepted;
  return (
    <Panel
      title="Repair" detail={`All differences of this destination: ${formatCount(settled)} of ${formatCount(total)} settled.`}
      actions={writes && (
        <>
          {resending > 0 && (
            <Button variant="default" loading={asked || proving} leftSection={<IconSearch size={16} aria-hidden="true" />} onClick={lookUp}>Look them up</Button>
          )}
          {missing > 0 && (
            <Button leftSection={<IconSend size={16} aria-hidden="true" />} onClick={open}>Send the missing again</Button>
          )}
        </>
      )}
    >
      <ul className={classes.tally} aria-label="Differences by state">
        <li data-bad={standing.open > 0}><strong>{formatCount(standing.open)}</strong> Open</li>
        <li><strong>{formatCount(standing.resending)}</strong> Sent again</li>
        <li><strong>{formatCount(standing.resolved)}</strong> Resolved</li>
        <li><strong>{formatCount(standing.accepted)}</strong> Accepted</li>
      </ul>
      <Progress value={(settled / total) * 100} animated={live} size="lg" aria-label="Part of the differences that is settled" />
      {proof && <ProofLine proof={proof} />}
      <Confirm opened={asking} onClose={close} onConfirm={sendAll} busy={sending} title="Send the missing leads again?" action="Send again">
        {plural(missing, 'lead')} {missing === 1 ? 'is' : 'are'} missing there. Where two people may have become one, a person decides first: those stay.
      </Confirm>
    </Panel>
  );
}

/** How far the lookup is, what the last one found, or why it ended early. */
function ProofLine({ proof }: { proof: Proof }) {
  const found = `${formatCount(proof.found)} found there, ${formatCount(proof.absent)} still missing, ${formatCount(proof.waiting)} on the way`;
  if (proof.state === 'RUNNING') {
    const done = proof.found + proof.absent + proof.waiting;
    return (
      <Text size="sm" c="dimmed" mt="xs" role="status">
        {proof.total === 0 ? 'Looking them up there' : `Looking them up there, ${formatCount(done)} of ${formatCount(proof.total)}: ${found}`}. The page may be closed.
      </Text>
    );
  }
  if (proof.state === 'FAILED') {
    return (
      <Alert color="red" variant="light" mt="xs" icon={<IconAlertCircle aria-hidden="true" />} title="Not all could be looked up">
        {sentence(proof.error ?? '')}. Before that: {found}.
      </Alert>
    );
  }
  return <Text size="sm" c="dimmed" mt="xs" role="status">Looked up <Time at={proof.finishedAt} />: {found}.</Text>;
}
