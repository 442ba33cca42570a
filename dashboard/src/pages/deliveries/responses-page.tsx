import { BarChart, LineChart } from '@mantine/charts';
import { SegmentedControl, Select, Skeleton } from '@mantine/core';
import { IconMessageCircleOff } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useZone } from '../../app/session';
import { ChartTable, Legend, type Series } from '../../components/chart';
import { DataTable, type Column } from '../../components/data-table';
import { useFilters } from '../../components/filters';
import { PageHeader } from '../../components/page-header';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ResponseAnalyticsQuery } from '../../gql/graphql';
import { formatCount, formatDuration, formatShare, humanise } from '../../lib/format';
import { formatTime } from '../../lib/zone';
import classes from './deliveries.module.css';
import { DeliveryDrawer } from './delivery-drawer';
import { roomAbove, spans, timeAxis, type Span } from './statistics';

const ResponseAnalyticsDocument = graphql(`
  query ResponseAnalytics($since: DateTime!, $destination: ID) {
    responseAnalytics(since: $since, destination: $destination) {
      intervalMinutes
      destinations {
        destinationId attempts delivered
        classes { ok okRefused redirected clientError throttled serverError silent }
        latency { p50Ms p95Ms p99Ms maxMs }
      }
      series { at classes { ok redirected clientError throttled serverError silent } latency { p50Ms p95Ms p99Ms } }
      troubles { destinationId outcome httpStatus errorKind count firstAt lastAt deliveryId }
    }
    destinations { id name }
  }
`);

type Analytics = ResponseAnalyticsQuery['responseAnalytics'];
type OfDestination = Analytics['destinations'][number];
type Trouble = Analytics['troubles'][number];

const outcomes: Readonly<Record<string, { label: string; tone: Tone }>> = {
  refused: { label: 'Refused', tone: 'bad' },
  barred: { label: 'Not let in', tone: 'bad' },
  retryable: { label: 'Tried again', tone: 'wait' },
  unknown: { label: 'Outcome unknown', tone: 'wait' },
};

function milliseconds(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : formatDuration(value);
}

