import { Button, SegmentedControl } from '@mantine/core';
import { IconMoodSmile, IconPrinter } from '@tabler/icons-react';
import { useQuery } from 'urql';
import { useZone } from '../../app/session';
import { DataTable, type Column } from '../../components/data-table';
import { PageHeader } from '../../components/page-header';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState } from '../../components/states';
import type { SlaExecutiveQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { formatDay } from '../../lib/zone';
import { useThreshold } from './cases-page';
import { SlaExecutiveDocument } from './data';
import { spans, useBoard } from './filter';
import { Answer, change, SourceTable, Tile, Trend } from './parts';
import classes from './sla.module.css';
import { growth, lasting, money, percent, sums, toneOf } from './words';

type Sources = SlaExecutiveQuery['now'];

const total = (rows: Sources, of: (row: Sources[number]) => number) => rows.reduce((sum, row) => sum + of(row), 0);

/** How much more or less was billed, where both periods have one and the same currency. */
function moneyGrowth(now: Sources, before: Sources, of: (row: Sources[number]) => Sources[number]['costs']): string {
  const [today, then] = [sums(now.map(of)), sums(before.map(of))];
  const [one, other] = [today[0], then[0]];
  const comparable = today.length === 1 && then.length === 1 && one?.currency === other?.currency;
  return comparable ? growth(Number(one?.amount), Number(other?.amount)) : 'nothing to compare with';
}

/** Against its target, when there is one. */
function against(share: number | null | undefined, before: number | null | undefined, target: number | undefined): string {
  return `${change(share, before)}${target === undefined ? '' : `; target ${target} %`}`;
}

function Tiles({ data }: { data: SlaExecutiveQuery }) {
  const targets = { processing: useThreshold('processing'), response: useThreshold('response') };
  const { processing, response, now, then } = data;
  const [received, sold] = [(rows: Sources) => total(rows, (row) => row.received), (rows: Sources) => total(rows, (row) => row.sold)];
  return (
    <section className={classes.tiles} aria-label="The span at a glance">
      <Tile label="Processing in target" value={percent(processing.total.share)} detail={against(processing.total.share, processing.before.share, targets.processing)} tone={toneOf(processing.total.share)} />
      <Tile label="Response in target" value={percent(response.total.share)} detail={against(response.total.share, response.before.share, targets.response)} tone={toneOf(response.total.share)} />
      <Tile label="Speed to lead" value={lasting(response.total.p50Seconds)} detail="median from delivered to first contact" tone="busy" />
      <Tile label="Leads received" value={formatCount(received(now))} detail={growth(received(now), received(then))} tone="calm" />
      <Tile label="Sold" value={formatCount(sold(now))} detail={growth(sold(now), sold(then))} tone="calm" />
      <Tile label="Revenue" value={money(sums(now.map((row) => row.revenues)))} detail={moneyGrowth(now, then, (row) => row.revenues)} tone="good" />
      <Tile label="Cost" value={money(sums(now.map((row) => row.costs)))} detail={moneyGrowth(now, then, (row) => row.costs)} tone="calm" />
    </section>
  );
}

type Problem = SlaExecutiveQuery['slaProblems'][number];

const problemColumns: readonly Column<Problem>[] = [
  { key: 'reason', header: 'Reason', cell: (row) => row.reason ?? <span className="quiet">nobody knows</span> },
  { key: 'clocks', header: 'Missed', align: 'end', fit: 'line', cell: (row) => formatCount(row.clocks) },
];

/** The span for whoever answers for it: against target, against the span before, on a page of paper. */
export function ExecutivePage() {
  const board = useBoard();
  const zone = useZone();
  const threshold = useThreshold(board.clock);
  const before = new Date(Date.parse(board.since) - spans[board.span].milliseconds).toISOString();
  const [{ data, error }, again] = useQuery({ query: SlaExecutiveDocument, variables: { since: board.since, before } });
  return (
    <>
      <PageHeader title="Executive view" back={{ to: '/sla', label: 'Service levels' }} lead={`The last ${spans[board.span].label}, since ${formatDay(board.since, zone)}, beside the same time before`}>
        <SegmentedControl
          className={classes.noPrint} aria-label="Span" value={board.span} onChange={(span) => { board.set({ span }); }}
          data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
        />
        <Button className={classes.noPrint} variant="default" leftSection={<IconPrinter size={16} aria-hidden="true" />} onClick={() => { window.print(); }}>Print</Button>
      </PageHeader>
      <div className={classes.board}>
        <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={210}>{(found) => <Tiles data={found} />}</Answer>
        <div className={panelClasses.halves}>
          <Trend board={board} target={threshold} />
          <Panel title="Top problems" detail="Why clocks ran out in the span" flush>
            <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={180}>
              {({ slaProblems }) => (
                <DataTable
                  caption="Why clocks ran out" columns={problemColumns} rows={slaProblems} rowKey={(row) => row.reason ?? ''}
                  empty={<EmptyState icon={IconMoodSmile} title="Nothing was missed" detail="No clock ran out in this span." />}
                />
              )}
            </Answer>
          </Panel>
        </div>
        <SourceTable board={board} />
      </div>
    </>
  );
}
