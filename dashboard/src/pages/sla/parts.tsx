import { LineChart } from '@mantine/charts';
import { Skeleton } from '@mantine/core';
import { IconChartBar, IconClockHour4, IconMoodSmile } from '@tabler/icons-react';
import type { CombinedError } from '@urql/core';
import { useEffect, useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useQuery, useSubscription } from 'urql';
import { useZone } from '../../app/session';
import { ChartTable } from '../../components/chart';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import type { SlaBreachesQuery, SlaByQuery, SlaDimension, SlaOpenQuery, SlaStanding } from '../../gql/graphql';
import { formatCount, formatName, formatShare, sentence } from '../../lib/format';
import { formatClock, formatDay, formatTime } from '../../lib/zone';
import {
  SlaBreachesDocument, SlaByDocument, SlaChangesDocument, SlaHeatDocument, SlaOpenDocument, SlaTotalsDocument, SlaTrendDocument,
} from './data';
import { spans, type Board } from './filter';
import classes from './sla.module.css';
import { atLength, lasting, more, percent, points, standings, toneOf, weekdays } from './words';

/** Skeleton, error or content of a panel that asks one question. */
export function Answer<Data>({ data, error, again, height, children }: {
  data: Data | undefined; error: CombinedError | undefined; again: () => void; height: number; children: (data: Data) => ReactNode;
}) {
  if (data) return <>{children(data)}</>;
  if (error) return <ErrorState error={error} onRetry={again} />;
  return <Skeleton height={height} aria-busy="true" />;
}

export function Nothing() {
  return <EmptyState icon={IconChartBar} title="No clock in this span" detail="Clocks start with new leads once there is a policy." />;
}

/** The counts of open clocks, as they change. */
export function useNow(board: Board) {
  const [{ data }] = useSubscription({ query: SlaChangesDocument, variables: { filter: board.filter } });
  return data?.slaChanges;
}

type Now = ReturnType<typeof useNow>;

export function Tile({ label, value, detail, tone }: { label: string; value: string; detail?: string; tone: Tone }) {
  return (
    <div className={classes.tile} data-tone={tone}>
      <span className={classes.tileLabel}>{label}</span>
      <span className={classes.tileValue}>{value}</span>
      <span>{detail ?? '\u00a0'}</span>
    </div>
  );
}

/** A figure, and in few words how it compares with the span before. */
export function Compared({ against, children }: { against: string; children: ReactNode }) {
  if (against === '') return <>{children}</>;
  return (
    <span className={classes.compared}>
      <span>{children}</span>
      <span className={classes.against}><span className="visually-hidden">against the span before: </span>{against}</span>
    </span>
  );
}

export function Tiles({ board, now }: { board: Board; now: Now }) {
  const [{ data, error }, again] = useQuery({ query: SlaTotalsDocument, variables: { since: board.since, filter: board.filter } });
  const total = data?.slaAdherence.total;
  const before = data?.slaAdherence.before;
  if (error && !data) return <Panel><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></Panel>;
  if (!total) return <Skeleton height={92} aria-busy="true" />;
  const live = (count: number | undefined) => (count === undefined ? '–' : formatCount(count));
  return (
    <section className={classes.tiles} aria-label={`Service level of the last ${spans[board.span].label}`}>
      <Tile label="In target" value={percent(total.share)} detail={atLength(points(total.share, before?.share))} tone={toneOf(total.share)} />
      <Tile label="Median" value={lasting(total.p50Seconds)} detail={`p95 ${lasting(total.p95Seconds)}`} tone="busy" />
      <Tile label="Missed" value={formatCount(total.missed)} detail={`of ${formatCount(total.met + total.missed)} decided`} tone={total.missed > 0 ? 'bad' : 'good'} />
      <Tile label="At risk now" value={live(now?.atRisk)} detail={`${live(now?.running)} running`} tone={now && now.atRisk > 0 ? 'wait' : 'calm'} />
      <Tile label="Overdue now" value={live(now?.overdue)} detail={`${live(now?.paused)} paused`} tone={now && now.overdue > 0 ? 'bad' : 'calm'} />
    </section>
  );
}