export function ResponsesPage() {
  const zone = useZone();
  const { set, text } = useFilters();
  const span: Span = Object.hasOwn(spans, text('span')) ? text('span') as Span : 'week';
  const destination = text('destination');
  const [opened] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const since = new Date(opened - spans[span].milliseconds).toISOString();
  const [{ data, error, fetching }, again] = useQuery({ query: ResponseAnalyticsDocument, variables: { since, destination: destination || null } });
  const names = new Map((data?.destinations ?? []).map(({ id, name }) => [id, name]));
  const analytics = data?.responseAnalytics;
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Responses" back={{ to: '/deliveries', label: 'Deliveries' }} lead="What destinations answer, how fast, and what goes wrong. Counted from every attempt.">
        <Select
          aria-label="Destination" placeholder="All destinations" clearable value={destination || null} onChange={(value) => { set({ destination: value }); }}
          data={(data?.destinations ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All destinations' }}
        />
        <SegmentedControl
          aria-label="Span of the figures" value={span} onChange={(value) => { set({ span: value }); }}
          data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
        />
      </PageHeader>
      {error && !data && <Panel><ErrorState error={error} onRetry={reload} /></Panel>}
      {!analytics && fetching && <Skeleton height={420} aria-busy="true" />}
      {analytics?.destinations.length === 0 && (
        <Panel><EmptyState icon={IconMessageCircleOff} title="No attempt in this span" detail="Choose a longer one above, or another destination." /></Panel>
      )}
      {analytics && analytics.destinations.length > 0 && (
        <div className={panelClasses.stack}>
          <ByDestination rows={analytics.destinations} names={names} />
          <div className={panelClasses.halves}>
            <ClassesOverTime analytics={analytics} zone={zone} span={span} />
            <LatencyOverTime analytics={analytics} zone={zone} span={span} />
          </div>
          <Troubles rows={analytics.troubles} names={names} />
        </div>
      )}
      <DeliveryDrawer onChange={reload} />
    </>
  );
}

function ByDestination({ rows, names }: { rows: readonly OfDestination[]; names: ReadonlyMap<string, string> }) {
  const count = (value: number) => (value === 0 ? <span className="quiet">0</span> : formatCount(value));
  const columns: readonly Column<OfDestination>[] = [
    { key: 'name', header: 'Destination', cell: (row) => <Link to={`/destinations/${row.destinationId}`}>{names.get(row.destinationId) ?? 'Destination'}</Link> },
    { key: 'attempts', header: 'Attempts', align: 'end', cell: (row) => formatCount(row.attempts) },
    { key: 'success', header: 'Successes', align: 'end', cell: (row) => formatShare(row.delivered, row.attempts) },
    { key: 'ok', header: '2xx', align: 'end', cell: (row) => <>{count(row.classes.ok)}{row.classes.okRefused > 0 && <span className="quiet" title="Answered 2xx, and the body says that it failed"> ({formatCount(row.classes.okRefused)} no success)</span>}</> },
    { key: 'redirected', header: '3xx', align: 'end', from: 'wide', cell: (row) => count(row.classes.redirected) },
    { key: 'client', header: '4xx', align: 'end', cell: (row) => count(row.classes.clientError) },
    { key: 'throttled', header: '429', align: 'end', from: 'medium', cell: (row) => count(row.classes.throttled) },
    { key: 'server', header: '5xx', align: 'end', cell: (row) => count(row.classes.serverError) },
    { key: 'silent', header: 'No answer', align: 'end', cell: (row) => count(row.classes.silent) },
    { key: 'p50', header: 'p50', align: 'end', fit: 'line', cell: (row) => milliseconds(row.latency.p50Ms) },
    { key: 'p95', header: 'p95', align: 'end', fit: 'line', from: 'medium', cell: (row) => milliseconds(row.latency.p95Ms) },
    { key: 'p99', header: 'p99', align: 'end', fit: 'line', cell: (row) => milliseconds(row.latency.p99Ms) },
    { key: 'max', header: 'Longest', align: 'end', fit: 'line', from: 'wide', cell: (row) => milliseconds(row.latency.maxMs) },
  ];
  return (
    <Panel title="By destination" detail="Attempts by the class of their answer, and how long they took." flush>
      <DataTable caption="Answers by destination" columns={columns} rows={rows} rowKey={({ destinationId }) => destinationId} empty={null} />
    </Panel>
  );
}

interface ChartProps {
  analytics: Analytics;
  zone: string;
  span: Span;
}

const classSeries = [
  { name: '2xx', color: 'var(--good-fill)' }, { name: '3xx', color: 'var(--soft-fill)' }, { name: '4xx', color: 'var(--bad-fill)' }, { name: '429', color: 'var(--busy-fill)' }, { name: '5xx', color: 'var(--wait-fill)' }, { name: 'No answer', color: 'var(--calm-fill)' },
] as const satisfies Series;

function ClassesOverTime({ analytics, zone, span }: ChartProps) {
  const points = useMemo(() => analytics.series.map(({ at, classes: by }) => ({
    at, '2xx': by.ok, '3xx': by.redirected, '4xx': by.clientError, '429': by.throttled, '5xx': by.serverError, 'No answer': by.silent,
  })), [analytics]);
  const present = classSeries.filter(({ name }) => points.some((point) => point[name] > 0));
  return (
    <Panel title="Answers over time" detail="Attempts by class of status">
      <div className={classes.chart}>
        <div aria-hidden="true">
          <BarChart
            h={230} data={points} dataKey="at" type="stacked" gridAxis="x" tickLine="none" barChartProps={roomAbove} valueFormatter={formatCount} maxBarWidth={28}
            series={[...present]} yAxisProps={{ width: 48, allowDecimals: false }} xAxisProps={timeAxis(points, zone, span)}
            tooltipProps={{ labelFormatter: (at: unknown) => (typeof at === 'string' ? formatTime(at, zone) : '') }}
          />
          <Legend series={present} />
        </div>
        <ChartTable
          caption="Answers over time" header={['Time', ...present.map(({ name }) => name)]}
          rows={points.map((point) => [formatTime(point.at, zone), ...present.map(({ name }) => formatCount(point[name]))])}
        />
      </div>
    </Panel>
  );
}

const latencySeries = [{ name: 'p50', color: 'var(--busy-fill)' }, { name: 'p95', color: 'var(--wait-fill)' }, { name: 'p99', color: 'var(--bad-fill)' }] as const satisfies Series;

function LatencyOverTime({ analytics, zone, span }: ChartProps) {
  const points = useMemo(() => analytics.series.map(({ at, latency }) => ({ at, p50: latency.p50Ms, p95: latency.p95Ms, p99: latency.p99Ms })), [analytics]);
  return (
    <Panel title="Latency over time" detail="From sending to the answer">
      <div className={classes.chart}>
        <div aria-hidden="true">
          <LineChart
            h={230} data={points} dataKey="at" curveType="monotone" connectNulls strokeWidth={2} series={[...latencySeries]} withDots={points.length < 40} dotProps={{ r: points.length < 4 ? 4.5 : 2.5 }}
            gridAxis="x" tickLine="none" lineChartProps={roomAbove} valueFormatter={(value) => formatDuration(value)} yAxisProps={{ width: 64, domain: [0, 'auto'] }} xAxisProps={timeAxis(points, zone, span)}
            tooltipProps={{ labelFormatter: (at: unknown) => (typeof at === 'string' ? formatTime(at, zone) : '') }}
          />
          <Legend series={latencySeries} />
        </div>
        <ChartTable
          caption="Latency over time" header={['Time', 'p50', 'p95', 'p99']}
          rows={points.map(({ at, p50, p95, p99 }) => [formatTime(at, zone), milliseconds(p50), milliseconds(p95), milliseconds(p99)])}
        />
      </div>
    </Panel>
  );
}

function Troubles({ rows, names }: { rows: readonly Trouble[]; names: ReadonlyMap<string, string> }) {
  const columns: readonly Column<Trouble>[] = [
    { key: 'what', header: 'What happened', cell: (row) => <span>{row.httpStatus ? `HTTP ${row.httpStatus}` : 'No answer'}{row.errorKind && <span className="quiet"> · {humanise(row.errorKind)}</span>}</span> },
    { key: 'outcome', header: 'Outcome', card: 'corner', cell: (row) => <Status {...outcomes[row.outcome] ?? { label: humanise(row.outcome), tone: 'calm' as const }} /> },
    { key: 'destination', header: 'Destination', card: 'plain', cell: (row) => <span>{names.get(row.destinationId) ?? ''}</span> },
    { key: 'count', header: 'Attempts', align: 'end', cell: (row) => formatCount(row.count) },
    { key: 'first', header: 'First', align: 'end', fit: 'line', from: 'medium', cell: (row) => <Time at={row.firstAt} /> },
    { key: 'last', header: 'Last', align: 'end', fit: 'line', cell: (row) => <Time at={row.lastAt} /> },
    { key: 'example', header: 'Example', align: 'end', card: 'plain', cell: (row) => <Link to={`?delivery=${row.deliveryId}`} preventScrollReset>Open the last</Link> },
  ];
  return (
    <Panel title="What goes wrong" detail="The most frequent first" flush>
      <DataTable
        caption="Kinds of trouble" columns={columns} rows={rows} rowKey={(row) => `${row.destinationId} ${row.outcome} ${row.httpStatus ?? ''} ${row.errorKind ?? ''}`}
        empty={<EmptyState icon={IconMessageCircleOff} title="Nothing went wrong" detail="Every attempt of this span was a success." />}
      />
    </Panel>
  );
}
