import { MultiSelect, Select, TextInput } from '@mantine/core';
import { DatePickerInput } from '@mantine/dates';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconCalendar, IconSearch, IconUsers } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { useZone } from '../../app/session';
import { announce } from '../../components/announce';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, known, useFilters } from '../../components/filters';
import { PageHeader } from '../../components/page-header';
import { Pager, pageOf } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { leadStatuses, Status, Tag } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { LeadFilter, LeadSourcesQuery, LeadsQuery } from '../../gql/graphql';
import { formatCount, formatName, formatPhone, plural } from '../../lib/format';
import { usStates } from '../../lib/us-states';
import { dayAfter, startOfDay } from '../../lib/zone';

const LeadsDocument = graphql(`
  query Leads($first: Int, $after: String, $last: Int, $before: String, $filter: LeadFilter) {
    leads(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      nodes {
        id status firstName lastName phone email state receivedAt
        source { id name }
        warnings { code }
      }
      totalCount
      totalIsExact
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

const LeadSourcesDocument = graphql(`
  query LeadSources {
    sources { id slug name }
    crmRecords { destinationId kind remoteId name }
  }
`);

type Row = LeadsQuery['leads']['nodes'][number];

const columns: readonly Column<Row>[] = [
  {
    key: 'name', header: 'Name',
    cell: (lead) => (
      <>
        <Link to={`/leads/${lead.id}`} className={tableClasses.rowLink}>{formatName(lead)}</Link>
        {lead.warnings.length > 0 && <>{' '}<Tag>{plural(lead.warnings.length, 'warning')}</Tag></>}
      </>
    ),
  },
  { key: 'phone', header: 'Phone', fit: 'line', card: 'plain', cell: (lead) => <span>{lead.phone ? formatPhone(lead.phone) : ''}</span> },
  { key: 'email', header: 'E-mail', from: 'medium', card: 'plain', cell: (lead) => <span>{lead.email}</span> },
  { key: 'state', header: 'State', fit: 'line', card: 'plain', cell: (lead) => <span>{lead.state}</span> },
  { key: 'source', header: 'Source', fit: 'cut', from: 'wide', cell: (lead) => <span title={lead.source.name}>{lead.source.name}</span> },
  { key: 'status', header: 'Status', card: 'corner', cell: (lead) => <Status {...leadStatuses[lead.status]} /> },
  { key: 'received', header: 'Received', fit: 'line', align: 'end', card: 'plain', cell: (lead) => <Time at={lead.receivedAt} /> },
];

/** A search that waits until the typing pauses, and follows the address when a link changes it. */
function Search({ value, onSearch }: { value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(value);
  const [former, setFormer] = useState(value);
  if (former !== value) {
    setFormer(value);
    if (value !== text.trim()) setText(value);
  }
  const later = useDebouncedCallback(onSearch, 300);
  return (
    <TextInput
      label="Search" type="search" placeholder="Name, phone or e-mail" leftSection={<IconSearch size={16} aria-hidden="true" />}
      value={text} onChange={(event) => { setText(event.currentTarget.value); later(event.currentTarget.value.trim()); }}
    />
  );
}

function useLeadFilter() {
  const filters = useFilters();
  const zone = useZone();
  const { parameters, text, list } = filters;
  const key = parameters.toString();
  const filter = useMemo((): LeadFilter => {
    const from = text('from');
    const to = text('to');
    return {
      sourceIds: list('source').length > 0 ? list('source') : null,
      states: list('state').length > 0 ? list('state') : null,
      statuses: list('status').length > 0 ? known(list('status'), leadStatuses) : null,
      importId: text('import') || null,
      receivedFrom: from ? startOfDay(from, zone) : null,
      receivedBefore: to ? startOfDay(dayAfter(to), zone) : null,
      crm: crmOf(text('crm')),
      warned: text('warned') === 'yes' ? true : text('warned') === 'no' ? false : null,
      search: text('search') || null,
    };
    // The parameters' text is all that the filter depends on.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, zone]);
  const active = Object.values(filter).some((value) => value !== null);
  return { ...filters, filter, active };
}

/** `destination:kind:id`, as the page of users and campaigns links it. */
function crmOf(text: string): LeadFilter['crm'] {
  const [destinationId, kind, ...remoteId] = text.split(':');
  if (!destinationId || remoteId.length === 0 || (kind !== 'USER' && kind !== 'CAMPAIGN')) return null;
  return { destinationId, kind, remoteId: remoteId.join(':') };
}

const noFilters = { crm: null, source: null, state: null, status: null, import: null, from: null, to: null, warned: null, search: null };

type CrmChoice = LeadSourcesQuery['crmRecords'][number];

/** By what they are. */
function crmChoices(records: readonly CrmChoice[]) {
  const items = (wanted: CrmChoice['kind']) => records.filter(({ kind }) => kind === wanted)
    .map(({ destinationId, kind, remoteId, name }) => ({ value: `${destinationId}:${kind}:${remoteId}`, label: name }));
  return [{ group: 'Users', items: items('USER') }, { group: 'Campaigns', items: items('CAMPAIGN') }].filter(({ items: some }) => some.length > 0);
}

export function LeadsPage() {
  const { parameters, set, text, list, filter, active } = useLeadFilter();
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: LeadsDocument,
    variables: { ...pageOf(parameters, 25), filter },
  });
  const [{ data: sourceData }] = useQuery({ query: LeadSourcesDocument });
  const leads = data?.leads;
  const crm = sourceData?.crmRecords ?? [];

  useEffect(() => {
    if (leads && !fetching) announce(`${plural(leads.nodes.length, 'lead')} on this page`);
  }, [leads, fetching]);

  return (
    <>
      <PageHeader title="Leads" lead="Everyone who came in, newest first, and where their hand-over stands." />
      <Panel flush>
        <FilterBar label="Filter the leads" active={active} onClear={() => { set(noFilters); }}>
          <Search value={text('search')} onSearch={(search) => { set({ search }); }} />
          <MultiSelect
            label="Source" placeholder={list('source').length > 0 ? '' : 'All'} clearable value={list('source')} onChange={(source) => { set({ source }); }}
            data={(sourceData?.sources ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All sources' }}
          />
          <MultiSelect
            label="Status" placeholder={list('status').length > 0 ? '' : 'All'} clearable value={list('status')} onChange={(status) => { set({ status }); }}
            data={Object.entries(leadStatuses).map(([value, { label }]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'All statuses' }}
          />
          <MultiSelect
            label="State" placeholder={list('state').length > 0 ? '' : 'All'} searchable clearable value={list('state')} onChange={(state) => { set({ state }); }}
            data={usStates} clearButtonProps={{ 'aria-label': 'All states' }}
          />
          {(crm.length > 0 || text('crm') !== '') && (
            <Select
              label="CRM user or campaign" placeholder="All" searchable clearable value={text('crm') || null} onChange={(value) => { set({ crm: value }); }}
              data={crmChoices(crm)} clearButtonProps={{ 'aria-label': 'All CRM users and campaigns' }}
            />
          )}
          <DatePickerInput
            type="range" label="Received" placeholder="Any time" allowSingleDateInRange clearable valueFormat="MMM D" firstDayOfWeek={0}
            leftSection={<IconCalendar size={16} aria-hidden="true" />} value={[text('from') || null, text('to') || null]}
            onChange={([from, to]) => { set({ from, to }); }} clearButtonProps={{ 'aria-label': 'Any time' }}
          />
          <Select
            label="Warnings" data={[{ value: 'yes', label: 'With warnings' }, { value: 'no', label: 'Without' }]} placeholder="All" clearable
            value={text('warned') || null} onChange={(warned) => { set({ warned }); }} clearButtonProps={{ 'aria-label': 'With and without warnings' }}
          />
        </FilterBar>
        {error && !leads ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Leads, newest first" columns={columns} rows={fetching && !stale ? undefined : leads?.nodes} rowKey={({ id }) => id}
            empty={active
              ? <EmptyState icon={IconUsers} title="No lead fits these filters" detail="Widen the dates or clear a filter." />
              : <EmptyState icon={IconUsers} title="No leads yet" detail={<>They appear here as soon as a source sends one, or a file is <Link to="/imports">imported</Link>.</>} />}
          />
        )}
        <Pager label="leads" pageInfo={leads?.pageInfo} summary={countText(leads)} />
      </Panel>
    </>
  );
}

function countText(leads: LeadsQuery['leads'] | undefined): string | undefined {
  if (leads?.totalCount === null || leads?.totalCount === undefined) return undefined;
  return leads.totalIsExact ? plural(leads.totalCount, 'lead') : `More than ${formatCount(leads.totalCount)} leads`;
}