const adherenceSeries = [{ name: 'In target', color: 'var(--busy-fill)' }];

/** The share in target over time, with the threshold that the tenant wants as a line. */
export function Trend({ board, height = 220, target, csv = true }: { board: Board; height?: number; target?: number | undefined; csv?: boolean }) {
  const zone = useZone();
  const { bucket } = spans[board.span];
  const [{ data, error }, again] = useQuery({ query: SlaTrendDocument, variables: { since: board.since, filter: board.filter, bucket } });
  const name = board.span === 'day' ? formatClock : formatDay;
  return (
    <Panel title="In target over time" detail={`Of the clocks decided, by when they started${target === undefined ? '' : `; the line is the threshold, ${target} %`}`} actions={csv && <Csv href={board.download('adherence', { bucket: bucket.toLowerCase() })} what="adherence over time" />}>
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={height}>
        {({ slaAdherence: { rows } }) => {
          const points = rows.map(({ since, figures }) => ({ at: since, 'In target': typeof figures.share === 'number' ? figures.share * 100 : null }));
          if (points.length === 0) return <Nothing />;
          return (
            <>
              <div aria-hidden="true">
                <LineChart
                  h={height} data={points} dataKey="at" curveType="linear" connectNulls strokeWidth={2} series={adherenceSeries} withDots={points.length < 40}
                  gridAxis="x" tickLine="none" valueFormatter={(value) => `${value.toFixed(1)} %`} lineChartProps={{ margin: { top: 10 } }} yAxisProps={{ width: 52, domain: [0, 100], ticks: [0, 25, 50, 75, 100], tickFormatter: (value: number) => `${value} %` }}
                  referenceLines={target === undefined ? [] : [{ y: target, color: 'gray.6' }]}
                  xAxisProps={{ tickFormatter: (at: string) => name(at, zone), minTickGap: 28, padding: { left: 12, right: 16 } }}
                  tooltipProps={{ labelFormatter: (at: unknown) => (typeof at === 'string' ? formatTime(at, zone) : '') }}
                />
              </div>
              <ChartTable
                caption="In target over time" header={['From', 'In target', 'Clocks', 'Median']}
                rows={rows.map(({ since, figures }) => [formatTime(since, zone), percent(figures.share), formatCount(figures.total), lasting(figures.p50Seconds)])}
              />
            </>
          );
        }}
      </Answer>
    </Panel>
  );
}

export function Share({ share }: { share: number | null | undefined }) {
  return (
    <span className={classes.share}>
      <progress className={classes.bar} data-tone={toneOf(share)} value={share ?? 0} max={1} aria-hidden="true" />
      {percent(share)}
    </span>
  );
}

type ByRow = SlaByQuery['slaAdherence']['rows'][number];

const byColumns = (header: string): readonly Column<ByRow>[] => [
  { key: 'label', header, cell: (row) => row.label ?? <span className="quiet">none</span> },
  { key: 'total', header: 'Clocks', align: 'end', cell: (row) => <Compared against={more(row.figures.total, row.before?.total)}>{formatCount(row.figures.total)}</Compared> },
  { key: 'share', header: 'In target', align: 'end', cell: (row) => <Compared against={points(row.figures.share, row.before?.share)}><Share share={row.figures.share} /></Compared> },
  { key: 'p50', header: 'Median', align: 'end', from: 'medium', cell: (row) => lasting(row.figures.p50Seconds) },
  { key: 'p95', header: 'p95', align: 'end', from: 'wide', cell: (row) => lasting(row.figures.p95Seconds) },
];

export const dimensions: Readonly<Record<SlaDimension, string>> = {
  SOURCE: 'Source', LEAD_TYPE: 'Lead type', TEAM: 'Team', AGENT: 'Agent', CAMPAIGN: 'Campaign', DESTINATION: 'Destination', STATE: 'State',
};

