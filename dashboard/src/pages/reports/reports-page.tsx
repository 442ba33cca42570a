import { Button, Drawer, MultiSelect, Select, Skeleton, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMessageReport, IconPlugConnected, IconRefresh } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, known, useFilters } from '../../components/filters';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Pager } from '../../components/pager';
import { Facts, Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { InboundConfirmation, InboundHooksQuery, InboundState } from '../../gql/graphql';
import { plural } from '../../lib/format';
import { EndpointDrawer } from './endpoint-drawer';

const InboundHooksDocument = graphql(`
  query InboundHooks($first: Int, $after: String, $destination: ID, $states: [InboundState!]) {
    inboundHooks(first: $first, after: $after, destination: $destination, states: $states) {
      nodes { id destinationId receivedAt state confirmation leadId result processedAt }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

const InboundHookDocument = graphql(`
  query InboundHook($id: ID!) {
    inboundHook(id: $id) { id destinationId receivedAt state confirmation leadId result processedAt body }
  }
`);

const ReportDestinationsDocument = graphql(`
  query ReportDestinations { destinations { id name } }
`);

const ProcessReportsDocument = graphql(`
  mutation ProcessReports($ids: [ID!]!) { processReports(ids: $ids) { queued error { field code message } } }
`);

type Row = InboundHooksQuery['inboundHooks']['nodes'][number];

const states: Readonly<Record<InboundState, { label: string; tone: Tone }>> = {
  RECEIVED: { label: 'Waiting', tone: 'busy' },
  PROCESSED: { label: 'Processed', tone: 'good' },
  IGNORED: { label: 'No effect', tone: 'calm' },
  FAILED: { label: 'Failed', tone: 'bad' },
};

const confirmations: Readonly<Record<InboundConfirmation, { label: string; tone: Tone }>> = {
  CONFIRMED: { label: 'Confirmed by the API', tone: 'good' },
  CONTRADICTED: { label: 'The API says otherwise', tone: 'bad' },
  UNCHECKED: { label: 'No API to ask', tone: 'wait' },
};

function mayProcess(state: InboundState): boolean {
  return state === 'FAILED' || state === 'IGNORED';
}

export function ReportsPage() {
  const { parameters, set, text, list } = useFilters();
  const admin = useMay('destinations:write');
  const writes = useMay('tracking:write');
  const [endpoints, { open, close }] = useDisclosure(false);
  const destination = text('destination');
  const chosen = text('state');
  const wanted = useMemo(() => known(chosen.split(','), states), [chosen]);
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: InboundHooksDocument,
    variables: { first: 25, after: parameters.get('after'), destination: destination || null, states: wanted.length > 0 ? wanted : null },
  });
  const [{ data: choices }] = useQuery({ query: ReportDestinationsDocument });
  const [{ fetching: queueing }, mutate] = useMutation(ProcessReportsDocument);
  const names = new Map((choices?.destinations ?? []).map(({ id, name }) => [id, name]));
  const rows = data?.inboundHooks.nodes ?? [];
  const processable = rows.filter(({ state }) => mayProcess(state)).map(({ id }) => id);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  const active = destination !== '' || chosen !== '';

  async function process(ids: readonly string[]) {
    const payload = succeeded(await mutate({ ids: [...ids] }), (answer) => answer.processReports);
    if (!payload) return;
    notifyDone(`${plural(payload.queued ?? 0, 'report')} will be processed again.`);
    reload();
  }

  const columns: readonly Column<Row>[] = [
    {
      key: 'received', header: 'Received', fit: 'line',
      cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { set({ report: row.id, after: parameters.get('after') }); }}><Time at={row.receivedAt} /></button>,
    },
    { key: 'destination', header: 'By', card: 'plain', cell: (row) => <span>{names.get(row.destinationId) ?? ''}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...states[row.state]} /> },
    { key: 'confirmation', header: 'Checked', from: 'medium', cell: (row) => (row.confirmation ? <Status {...confirmations[row.confirmation]} /> : <span className="quiet">{row.state === 'RECEIVED' ? 'Not yet' : 'By its signature'}</span>) },
    { key: 'result', header: 'Effect', card: 'plain', cell: (row) => <span className="quiet">{row.result}</span> },
    { key: 'lead', header: 'Lead', fit: 'line', card: 'plain', cell: (row) => (row.leadId ? <Link className={tableClasses.above} to={`/leads/${row.leadId}`}>Open</Link> : <span />) },
  ];

  return (
    <>
      <PageHeader title="Reports" lead="What destinations say became of the leads: stored as it came, checked, and then given its effect, once.">
        {admin && <Button variant="default" leftSection={<IconPlugConnected size={16} aria-hidden="true" />} onClick={open}>Who reports</Button>}
      </PageHeader>
      <Panel
        title="Reports, newest first" flush
        actions={writes && processable.length > 0 && (
          <Button size="xs" variant="default" loading={queueing} leftSection={<IconRefresh size={14} aria-hidden="true" />} onClick={() => { void process(processable); }}>
            Process {plural(processable.length, 'report')} again
          </Button>
        )}
      >
        <FilterBar label="Filter the reports" active={active} onClear={() => { set({ destination: null, state: null }); }}>
          <Select
            label="Destination" placeholder="All" clearable value={destination || null} onChange={(value) => { set({ destination: value }); }}
            data={(choices?.destinations ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All destinations' }}
          />
          <MultiSelect
            label="State" placeholder={chosen ? '' : 'All'} clearable value={list('state')} onChange={(state) => { set({ state }); }}
            data={Object.entries(states).map(([value, { label }]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'All states' }}
          />
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Reports of destinations" columns={columns} rows={fetching && !stale && !data ? undefined : data?.inboundHooks.nodes} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconMessageReport} title={active ? 'No report fits these filters' : 'Nobody has reported yet'} detail={active ? 'Clear a filter to see more.' : 'Let a destination report: its address and its code are under “Who reports”.'} />}
          />
        )}
        <Pager label="reports" pageInfo={data?.inboundHooks.pageInfo} />
      </Panel>
      <ReportDrawer
        id={text('report') || null} names={names} onClose={() => { set({ report: null, after: parameters.get('after') }); }}
        onProcess={writes ? (id) => { void process([id]); } : null}
      />
      {endpoints && <EndpointDrawer destinations={choices?.destinations ?? []} onClose={close} />}
    </>
  );
}

interface DrawerProps {
  id: string | null;
  names: ReadonlyMap<string, string>;
  onClose: () => void;
  /** Null for who may not. */
  onProcess: ((id: string) => void) | null;
}

/** The report that the address names (`?report=hook_…`), as it came. */
function ReportDrawer({ id, names, onClose, onProcess }: DrawerProps) {
  return (
    <Drawer opened={id !== null} onClose={onClose} size="lg" title="Report" closeButtonProps={{ 'aria-label': 'Close' }}>
      {id && <Report key={id} id={id} names={names} onProcess={onProcess} />}
    </Drawer>
  );
}

/** JSON as people read it; anything else as it is. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function Report({ id, names, onProcess }: { id: string; names: ReadonlyMap<string, string>; onProcess: DrawerProps['onProcess'] }) {
  const [{ data, error, fetching }, again] = useQuery({ query: InboundHookDocument, variables: { id } });
  const report = data?.inboundHook;
  if (error && !report) return <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} />;
  if (!report && fetching) return <Skeleton height={220} aria-busy="true" />;
  if (!report) return <EmptyState icon={IconMessageReport} title="No such report" detail="It does not exist, or it belongs to another tenant." />;
  return (
    <Stack>
      <Facts
        entries={[
          { label: 'By', value: names.get(report.destinationId) },
          { label: 'State', value: <Status {...states[report.state]} /> },
          { label: 'Received', value: <Time at={report.receivedAt} /> },
          { label: 'Processed', value: report.processedAt && <Time at={report.processedAt} /> },
          { label: 'Checked', value: report.confirmation && <Status {...confirmations[report.confirmation]} /> },
          { label: 'Effect', value: report.result },
          { label: 'Lead', value: report.leadId && <Link to={`/leads/${report.leadId}`}>Open the lead</Link> },
        ]}
      />
      {onProcess && mayProcess(report.state) && (
        <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden="true" />} onClick={() => { onProcess(report.id); }}>Process it again</Button>
      )}
      <Text fw={600} id="report-body">As it came</Text>
      <pre className="mono" aria-labelledby="report-body" style={{ margin: 0, padding: 12, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', border: '1px solid var(--line)', borderRadius: 8, fontSize: '0.8125rem' }}>
        {pretty(report.body ?? '')}
      </pre>
    </Stack>
  );
}

