import { Button } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import type { SlaSourcesQuery } from '../../gql/graphql';
import { formatCount, formatShare, humanise } from '../../lib/format';
import { SlaSourcesDocument } from './data';
import type { Board } from './filter';
import { Answer, Compared, Csv, Nothing } from './parts';
import classes from './sla.module.css';
import { SourceCosts } from './source-costs';
import { money, more, moreMoney, points } from './words';

type SourceRow = SlaSourcesQuery['slaSources'][number];
type Part = 'delivered' | 'contacted' | 'sold';

function share(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** A part of the accepted leads, as a share. */
function Of({ row, part }: { row: SourceRow; part: Part }) {
  const against = points(share(row[part], row.accepted), share(row.before[part], row.before.accepted));
  return <Compared against={against}>{formatShare(row[part], row.accepted)}</Compared>;
}

/** How many of what was received were accepted; how many, where nobody knows what was received. */
function Accepted({ row }: { row: SourceRow }) {
  const shown = typeof row.received === 'number' ? formatShare(row.accepted, row.received) : formatCount(row.accepted);
  return <Compared against={more(row.accepted, row.before.accepted)}>{shown}</Compared>;
}

function Received({ row }: { row: SourceRow }) {
  if (typeof row.received !== 'number') return <span className="quiet">–</span>;
  return <Compared against={more(row.received, row.before.received)}>{formatCount(row.received)}</Compared>;
}

const columns: readonly Column<SourceRow>[] = [
  { key: 'name', header: 'Source', cell: (row) => row.source?.name ?? '' },
  { key: 'received', header: 'Received', align: 'end', cell: (row) => <Received row={row} /> },
  { key: 'accepted', header: 'Accepted', align: 'end', cell: (row) => <Accepted row={row} /> },
  { key: 'refused', header: 'Most refused for', from: 'wide', card: 'plain', cell: (row) => <span className={classes.reason}>{(row.refusals ?? []).slice(0, 2).map(({ code, count }) => `${humanise(code)} (${formatCount(count)})`).join(', ')}</span> },
  { key: 'delivered', header: 'Delivered', align: 'end', cell: (row) => <Of row={row} part="delivered" /> },
  { key: 'contacted', header: 'Contacted', align: 'end', cell: (row) => <Of row={row} part="contacted" /> },
  { key: 'sold', header: 'Sold', align: 'end', cell: (row) => <Of row={row} part="sold" /> },
  { key: 'cost', header: 'Cost', align: 'end', fit: 'line', cell: (row) => <Compared against={moreMoney(row.costs, row.before.costs)}>{money(row.costs)}</Compared> },
  { key: 'revenue', header: 'Revenue', align: 'end', fit: 'line', cell: (row) => <Compared against={moreMoney(row.revenues, row.before.revenues)}>{money(row.revenues)}</Compared> },
];

/** What each source of the filter brought, beside the same time before. */
export function SourceTable({ board }: { board: Pick<Board, 'since' | 'filter' | 'download'> }) {
  const admin = useMay('sla:write');
  const [costs, setCosts] = useState(false);
  const [{ data, error }, again] = useQuery({ query: SlaSourcesDocument, variables: { since: board.since, filter: board.filter } });
  const narrowed = data?.slaSources.some(({ received }) => typeof received !== 'number') ?? false;
  return (
    <Panel
      title="Source effectiveness" flush
      detail={narrowed
        ? 'Of the leads of the span that fit the filters; of refused records only the source is known, so they are not counted'
        : 'Of what was received in the span, beside the same time before; revenue is what partners were billed for these leads'}
      actions={(
        <>
          {admin && <Button className={classes.noPrint} variant="default" size="xs" onClick={() => { setCosts(true); }}>Costs</Button>}
          <Csv href={board.download('sources')} what="source effectiveness" />
        </>
      )}
    >
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={180}>
        {({ slaSources }) => <DataTable caption="Source effectiveness" columns={columns} rows={slaSources} rowKey={(row) => row.source?.id ?? ''} empty={<Nothing />} />}
      </Answer>
      {costs && <SourceCosts onClose={() => { setCosts(false); }} onDone={() => { again({ requestPolicy: 'network-only' }); }} />}
    </Panel>
  );
}
