import { BarChart, LineChart } from '@mantine/charts';
import { Skeleton } from '@mantine/core';
import { IconChartBar } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useQuery } from 'urql';
import { useZone } from '../../app/session';
import { ChartTable, Legend, type Series } from '../../components/chart';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { deliveryStates } from '../../components/status';
import { graphql } from '../../gql';
import type { DeliveryState, DeliveryStatisticsQuery } from '../../gql/graphql';
import { formatCount, formatDuration, formatShare, humanise } from '../../lib/format';
import { formatClock, formatDay, formatTime } from '../../lib/zone';
import classes from './deliveries.module.css';

const DeliveryStatisticsDocument = graphql(`
  query DeliveryStatistics($since: DateTime!, $until: DateTime, $destination: ID) {
    deliveryStatistics(since: $since, until: $until, destination: $destination) {
      total
      byState { state count }
      byHttpStatus { httpStatus errorKind count }
      series { at attempts delivered failed p50Ms p95Ms }
    }
  }
`);

const hour = 3_600_000;

export const spans = {
  day: { label: '24 hours', milliseconds: 24 * hour },
  week: { label: '7 days', milliseconds: 7 * 24 * hour },
  month: { label: '30 days', milliseconds: 30 * 24 * hour },
} as const;

export type Span = keyof typeof spans;

/** The usual one first. */
export const spanNames = ['week', 'day', 'month'] as const satisfies readonly Span[];
type Figures = DeliveryStatisticsQuery['deliveryStatistics'];

interface Props {
  span: Span;
  destination: string | undefined;
  state: string;
  httpStatus: string;
  /** A tile was chosen: show the deliveries of that state, or of all again. */
  onState: (state: string | null) => void;
}

export function Statistics({ span, destination, state, onState }: Props) {
  const zone = useZone();
  // To the minute, so that looking twice asks the same question.
  const [opened] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const since = new Date(opened - spans[span].milliseconds).toISOString();
  const [{ data, error, fetching }, again] = useQuery({
    query: DeliveryStatisticsDocument, variables: { since, destination: destination ?? null },
  });
  const figures = data?.deliveryStatistics;
  if (error && !figures) return <Panel><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></Panel>;
  if (!figures) return <div aria-busy={fetching} className={classes.waiting}><Skeleton height={84} /><Skeleton height={250} /></div>;
  return (
    <section aria-label={`Figures of the last ${spans[span].label}`} className={classes.figures}>
      <Tiles figures={figures} state={state} onState={onState} />
      <div className={panelClasses.halves}>
        <Latency figures={figures} zone={zone} span={span} />
        <HttpStatuses figures={figures} />
      </div>
      <Attempts figures={figures} zone={zone} span={span} />
    </section>
  );
}

const tileOrder: readonly DeliveryState[] = ['DELIVERED', 'PENDING', 'SENDING', 'HELD', 'UNKNOWN', 'FAILED'];

function Tiles({ figures, state, onState }: { figures: Figures; state: string; onState: Props['onState'] }) {
  return (
    <div className={classes.tiles} role="group" aria-label="Deliveries by state">
      {tileOrder.map((tile) => {
        const count = figures.byState.find((entry) => entry.state === tile)?.count ?? 0;
        const { label, tone } = deliveryStates[tile];
        return (
          <button
            key={tile} type="button" className={classes.tile} aria-pressed={state === tile} data-tone={count > 0 ? tone : 'calm'}
            onClick={() => { onState(state === tile ? null : tile); }}
          >
            <span className={classes.tileLabel}>{label}</span>
            <span className={classes.tileCount}>{formatCount(count)}</span>
            <span className="quiet">{formatShare(count, figures.total)}</span>
          </button>
        );
      })}
    </div>
  );
}

/** Clock times within a day; over several days one tick where each day begins. */
export function timeAxis(series: readonly { at: string }[], zone: string, span: Span) {
  const name = span === 'day' ? formatClock : formatDay;
  const ticks = series
    .filter(({ at }, index, all) => span === 'day' || name(at, zone) !== name(all[index - 1]?.at ?? '1970-01-01', zone))
    .map(({ at }) => at);
  // The padding keeps what stands in the first or last interval off the edges of the plot.
  return { ticks, tickFormatter: (at: string) => name(at, zone), minTickGap: 24, interval: 'preserveStart' as const, padding: { left: 12, right: 16 } };
}

/** So that the highest tick keeps its label beside its line. */
export const roomAbove = { margin: { top: 10 } };

function NoAttempts() {
  return <EmptyState icon={IconChartBar} title="No attempt in this span" detail="Choose a longer one above." />;
}

function duration(milliseconds: number | null | undefined): string {
  return milliseconds === null || milliseconds === undefined ? '' : formatDuration(milliseconds);
}

interface ChartProps {
  figures: Figures;
  zone: string;
  span: Span;
}

const latencySeries = [{ name: 'Median (p50)', color: 'var(--busy-fill)' }, { name: '95th percentile (p95)', color: 'var(--wait-fill)' }] as const satisfies Series;

