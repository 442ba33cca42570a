import { SegmentedControl } from '@mantine/core';
import { IconFileCheck } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link, useLocation, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { useFilters } from '../../components/filters';
import { Pager, pageOf } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { failedRecordStates, Status } from '../../components/status';
import { graphql } from '../../gql';
import type { FailedRecordFilter, FailedRecordsQuery } from '../../gql/graphql';
import { fieldLabel } from '../../lib/fields';
import { formatCount, plural } from '../../lib/format';
import { CorrectionDrawer } from './correction-drawer';
import classes from './imports.module.css';

const FailedRecordsDocument = graphql(`
  query FailedRecords($first: Int, $after: String, $last: Int, $before: String, $filter: FailedRecordFilter) {
    failedRecords(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      nodes {
        id record line state
        reasons { field code message value }
        source { id name }
        import { id fileName }
      }
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

type Row = FailedRecordsQuery['failedRecords']['nodes'][number];

function OpenRecord({ row }: { row: Row }) {
  const [parameters] = useSearchParams();
  const location = useLocation();
  const target = new URLSearchParams(parameters);
  target.set('record', row.id);
  return (
    <Link to={`?${target.toString()}`} state={location.state as unknown} preventScrollReset className={`${tableClasses.rowLink ?? ''} ${classes.nowrap ?? ''}`}>
      {row.state === 'OPEN' ? 'Correct record' : 'Record'} {formatCount(row.record)}
    </Link>
  );
}

function Reasons({ row }: { row: Row }) {
  return (
    <ul className={classes.reasons}>
      {row.reasons.map((reason) => (
        <li key={`${reason.field} ${reason.code}`}>
          <strong>{fieldLabel(reason.field)}</strong> {reason.message}
          {reason.value && <> Sent as <span className="mono">{reason.value}</span>.</>}{' '}
          <span className={`mono ${classes.code ?? ''}`}>{reason.code}</span>
        </li>
      ))}
    </ul>
  );
}

function columnsFor(ofOneImport: boolean): readonly Column<Row>[] {
  return [
    { key: 'record', header: 'Record', cell: (row) => <OpenRecord row={row} /> },
    { key: 'line', header: 'Line', align: 'end', from: 'wide', cell: (row) => formatCount(row.line) },
    ...(ofOneImport ? [] : [{ key: 'origin', header: 'Came by', from: 'medium', card: 'plain', cell: (row: Row) => <span>{row.source.name}{row.import && <><br /><span className="quiet">{row.import.fileName}</span></>}</span> } as const]),
    { key: 'reasons', header: 'Why it was refused', card: 'plain', cell: (row) => <Reasons row={row} /> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...failedRecordStates[row.state]} /> },
  ];
}

interface Props {
  /** Of one import; of all when left out. */
  importId?: string;
  /** The import still runs: the list is of now. */
  waiting?: boolean;
  onChange?: () => void;
}

export function RefusedRecords({ importId, waiting = false, onChange }: Props) {
  const { parameters, set, text } = useFilters();
  const everything = text('refused') === 'all';
  const filter = useMemo((): FailedRecordFilter => ({
    importId: importId ?? null, states: everything ? null : ['OPEN'],
  }), [importId, everything]);
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: FailedRecordsDocument, variables: { ...pageOf(parameters, 25), filter },
  });
  const columns = useMemo(() => columnsFor(importId !== undefined), [importId]);
  const records = data?.failedRecords;
  return (
    <Panel title={importId ? 'Refused records' : 'All sources'} detail="A refused record is kept as it came, with every reason." flush>
      <div className={classes.toolbar}>
        <SegmentedControl
          aria-label="Which refused records" value={everything ? 'all' : 'open'} onChange={(refused) => { set({ refused: refused === 'all' ? 'all' : null }); }}
          data={[{ value: 'open', label: 'To correct' }, { value: 'all', label: 'All' }]}
        />
        {records?.totalCount !== null && records?.totalCount !== undefined && <span className="quiet">{plural(records.totalCount, 'record')}</span>}
      </div>
      {error && !records ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
        <DataTable
          caption="Refused records with their reasons" columns={columns} rows={fetching && !stale ? undefined : records?.nodes} rowKey={({ id }) => id}
          empty={<EmptyState icon={IconFileCheck} title={everything ? 'No record was refused' : 'Nothing to correct'} detail={waiting ? 'The import is still running.' : 'Every record became a lead, or was explained.'} />}
        />
      )}
      <Pager label="refused records" pageInfo={records?.pageInfo} />
      <CorrectionDrawer onChange={() => { again({ requestPolicy: 'network-only' }); onChange?.(); }} />
    </Panel>
  );
}
