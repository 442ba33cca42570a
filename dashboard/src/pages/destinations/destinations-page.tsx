import { Button } from '@mantine/core';
import { IconPlus, IconTarget } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { breakers, Status } from '../../components/status';
import { graphql } from '../../gql';
import type { DeliveryState, DestinationKind, DestinationsQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { CreateDestination } from './create-destination';

const DestinationsDocument = graphql(`
  query Destinations {
    destinations { id slug name kind enabled urlMasked breaker breakerReason pending delivered failed held unknown }
  }
`);

export type DestinationRow = DestinationsQuery['destinations'][number];

export const destinationKinds: Readonly<Record<DestinationKind, string>> = {
  BONZO: 'Bonzo webhook', BONZO_API: 'Bonzo API', NPA: 'NPA', BOBERDOO: 'boberdoo', WEBHOOK: 'Signed webhook',
};

/** Whether leads flow there, in a word. */
export function Flow({ enabled, breaker }: Pick<DestinationRow, 'enabled' | 'breaker'>) {
  return enabled ? <Status {...breakers[breaker]} /> : <Status label="Disabled" tone="calm" />;
}

function Count({ row, state, count }: { row: DestinationRow; state: DeliveryState; count: number }) {
  if (count === 0) return <span className="quiet">0</span>;
  return (
    <Link to={`/deliveries?destination=${row.id}&state=${state}`} className={tableClasses.above} aria-label={`${formatCount(count)}, show these deliveries of ${row.name}`}>
      {formatCount(count)}
    </Link>
  );
}

const columns: readonly Column<DestinationRow>[] = [
  { key: 'name', header: 'Name', cell: (row) => <Link to={`/destinations/${row.id}`} className={tableClasses.rowLink}>{row.name}</Link> },
  { key: 'kind', header: 'Kind', card: 'plain', cell: (row) => <span>{destinationKinds[row.kind]}</span> },
  { key: 'url', header: 'Address', from: 'wide', card: 'plain', cell: (row) => <span className="mono">{row.urlMasked}</span> },
  { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Flow {...row} /> },
  { key: 'delivered', header: 'Delivered', align: 'end', cell: (row) => <Count row={row} state="DELIVERED" count={row.delivered} /> },
  { key: 'pending', header: 'Waiting', align: 'end', cell: (row) => <Count row={row} state="PENDING" count={row.pending} /> },
  { key: 'held', header: 'Held', align: 'end', cell: (row) => <Count row={row} state="HELD" count={row.held} /> },
  { key: 'unknown', header: 'Unknown', align: 'end', cell: (row) => <Count row={row} state="UNKNOWN" count={row.unknown} /> },
  { key: 'failed', header: 'Failed', align: 'end', cell: (row) => <Count row={row} state="FAILED" count={row.failed} /> },
];

export function DestinationsPage() {
  const writes = useMay('destinations:write');
  const [{ data, error }, again] = useQuery({ query: DestinationsDocument });
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <>
      <PageHeader title="Destinations" lead="Where leads go. Each accepted lead is handed to every enabled destination.">
        {writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New destination</Button>}
      </PageHeader>
      <Panel flush>
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Destinations" columns={columns} rows={data?.destinations} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconTarget} title="No destination yet" detail={writes ? 'Leads are kept until there is one to hand them to.' : 'An administrator adds them.'} />}
          />
        )}
      </Panel>
      <CreateDestination opened={creating} onClose={() => { setCreating(false); }} onSecret={setSecret} />
      <SecretOnce
        secret={secret} title="Signing secret" onClose={() => { setSecret(null); }}
        use="The receiver checks each delivery’s signature with it, as Standard Webhooks describes."
      />
    </>
  );
}