function Latency({ figures, zone, span }: ChartProps) {
  const points = useMemo(() => figures.series.map(({ at, p50Ms, p95Ms }) => ({ at, 'Median (p50)': p50Ms, '95th percentile (p95)': p95Ms })), [figures]);
  const measured = figures.series.filter(({ p50Ms }) => p50Ms !== null);
  return (
    <Panel title="Latency" detail="From sending to the answer">
      {measured.length === 0 ? <NoAttempts /> : (
        <div className={classes.chart}>
          <div aria-hidden="true">
            <LineChart
              h={204} data={points} dataKey="at" curveType="monotone" connectNulls strokeWidth={2} series={[...latencySeries]} withDots={measured.length < 40}
              dotProps={{ r: measured.length < 4 ? 4.5 : 2.5 }} gridAxis="x" tickLine="none" lineChartProps={roomAbove} valueFormatter={(value) => formatDuration(value)} yAxisProps={{ width: 64, domain: [0, 'auto'] }}
              xAxisProps={timeAxis(figures.series, zone, span)} tooltipProps={{ labelFormatter: (at: unknown) => (typeof at === 'string' ? formatTime(at, zone) : '') }}
            />
            <Legend series={latencySeries} />
          </div>
          <ChartTable
            caption="Latency over time" header={['Time', 'Median', '95th percentile']}
            rows={measured.map(({ at, p50Ms, p95Ms }) => [formatTime(at, zone), duration(p50Ms), duration(p95Ms)])}
          />
        </div>
      )}
    </Panel>
  );
}

function statusName({ httpStatus, errorKind }: Figures['byHttpStatus'][number]): string {
  return httpStatus ? String(httpStatus) : humanise(errorKind ?? 'no answer');
}

function statusColour(httpStatus: number | null | undefined): string {
  if (!httpStatus) return 'var(--calm-fill)';
  if (httpStatus < 300) return 'var(--good-fill)';
  return httpStatus === 429 || httpStatus >= 500 ? 'var(--wait-fill)' : 'var(--bad-fill)';
}

function HttpStatuses({ figures }: { figures: Figures }) {
  const bars = useMemo(() => figures.byHttpStatus.map((entry) => ({
    status: statusName(entry), Attempts: entry.count, color: statusColour(entry.httpStatus),
  })), [figures]);
  return (
    <Panel title="Answers by HTTP status" detail="Attempts; without a status there was no answer">
      {bars.length === 0 ? <NoAttempts /> : (
        <div className={classes.chart}>
          <div aria-hidden="true">
            <BarChart
              h={230} data={bars} dataKey="status" orientation="vertical" series={[{ name: 'Attempts', color: 'petrol.6' }]} gridAxis="none" tickLine="none"
              // The labels are placed once, where the bars end: bars that grow would pass under them.
              valueFormatter={formatCount} yAxisProps={{ width: 84 }} maxBarWidth={26} withBarValueLabel valueLabelProps={{ position: 'right', offset: 8 }} barProps={{ radius: 3, isAnimationActive: false }}
              xAxisProps={{ allowDecimals: false, padding: { right: 56 } }}
            />
          </div>
          <ChartTable caption="Attempts by HTTP status" header={['HTTP status', 'Attempts']} rows={bars.map((bar) => [bar.status, formatCount(bar.Attempts)])} />
        </div>
      )}
    </Panel>
  );
}

const attemptSeries = [{ name: 'Delivered', color: 'var(--good-fill)' }, { name: 'Not delivered', color: 'var(--bad-fill)' }] as const satisfies Series;

function Attempts({ figures, zone, span }: ChartProps) {
  const points = useMemo(() => figures.series.map(({ at, delivered, failed }) => ({ at, Delivered: delivered, 'Not delivered': failed })), [figures]);
  if (figures.series.every(({ attempts }) => attempts === 0)) return null;
  return (
    <Panel title="Attempts over time" detail="Attempts in each interval">
      <div className={classes.chart}>
        <div aria-hidden="true">
          <BarChart
            h={160} data={points} dataKey="at" type="stacked" gridAxis="x" tickLine="none" barChartProps={roomAbove} valueFormatter={formatCount}
            series={[...attemptSeries]} yAxisProps={{ width: 48, allowDecimals: false, tickCount: 4 }} maxBarWidth={28}
            xAxisProps={timeAxis(figures.series, zone, span)} tooltipProps={{ labelFormatter: (at: unknown) => (typeof at === 'string' ? formatTime(at, zone) : '') }}
          />
          <Legend series={attemptSeries} />
        </div>
        <ChartTable
          caption="Attempts over time" header={['Time', 'Delivered', 'Not delivered']}
          rows={figures.series.filter(({ attempts }) => attempts > 0).map(({ at, delivered, failed }) => [formatTime(at, zone), formatCount(delivered), formatCount(failed)])}
        />
      </div>
    </Panel>
  );
}
