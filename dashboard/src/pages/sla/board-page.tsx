import { Alert, Anchor, Button, Group, SegmentedControl, Select } from '@mantine/core';
import { IconLayoutDashboard, IconPrinter, IconUrgent, IconUsersGroup } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { DataTable, type Column } from '../../components/data-table';
import { useChoice } from '../../components/filters';
import { PageHeader } from '../../components/page-header';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState } from '../../components/states';
import type { SlaPerformanceQuery } from '../../gql/graphql';
import { formatCount, plural } from '../../lib/format';
import { Filters, Narrowed } from './board-filters';
import { useThreshold } from './cases-page';
import { SlaPerformanceDocument } from './data';
import { spans, useBoard, type Board } from './filter';
import { Answer, Breaches, By, Compared, Csv, dimensions, HeatMap, Open, Share, Tiles, Trend, useNow } from './parts';
import classes from './sla.module.css';
import { SourceTable } from './source-table';
import { lasting, more, points } from './words';

type PerformanceRow = SlaPerformanceQuery['slaPerformance'][number];

const performanceColumns = (header: string): readonly Column<PerformanceRow>[] => [
  { key: 'name', header, cell: (row) => row.name ?? <span className="quiet">nobody yet</span> },
  { key: 'total', header: 'Leads', align: 'end', cell: (row) => <Compared against={more(row.figures.total, row.before.figures.total)}>{formatCount(row.figures.total)}</Compared> },
  { key: 'share', header: 'In target', align: 'end', cell: (row) => <Compared against={points(row.figures.share, row.before.figures.share)}><Share share={row.figures.share} /></Compared> },
  { key: 'p50', header: 'Median', align: 'end', cell: (row) => lasting(row.figures.p50Seconds) },
  { key: 'p95', header: 'p95', align: 'end', from: 'wide', cell: (row) => lasting(row.figures.p95Seconds) },
  { key: 'sold', header: 'Sold', align: 'end', cell: (row) => <Compared against={more(row.sold, row.before.sold)}>{formatCount(row.sold)}</Compared> },
];

const whos = ['team', 'agent'] as const;

function Performance({ board }: { board: Board }) {
  const [who, setWho] = useChoice('who', whos);
  const teams = who === 'team';
  const [{ data, error }, again] = useQuery({ query: SlaPerformanceDocument, variables: { since: board.since, teams, filter: board.filter } });
  return (
    <Panel
      title="Team performance" detail="Who answered, and how fast, beside the same time before" flush
      actions={(
        <>
          <SegmentedControl size="xs" aria-label="By team or by agent" value={who} onChange={setWho} data={[{ value: 'team', label: 'Teams' }, { value: 'agent', label: 'Agents' }]} />
          <Csv href={board.download(teams ? 'teams' : 'agents')} what="team performance" />
        </>
      )}
    >
      <Answer data={data} error={error} again={() => { again({ requestPolicy: 'network-only' }); }} height={180}>
        {({ slaPerformance }) => (
          <DataTable
            caption="Team performance" columns={performanceColumns(teams ? 'Team' : 'Agent')} rows={slaPerformance} rowKey={(row) => row.name ?? ''}
            empty={<EmptyState icon={IconUsersGroup} title="No clock in this span" detail="Who reached a lead is told with its first contact." />}
          />
        )}
      </Answer>
    </Panel>
  );
}

const dimensionNames = ['SOURCE', 'LEAD_TYPE', 'TEAM', 'AGENT', 'CAMPAIGN', 'DESTINATION', 'STATE'] as const satisfies readonly (keyof typeof dimensions)[];

export function BoardPage() {
  const board = useBoard();
  const now = useNow(board);
  const threshold = useThreshold(board.clock);
  const [parameters] = useSearchParams();
  const [dimension, setDimension] = useChoice('by', dimensionNames);
  return (
    <>
      <PageHeader title="Service levels" lead="How fast leads are handed over and answered, who is about to be late, and where time is lost.">
        <Group gap="xs" className={classes.noPrint}>
          <Button component={Link} to={`/sla/executive?${parameters.toString()}`} variant="default">Executive view</Button>
          <Button component={Link} to="/sla/policies" variant="default">Policies</Button>
          <Button component={Link} to="/sla/calendars" variant="default">Calendars</Button>
          <Button component={Link} to="/sla/cases" variant="default">Cases</Button>
          <Button component={Link} to={`/sla/compact?${parameters.toString()}`} variant="default" leftSection={<IconLayoutDashboard size={16} aria-hidden="true" />}>One screen</Button>
          <Button variant="default" leftSection={<IconPrinter size={16} aria-hidden="true" />} onClick={() => { window.print(); }}>Print</Button>
        </Group>
        <SegmentedControl
          aria-label="Span of the board" value={board.span} onChange={(span) => { board.set({ span }); }}
          data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
        />
      </PageHeader>
      <div className={classes.board}>
        <div className={classes.noPrint}><Panel flush><Filters board={board} /></Panel></div>
        <Narrowed board={board} />
        {now && now.openCases > 0 && (
          <Alert variant="light" color="red" icon={<IconUrgent aria-hidden="true" />} title="Service levels are missed">
            {plural(now.openCases, 'case')} open. <Anchor component={Link} to="/sla/cases">See what happened and book help</Anchor>
          </Alert>
        )}
        <Tiles board={board} now={now} />
        <Trend board={board} target={threshold} />
        <div className={panelClasses.halves}>
          <Open board={board} now={now} first={10} standing={null} title="Due next" detail="Open clocks that can still be met" />
          <Open board={board} now={now} first={10} standing="OVERDUE" title="Overdue" detail="Ran out and still open, the longest first" />
        </div>
        <div className={panelClasses.halves}>
          <By
            board={board} dimension={dimension}
            choice={(
              <Select
                className={classes.noPrint} w={150} size="xs" aria-label="Figures by" allowDeselect={false} value={dimension} data={Object.entries(dimensions).map(([value, label]) => ({ value, label }))}
                onChange={(value) => { if (value) setDimension(value); }}
              />
            )}
          />
          <Performance board={board} />
        </div>
        <HeatMap board={board} />
        <Breaches board={board} />
        <SourceTable board={board} />
      </div>
    </>
  );
}