/** `choice` chooses the dimension, where a person may; `compared` puts the span before beside each row. */
export function By({ board, dimension, most, choice, compared = true }: {
  board: Board; dimension: SlaDimension; most?: number; choice?: ReactNode; compared?: boolean;
}) {
  const [{ data, error }, again] = useQuery({ query: SlaByDocument, variables: { since: board.since, filter: board.filter, dimension, compared } });
  const name = dimensions[dimension];
  return (
    <Panel title={`By ${name.toLowerCase()}`} detail={compared && 'Beside the same time before'} flush actions={<>{choice}<Csv href={board.download('adherence', { dimension: dimension.toLowerCase() })} what={`adherence by ${name.toLowerCase()}`} /></>}>
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={180}>
        {({ slaAdherence: { rows } }) => {
          const sorted = [...rows].sort((a, b) => b.figures.total - a.figures.total).slice(0, most);
          return <DataTable caption={`Service level by ${name.toLowerCase()}`} columns={byColumns(name)} rows={sorted} rowKey={(row) => row.key ?? ''} empty={<Nothing />} />;
        }}
      </Answer>
    </Panel>
  );
}

export function Csv({ href, what }: { href: string; what: string }) {
  return <a className={classes.csv} href={href} download aria-label={`Download ${what} as CSV`}>CSV</a>;
}

type OpenRow = SlaOpenQuery['slaOpenClocks'][number];

/** Seconds until then, counting. */
function useSecond(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => { setNow(Date.now()); }, 1000);
    return () => { clearInterval(timer); };
  }, []);
  return now;
}

/** The time that is left, or by how much it is over; in the list of those that are, nothing has to say so. */
function Left({ row, now, allOver }: { row: OpenRow; now: number; allOver: boolean }) {
  if (!row.dueAt) return <span className={classes.left} data-tone="calm">{row.pauseReason ?? 'paused'}</span>;
  const milliseconds = Date.parse(row.dueAt) - now;
  const risk = row.atRiskAt ? Date.parse(row.atRiskAt) <= now : false;
  const tone = milliseconds <= 0 ? 'bad' : risk ? 'wait' : 'calm';
  const said = lasting(Math.abs(Math.round(milliseconds / 1000)));
  return <time className={classes.left} data-tone={tone} dateTime={row.dueAt}>{milliseconds <= 0 && !allOver ? `${said} over` : said}</time>;
}

export function Open({ board, now, first, standing, title, detail }: {
  board: Board; now: Now; first: number; standing: SlaStanding | null; title: string; detail: string;
}) {
  const second = useSecond();
  const [{ data, error }, again] = useQuery({ query: SlaOpenDocument, variables: { first, standing, filter: board.filter } });
  const told = now?.at;
  // The subscription says that something has changed; the list is asked for again.
  useEffect(() => { if (told) again({ requestPolicy: 'network-only' }); }, [told, again]);
  const columns: readonly Column<OpenRow>[] = [
    { key: 'lead', header: 'Lead', cell: (row) => <Link className={tableClasses.rowLink} to={`/leads/${row.leadId}`}>{row.lead ? formatName(row.lead) : row.leadId}</Link> },
    { key: 'source', header: 'Source', from: 'medium', card: 'plain', cell: (row) => <span>{row.source?.name}</span> },
    { key: 'standing', header: 'State', card: 'corner', cell: (row) => (row.standing ? <Status {...standings[row.standing]} /> : null) },
    { key: 'left', header: standing === 'OVERDUE' ? 'Over' : 'Time left', align: 'end', cell: (row) => <Left row={row} now={second} allOver={standing === 'OVERDUE'} /> },
  ];
  return (
    <Panel title={title} detail={detail} flush actions={<Csv href={board.download('open', standing ? { standing: standing.toLowerCase() } : {})} what="open clocks" />}>
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={240}>
        {({ slaOpenClocks }) => (
          <DataTable
            caption={title} columns={columns} rows={slaOpenClocks} rowKey={(row) => `${row.leadId} ${row.clock}`}
            empty={<EmptyState icon={IconMoodSmile} title="Nothing is waiting" detail="No open clock is in this list now." />}
          />
        )}
      </Answer>
    </Panel>
  );
}

