import { Alert, Button, Progress, Skeleton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAlertCircle, IconDownload, IconPlayerStop } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { Link, useParams } from 'react-router';
import { useMutation } from 'urql';
import { MissingPage } from '../../app/fallback-pages';
import { useMay } from '../../app/session';
import { announce } from '../../components/announce';
import { Confirm } from '../../components/confirm';
import { OutcomeBar, OutcomeTable } from '../../components/counts-bar';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Facts, Panel, panelClasses } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { importStates, Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ImportProgressFragment } from '../../gql/graphql';
import { formatBytes, formatCount, formatDuration, formatShare, plural } from '../../lib/format';
import classes from './imports.module.css';
import { isOver, useImport } from './progress';
import { RefusedRecords } from './refused-records';

const CancelImportDocument = graphql(`
  mutation CancelImport($id: ID!) {
    cancelImport(id: $id) { import { id state } error { field code message } }
  }
`);

export function ImportPage() {
  const { id = '' } = useParams();
  const { latest, error, fetching, running, again } = useImport(id);
  const cancels = useMay('imports:write');
  const state = latest?.state;
  const former = useRef(state);
  useEffect(() => {
    if (former.current && state && former.current !== state && isOver(state)) {
      announce(`The import is over: ${importStates[state].label}.`);
      // The stream said that it ended; lists that were read meanwhile are of before.
      again({ requestPolicy: 'network-only' });
    }
    former.current = state;
  }, [state, again]);

  if (error && !latest) return <><PageHeader title="Import" back={back} /><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></>;
  if (!latest && !fetching) return <MissingPage />;
  if (!latest) return <><PageHeader title="Import" back={back} /><Skeleton height={260} /></>;
  return (
    <>
      <PageHeader
        title={latest.fileName} tab="Import" back={back} badge={<Status {...importStates[latest.state]} />}
        lead={<>For {latest.source.name}, uploaded <Time at={latest.createdAt} /></>}
      >
        {running && cancels && <CancelImport id={id} />}
        {latest.rejected > 0 && (
          <Button component="a" href={`/imports/${id}/failed.csv`} download variant="default" leftSection={<IconDownload size={16} aria-hidden="true" />}>
            Download refused records
          </Button>
        )}
        <Button component={Link} to={`/leads?import=${id}`} variant="default">See its leads</Button>
      </PageHeader>
      <div className={panelClasses.stack}>
        {latest.error && (
          <Alert color={latest.state === 'FAILED' ? 'red' : 'yellow'} variant="light" icon={<IconAlertCircle aria-hidden="true" />} title="The file could not be imported">
            {latest.error}
          </Alert>
        )}
        <Outcome latest={latest} running={running} />
        <RefusedRecords key={String(running)} importId={id} onChange={() => { again({ requestPolicy: 'network-only' }); }} waiting={running} />
      </div>
    </>
  );
}

const back = { to: '/imports', label: 'Imports' };

function speed(perSecond: number | null | undefined): string | null {
  return perSecond ? `${formatCount(Math.round(perSecond))} records/s` : null;
}

function Outcome({ latest, running }: { latest: ImportProgressFragment; running: boolean }) {
  const took = latest.finishedAt ? Date.parse(latest.finishedAt) - Date.parse(latest.createdAt) : null;
  const share = (latest.bytesRead / Math.max(1, latest.fileBytes)) * 100;
  return (
    <Panel title={running ? 'Progress' : 'Outcome'} detail={running ? 'Live; the page may be closed, the import goes on.' : plural(latest.records, 'record')}>
      <div className={classes.outcomes}>
        {running && (
          <div>
            <div className={classes.progressText}>
              <span>{formatBytes(latest.bytesRead)} of {formatBytes(latest.fileBytes)} ({formatShare(latest.bytesRead, latest.fileBytes)})</span>
              <span className="quiet">{plural(latest.records, 'record')}{latest.recordsPerSecond ? `, ${speed(latest.recordsPerSecond) ?? ''}` : ''}</span>
            </div>
            <Progress value={share} size="lg" aria-label="Part of the file that is read" />
          </div>
        )}
        {latest.records > 0 && <OutcomeBar counts={latest} />}
        <OutcomeTable counts={latest} />
        <Facts
          entries={[
            { label: 'File size', value: formatBytes(latest.fileBytes) },
            { label: 'Format', value: latest.format && (formats[latest.format] ?? latest.format) },
            { label: 'Encoding', value: latest.encoding },
            { label: 'Finished', value: latest.finishedAt ? <Time at={latest.finishedAt} /> : null },
            { label: 'Took', value: took === null ? null : formatDuration(took) },
            { label: 'Speed', value: speed(latest.recordsPerSecond) },
          ]}
        />
      </div>
    </Panel>
  );
}

/** Formats of files as people call them. */
const formats: Readonly<Record<string, string>> = { csv: 'CSV', json_array: 'JSON', json_object: 'JSON', ndjson: 'NDJSON' };

function CancelImport({ id }: { id: string }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching }, cancel] = useMutation(CancelImportDocument);
  async function confirm() {
    const payload = succeeded(await cancel({ id }), (data) => data.cancelImport);
    close();
    if (payload) notifyDone('The import was cancelled.');
  }
  return (
    <>
      <Button variant="default" leftSection={<IconPlayerStop size={16} aria-hidden="true" />} onClick={open}>Cancel the import</Button>
      <Confirm opened={asking} onClose={close} onConfirm={confirm} busy={fetching} title="Cancel this import?" action="Cancel the import" danger>
        Leads that are already in stay. To go on later, upload the file again: what is known is not imported twice.
      </Confirm>
    </>
  );
}
