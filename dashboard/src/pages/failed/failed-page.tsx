import { Button, Checkbox, Group, MultiSelect, SegmentedControl, Select } from '@mantine/core';
import { IconCircleCheck, IconRefresh } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, useFilters } from '../../components/filters';
import { PageHeader } from '../../components/page-header';
import { Pager } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { FailedLeadsQuery } from '../../gql/graphql';
import { formatCount, formatName, plural } from '../../lib/format';
import { DeliveryDrawer } from '../deliveries/delivery-drawer';
import classes from '../deliveries/deliveries.module.css';
import { Rates } from './rates';
import { RetryAll, useRetries } from './retries';

const FailedLeadsDocument = graphql(`
  query FailedLeads($first: Int, $after: String, $filter: SubmissionFilter, $resolved: Boolean!) {
    failedLeads(first: $first, after: $after, filter: $filter, resolved: $resolved) {
      nodes { id leadId destinationId state channel sessionId source submittedAt lastAttemptAt attempts retries resolved error leadData }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

const FailedChoicesDocument = graphql(`
  query FailedChoices { destinations { id name } sources { id name } }
`);

type Row = FailedLeadsQuery['failedLeads']['nodes'][number];

const channels: Readonly<Record<string, string>> = { sms: 'Text', voice: 'Phone', web: 'Dashboard', file: 'File', api: 'API' };
const spans: Readonly<Record<string, { label: string; hours: number }>> = {
  day: { label: 'Last 24 hours', hours: 24 }, week: { label: 'Last 7 days', hours: 168 }, month: { label: 'Last 30 days', hours: 720 },
};

function nameOf(row: Row): string {
  const lead = row.leadData as { first_name?: string; last_name?: string };
  return formatName({ firstName: lead.first_name, lastName: lead.last_name });
}

function stateOf(row: Row): { label: string; tone: 'bad' | 'wait' | 'good' } {
  if (row.resolved) return { label: 'Resolved', tone: 'good' };
  if (row.state === 'failed') return { label: 'Failed', tone: 'bad' };
  return { label: row.state === 'held' ? 'Held' : 'In doubt', tone: 'wait' };
}

/** Since when, seen from the moment that the page was opened. */
function sinceOf(span: string, opened: number): string | null {
  const hours = spans[span]?.hours;
  return hours === undefined ? null : new Date(opened - hours * 3_600_000).toISOString();
}

export function FailedPage() {
  const { parameters, set, text, list } = useFilters();
  const [opened] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const destinations = text('destination');
  const sources = text('source');
  const channel = text('channel');
  const span = text('since');
  const resolved = text('show') === 'resolved';
  const filter = useMemo(() => ({
    destinationIds: destinations ? destinations.split(',') : null,
    sourceIds: sources ? sources.split(',') : null,
    channels: channel ? channel.split(',').filter((one) => Object.hasOwn(channels, one)) : null,
    since: sinceOf(span, opened),
  }), [destinations, sources, channel, span, opened]);
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: FailedLeadsDocument, variables: { first: 25, after: parameters.get('after'), filter, resolved },
  });
  const [{ data: choices }] = useQuery({ query: FailedChoicesDocument });
  const rows = data?.failedLeads.nodes ?? [];
  const shown = rows.filter(({ id }) => chosen.has(id));
  const active = [destinations, sources, channel, span].some((one) => one !== '');
  const none = resolved ? 'Nothing had to be resolved' : 'No lead waits for a person';
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  const { retrying, retry, question } = useRetries(() => { setChosen(new Set()); reload(); });
  const names = new Map((choices?.destinations ?? []).map(({ id, name }) => [id, name]));

  function choose(id: string, on: boolean) {
    setChosen((former) => {
      const next = new Set(former);
      if (on) next.add(id);
      else next.delete(id);
      return next;
    });
  }

  const columns: readonly Column<Row>[] = [
    ...(resolved ? [] : [{
      key: 'choose', header: 'Choose', card: 'before' as const,
      cell: (row: Row) => <Checkbox className={tableClasses.above} aria-label={`Choose ${nameOf(row)}`} checked={chosen.has(row.id)} onChange={(event) => { choose(row.id, event.currentTarget.checked); }} />,
    }]),
    { key: 'lead', header: 'Lead', cell: (row) => <Link to={`/leads/${row.leadId}`} className={tableClasses.rowLink}>{nameOf(row)}</Link> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...stateOf(row)} /> },
    { key: 'destination', header: 'Destination', card: 'plain', cell: (row) => <span>{names.get(row.destinationId) ?? ''}</span> },
    { key: 'channel', header: 'Channel', from: 'medium', cell: (row) => <span>{channels[row.channel] ?? row.channel}{row.sessionId && <span className="quiet"> · {row.sessionId}</span>}</span> },
    { key: 'error', header: 'Reason', from: 'medium', card: 'plain', cell: (row) => <span className={classes.reason}>{row.error}</span> },
    { key: 'attempts', header: 'Attempts', align: 'end', cell: (row) => formatCount(row.attempts) },
    { key: 'last', header: 'Last try', align: 'end', from: 'wide', card: 'plain', cell: (row) => <Time at={row.lastAttemptAt} /> },
    ...(resolved ? [] : [{
      key: 'retry', header: 'Action', align: 'end' as const, card: 'plain' as const,
      cell: (row: Row) => <Button size="compact-sm" variant="default" className={tableClasses.above} disabled={retrying} aria-label={`Retry ${nameOf(row)}`} onClick={() => { void retry([row.id]); }}>Retry</Button>,
    }]),
  ];

  return (
    <>
      <PageHeader title="Failed leads" lead="Leads that wait for a person: refused, held, or in doubt. What is retried is sent at once.">
        <SegmentedControl
          aria-label="Which leads" value={resolved ? 'resolved' : 'open'} onChange={(value) => { setChosen(new Set()); set({ show: value === 'resolved' ? value : null }); }}
          data={[{ value: 'open', label: 'Waiting' }, { value: 'resolved', label: 'Resolved' }]}
        />
      </PageHeader>
      <Rates />
      <Panel
        title={resolved ? 'Failed once, taken since' : 'Waiting, newest first'} flush
        actions={!resolved && rows.length > 0 && (
          <Group gap="xs">
            <RetryAll filter={filter} narrowed={active} onDone={reload} />
            <Button size="xs" variant="default" onClick={() => { setChosen(shown.length === rows.length ? new Set() : new Set(rows.map(({ id }) => id))); }}>
              {shown.length === rows.length ? 'Choose none' : 'Choose all shown'}
            </Button>
            <Button size="xs" disabled={shown.length === 0} loading={retrying} leftSection={<IconRefresh size={14} aria-hidden="true" />} onClick={() => { void retry(shown.map(({ id }) => id)); }}>
              {shown.length === 0 ? 'Retry chosen' : `Retry ${plural(shown.length, 'lead')}`}
            </Button>
          </Group>
        )}
      >
        <FilterBar label="Filter the failed leads" active={active} onClear={() => { set({ destination: null, source: null, channel: null, since: null }); }}>
          <MultiSelect
            label="Destination" placeholder={destinations ? '' : 'All'} clearable value={list('destination')} onChange={(destination) => { set({ destination }); }}
            data={(choices?.destinations ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All destinations' }}
          />
          <MultiSelect
            label="Source" placeholder={sources ? '' : 'All'} clearable value={list('source')} onChange={(source) => { set({ source }); }}
            data={(choices?.sources ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All sources' }}
          />
          <MultiSelect
            label="Channel" placeholder={channel ? '' : 'All'} clearable value={list('channel')} onChange={(value) => { set({ channel: value }); }}
            data={Object.entries(channels).map(([value, label]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'All channels' }}
          />
          <Select
            label="Since" placeholder="Ever" clearable value={span || null} onChange={(since) => { set({ since }); }}
            data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'Since ever' }}
          />
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Failed leads" columns={columns} rows={fetching && !stale ? undefined : data?.failedLeads.nodes} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconCircleCheck} title={active ? 'No lead fits these filters' : none} detail={active ? 'Clear a filter to see more.' : 'A lead that a destination refuses appears here, with the reason.'} />}
          />
        )}
        <Pager label="failed leads" pageInfo={data?.failedLeads.pageInfo} />
      </Panel>
      {question}
      <DeliveryDrawer onChange={reload} />
    </>
  );
}