type BreachRow = SlaBreachesQuery['slaBreaches'][number];

const breachColumns: readonly Column<BreachRow>[] = [
  { key: 'lead', header: 'Lead', cell: (row) => <Link className={tableClasses.rowLink} to={`/leads/${row.leadId}`}>{row.lead ? formatName(row.lead) : row.leadId}</Link> },
  { key: 'source', header: 'Source', from: 'medium', card: 'plain', cell: (row) => <span>{row.source?.name}</span> },
  { key: 'reason', header: 'Reason', card: 'plain', cell: (row) => <span className={classes.reason}>{row.reason && sentence(row.reason)}</span> },
  { key: 'agent', header: 'Agent', from: 'wide', card: 'plain', cell: (row) => <span>{row.agent}</span> },
  { key: 'at', header: 'Ran out', align: 'end', cell: (row) => <Time at={row.breachedAt} /> },
  { key: 'took', header: 'Took', align: 'end', from: 'wide', cell: (row) => (row.stoppedAt ? lasting(row.elapsedSeconds) : 'still open') },
];

export function Breaches({ board }: { board: Board }) {
  const [{ data, error }, again] = useQuery({ query: SlaBreachesDocument, variables: { since: board.since, filter: board.filter } });
  return (
    <Panel title="Missed, latest first" detail="The last 25 of the span" flush actions={<Csv href={board.download('breaches')} what="missed service levels" />}>
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={240}>
        {({ slaBreaches }) => (
          <DataTable
            caption="Missed service levels" columns={breachColumns} rows={slaBreaches} rowKey={(row) => `${row.leadId} ${row.clock}`}
            empty={<EmptyState icon={IconClockHour4} title="Nothing was missed" detail="No clock ran out in this span." />}
          />
        )}
      </Answer>
    </Panel>
  );
}

export function HeatMap({ board }: { board: Board }) {
  const [{ data, error }, again] = useQuery({ query: SlaHeatDocument, variables: { since: board.since, filter: board.filter } });
  return (
    <Panel title="By weekday and hour" detail="Percent in target, by when the clock started" actions={<Csv href={board.download('heat-map')} what="the heat map" />}>
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={220}>
        {({ slaHeatMap: cells }) => {
          if (cells.length === 0) return <Nothing />;
          const at = new Map(cells.map((cell) => [`${cell.weekday} ${cell.hour}`, cell]));
          const hours = Array.from({ length: 24 }, (_, hour) => hour);
          return (
            <>
              {/* What scrolls must be reached by the keyboard. */}
              {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
              <div className={classes.heatScroll} role="group" aria-label="Heat map" tabIndex={0}>
                <table className={classes.heat}>
                  <caption className="visually-hidden">Percent in target by weekday and hour</caption>
                  <thead><tr><th scope="col"><span className="visually-hidden">Weekday</span></th>{hours.map((hour) => <th key={hour} scope="col">{hour}</th>)}</tr></thead>
                  <tbody>
                    {weekdays.map((weekday, index) => (
                      <tr key={weekday}>
                        <th scope="row"><abbr title={weekday}>{weekday.slice(0, 3)}</abbr></th>
                        {hours.map((hour) => {
                          const cell = at.get(`${index + 1} ${hour}`);
                          const decided = cell ? cell.met + cell.missed : 0;
                          const share = cell && decided > 0 ? cell.met / decided : null;
                          return (
                            <td key={hour} data-level={toneOf(share)} title={cell ? `${weekday} ${hour}:00 – ${formatCount(cell.total)} clocks, ${formatShare(cell.met, decided)} in target` : undefined}>
                              {share === null ? '' : Math.round(share * 100)}
                            </td>
                          );
                        })}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <ul className={classes.legend}>
                <li><span className={classes.swatch} data-level="good" />90 % and more</li>
                <li><span className={classes.swatch} data-level="wait" />75 to 90 %</li>
                <li><span className={classes.swatch} data-level="bad" />below 75 %</li>
              </ul>
            </>
          );
        }}
      </Answer>
    </Panel>
  );
}
