import { Alert, Progress, Skeleton, Text } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import { useCallback, useEffect, useState } from 'react';
import { useParams } from 'react-router';
import { useQuery } from 'urql';
import { MissingPage } from '../../app/fallback-pages';
import { PageHeader } from '../../components/page-header';
import { Facts, Panel, panelClasses } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ReconciliationPhase, ReconciliationQuery } from '../../gql/graphql';
import { formatCount, plural, sentence } from '../../lib/format';
import { Differences } from './differences';
import classes from './reconciliation.module.css';
import { Repair } from './repair';
import { runStates } from './words';

const ReconciliationDocument = graphql(`
  query Reconciliation($id: ID!) {
    reconciliation(id: $id) {
      id destinationId destinationName fileName listHash since before channel asOf asOfKnown actor state error phase recordsRead tries createdAt finishedAt
      ours theirs skipped matched mismatched missing mergeSuspected unconfirmed duplicated unexpected extraKnown
      preExisting enriched optedOut differences
    }
  }
`);

const phases: Readonly<Record<ReconciliationPhase, string>> = {
  WAITING: 'Waiting to begin', FETCHING: 'Asking their API, page by page', READING: 'Reading their list', COMPARING: 'Comparing both sides',
};

type Run = NonNullable<ReconciliationQuery['reconciliation']>;

const back = { to: '/reconciliation', label: 'Reconciliation' };

export function ReconciliationPage() {
  const { id = '' } = useParams();
  const [{ data, error, fetching }, ask] = useQuery({ query: ReconciliationDocument, variables: { id } });
  const again = useCallback(() => { ask({ requestPolicy: 'network-only' }); }, [ask]);
  const [changes, setChanges] = useState(0);
  const changed = useCallback(() => {
    again();
    setChanges((count) => count + 1);
  }, [again]);
  const run = data?.reconciliation;
  const running = run?.state === 'RUNNING';
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(again, 1000);
    return () => { clearInterval(timer); };
  }, [running, again]);

  if (error && !run) return <><PageHeader title="Reconciliation" back={back} /><ErrorState error={error} onRetry={again} /></>;
  if (!run && !fetching) return <MissingPage />;
  if (!run) return <><PageHeader title="Reconciliation" back={back} /><Skeleton height={260} /></>;
  return (
    <>
      <PageHeader
        title={run.fileName ?? 'Their API'} tab="Reconciliation" back={back} badge={<Status {...runStates[run.state]} />}
        lead={<>Of {run.destinationName}, begun <Time at={run.createdAt} /></>}
      />
      <div className={panelClasses.stack}>
        {run.error && (
          <Alert color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />} title="The list could not be compared">
            {sentence(run.error)}. Nothing was judged by it.{run.tries > 1 && ` It was tried ${formatCount(run.tries)} times.`}
          </Alert>
        )}
        {running && (
          <Panel title={phases[run.phase ?? 'WAITING']} detail="The page may be closed, the comparison goes on, whichever server carries it.">
            <Progress value={100} animated size="lg" aria-label="The list is being compared" />
            <Text size="sm" c="dimmed" mt="xs" role="status">{plural(run.recordsRead, 'record')} of their list so far</Text>
          </Panel>
        )}
        {run.state === 'DONE' && <Outcome run={run} />}
        {run.state === 'DONE' && <Repair destinationId={run.destinationId} changes={changes} onChange={changed} />}
        {run.state === 'DONE' && <Differences run={run} changes={changes} onChange={changed} />}
      </div>
    </>
  );
}

function Outcome({ run }: { run: Run }) {
  const tally: readonly { label: string; count: number; bad?: boolean }[] = [
    { label: 'Ours, handed over', count: run.ours },
    { label: 'Theirs', count: run.theirs },
    { label: 'Matched', count: run.matched },
    { label: 'Fields differ', count: run.mismatched, bad: true },
    { label: 'Missing there', count: run.missing, bad: true },
    { label: 'Not confirmed', count: run.unconfirmed, bad: true },
    { label: 'Twice there', count: run.duplicated, bad: true },
    { label: 'Unexpected there', count: run.unexpected, bad: true },
    { label: 'Theirs alone', count: run.extraKnown },
  ];
  return (
    <Panel title="Outcome" detail={run.differences === 0 ? 'Both sides agree.' : `${formatCount(run.differences)} to look at.`}>
      <ul className={classes.tally} aria-label="Records by outcome">
        {tally.map(({ label, count, bad }) => (
          <li key={label} data-bad={bad === true && count > 0}><strong>{formatCount(count)}</strong> {label}</li>
        ))}
      </ul>
      <Facts
        entries={[
          { label: 'Handed over since', value: run.since ? <Time at={run.since} /> : 'The beginning' },
          { label: 'List of', value: <><Time at={run.asOf} />{run.asOfKnown ? null : ', when it came: nothing is sent again by itself'}</> },
          { label: 'Two became one there (suspected)', value: formatCount(run.mergeSuspected) },
          { label: 'There before we sent it', value: formatCount(run.preExisting) },
          { label: 'They know more', value: formatCount(run.enriched) },
          { label: 'Want no more contact', value: formatCount(run.optedOut) },
          { label: 'Rows that are no record', value: formatCount(run.skipped) },
          { label: 'List’s SHA-256', value: run.listHash ? <span className="mono" title={run.listHash}>{run.listHash.slice(0, 16)}…</span> : null },
        ]}
      />
    </Panel>
  );
}
