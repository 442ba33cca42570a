import { Button } from '@mantine/core';
import { IconScale, IconSettings } from '@tabler/icons-react';
import { useCallback, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { PageHeader } from '../../components/page-header';
import { Pager } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ReconciliationsQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { PlanDrawer } from './plan-drawer';
import classes from './reconciliation.module.css';
import { StartPanel } from './start-panel';
import { runStates } from './words';

const ReconciliationsDocument = graphql(`
  query Reconciliations($first: Int, $after: String) {
    reconciliations(first: $first, after: $after) {
      nodes { id destinationName fileName state createdAt ours theirs matched differences missing }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
    destinations { id slug name enabled }
  }
`);

type Row = ReconciliationsQuery['reconciliations']['nodes'][number];

const columns: readonly Column<Row>[] = [
  { key: 'list', header: 'List', cell: (row) => <Link to={`/reconciliation/${row.id}`} className={tableClasses.rowLink}>{row.fileName ?? 'Their API'}</Link> },
  { key: 'destination', header: 'Destination', card: 'plain', cell: (row) => <span>{row.destinationName}</span> },
  { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...runStates[row.state]} /> },
  { key: 'ours', header: 'Ours', align: 'end', from: 'medium', cell: (row) => formatCount(row.ours) },
  { key: 'theirs', header: 'Theirs', align: 'end', from: 'medium', cell: (row) => formatCount(row.theirs) },
  { key: 'matched', header: 'Matched', align: 'end', cell: (row) => formatCount(row.matched) },
  { key: 'missing', header: 'Missing there', align: 'end', cell: (row) => formatCount(row.missing) },
  { key: 'differences', header: 'Differences', align: 'end', cell: (row) => (row.differences > 0 ? <strong className={classes.bad}>{formatCount(row.differences)}</strong> : '0') },
  { key: 'created', header: 'Begun', align: 'end', card: 'plain', cell: (row) => <Time at={row.createdAt} /> },
];

export function ReconciliationsPage() {
  const [parameters] = useSearchParams();
  const [{ data, error }, ask] = useQuery({
    query: ReconciliationsDocument, variables: { first: 20, after: parameters.get('after') },
  });
  const again = useCallback(() => { ask({ requestPolicy: 'network-only' }); }, [ask]);
  const [planning, setPlanning] = useState(false);
  const destinations = data?.destinations ?? [];
  return (
    <>
      <PageHeader title="Reconciliation" lead="What was handed over beside what the destination really has, and how the gaps are closed.">
        {destinations.length > 0 && (
          <Button variant="default" leftSection={<IconSettings size={16} aria-hidden="true" />} onClick={() => { setPlanning(true); }}>Settings</Button>
        )}
      </PageHeader>
      {destinations.length > 0 && <StartPanel destinations={destinations} />}
      <Panel title="Runs" detail="Each keeps its counts and both sides of every difference." flush>
        {error && !data ? <ErrorState error={error} onRetry={again} /> : (
          <DataTable
            caption="Reconciliations, newest first" columns={columns} rows={data?.reconciliations.nodes} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconScale} title="Nothing was compared yet" detail="Send the list that a destination exports, or ask its API." />}
          />
        )}
        <Pager label="reconciliations" pageInfo={data?.reconciliations.pageInfo} />
      </Panel>
      {planning && <PlanDrawer destinations={destinations} onClose={() => { setPlanning(false); }} />}
    </>
  );
}
