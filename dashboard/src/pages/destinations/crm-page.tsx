import { Button, SegmentedControl, Skeleton, Switch, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconRefresh, IconSearch, IconUsersGroup } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { MissingPage } from '../../app/fallback-pages';
import { DataTable, type Column } from '../../components/data-table';
import { FilterBar, useFilters } from '../../components/filters';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { CrmChangeKind, CrmChangesQuery, CrmRecordsQuery } from '../../gql/graphql';
import { formatCount, humanise } from '../../lib/format';

const CrmRecordsDocument = graphql(`
  query CrmRecords($id: ID!, $kind: CrmKind, $inactive: Boolean!, $search: String) {
    destination(id: $id) { id name }
    crmRecords(destinationId: $id, kind: $kind, inactive: $inactive, search: $search) { kind remoteId name email active leads changedAt syncedAt }
  }
`);

const CrmChangesDocument = graphql(`
  query CrmChanges($id: ID!) { crmChanges(destinationId: $id, first: 50) { kind remoteId at change fields } }
`);

const SyncCrmDocument = graphql(`
  mutation SyncCrm($id: ID!) { syncCrm(destinationId: $id) { added changed removed error { field code message } } }
`);

type Row = CrmRecordsQuery['crmRecords'][number];
type ChangeRow = CrmChangesQuery['crmChanges'][number];

const changes: Readonly<Record<CrmChangeKind, { label: string; tone: Tone }>> = {
  ADDED: { label: 'New', tone: 'good' }, CHANGED: { label: 'Changed', tone: 'busy' }, REMOVED: { label: 'Gone', tone: 'wait' },
};

/** Users and campaigns of a destination's service: what it has, what changed, whose leads they are. */
export function CrmPage() {
  const { id = '' } = useParams();
  const { set, text } = useFilters();
  const kind = text('show') === 'campaigns' ? 'CAMPAIGN' : 'USER';
  const inactive = text('inactive') === 'yes';
  const search = text('search');
  const [typed, setTyped] = useState(search);
  const later = useDebouncedCallback((value: string) => { set({ search: value || null }); }, 300);
  const reconciles = useMay('reconciliation:read');
  const writes = useMay('reconciliation:write');
  const [{ data, error, fetching, stale }, again] = useQuery({ query: CrmRecordsDocument, variables: { id, kind, inactive, search: search || null } });
  const [{ data: history }, historyAgain] = useQuery({ query: CrmChangesDocument, variables: { id }, pause: !reconciles });
  const [{ fetching: syncing }, sync] = useMutation(SyncCrmDocument);
  const back = { to: `/destinations/${id}`, label: data?.destination?.name ?? 'Destination' };
  const reload = () => { again({ requestPolicy: 'network-only' }); if (reconciles) historyAgain({ requestPolicy: 'network-only' }); };
  if (error && !data) return <><PageHeader title="Users and campaigns" back={back} /><Panel><ErrorState error={error} onRetry={reload} /></Panel></>;
  if (!data && fetching) return <Skeleton height={320} aria-busy="true" />;
  if (!data?.destination) return <MissingPage />;

  async function read() {
    const payload = succeeded(await sync({ id }), (answer) => answer.syncCrm);
    if (!payload) return;
    notifyDone(`${formatCount(payload.added ?? 0)} new, ${formatCount(payload.changed ?? 0)} changed, ${formatCount(payload.removed ?? 0)} gone.`);
    reload();
  }

  const columns: readonly Column<Row>[] = [
    { key: 'name', header: 'Name', cell: (row) => <strong>{row.name}</strong> },
    ...(kind === 'USER' ? [{ key: 'email', header: 'E-mail', card: 'plain' as const, cell: (row: Row) => <span>{row.email}</span> }] : []),
    { key: 'id', header: 'Its id there', from: 'medium' as const, cell: (row) => <span className="mono">{row.remoteId}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status label={row.active ? 'Active' : 'Gone or inactive'} tone={row.active ? 'good' : 'calm'} /> },
    { key: 'leads', header: 'Leads', align: 'end', cell: (row) => (row.leads === 0 ? <span className="quiet">0</span> : <Link to={`/leads?crm=${encodeURIComponent(`${id}:${row.kind}:${row.remoteId}`)}`}>{formatCount(row.leads)}</Link>) },
    { key: 'changed', header: 'Last change', align: 'end', from: 'medium', fit: 'line', cell: (row) => <Time at={row.changedAt} /> },
    { key: 'synced', header: 'Read', align: 'end', from: 'wide', fit: 'line', cell: (row) => <Time at={row.syncedAt} /> },
  ];
  const what = kind === 'USER' ? 'user' : 'campaign';

  return (
    <>
      <PageHeader title="Users and campaigns" back={back} lead="As the service has them. Read every night, and now when you ask.">
        {writes && <Button variant="default" loading={syncing} leftSection={<IconRefresh size={16} aria-hidden="true" />} onClick={() => { void read(); }}>Read them now</Button>}
        <SegmentedControl
          aria-label="Which table" value={kind} onChange={(value) => { set({ show: value === 'CAMPAIGN' ? 'campaigns' : null }); }}
          data={[{ value: 'USER', label: 'Users' }, { value: 'CAMPAIGN', label: 'Campaigns' }]}
        />
      </PageHeader>
      <div className={panelClasses.stack}>
        <Panel flush>
          <FilterBar label={`Filter the ${what}s`} active={search !== '' || inactive} onClear={() => { setTyped(''); set({ search: null, inactive: null }); }}>
            <TextInput
              label="Search" type="search" placeholder="Name or e-mail" leftSection={<IconSearch size={16} aria-hidden="true" />} value={typed}
              onChange={(event) => { setTyped(event.currentTarget.value); later(event.currentTarget.value.trim()); }}
            />
            <Switch label="Also who is gone" checked={inactive} onChange={(event) => { set({ inactive: event.currentTarget.checked ? 'yes' : null }); }} />
          </FilterBar>
          <DataTable
            caption={`The service’s ${what}s`} columns={columns} rows={fetching && !stale ? undefined : data.crmRecords} rowKey={({ remoteId }) => remoteId}
            empty={<EmptyState icon={IconUsersGroup} title={search ? `No ${what} of that name` : `No ${what} is known`} detail={search ? 'Search for another part of it.' : 'They are read from the service’s API: its address and token are set under Reconciliation.'} />}
          />
        </Panel>
        {reconciles && history && history.crmChanges.length > 0 && (
          <Panel title="What changed" detail="The last fifty changes, newest first" flush>
            <DataTable caption="Changes of users and campaigns" columns={changeColumns} rows={history.crmChanges} rowKey={(row) => `${row.at} ${row.kind} ${row.remoteId} ${row.change}`} empty={null} />
          </Panel>
        )}
      </div>
    </>
  );
}

const changeColumns: readonly Column<ChangeRow>[] = [
  { key: 'at', header: 'When', fit: 'line', cell: (row) => <Time at={row.at} /> },
  { key: 'what', header: 'What', card: 'plain', cell: (row) => <span>{row.kind === 'USER' ? 'User' : 'Campaign'} <span className="mono">{row.remoteId}</span></span> },
  { key: 'change', header: 'Change', card: 'corner', cell: (row) => <Status {...changes[row.change]} /> },
  { key: 'fields', header: 'Fields', card: 'plain', cell: (row) => <Fields fields={row.fields as Record<string, readonly [unknown, unknown]>} /> },
];

function said(value: unknown): string {
  return value === null || value === undefined || value === '' ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value);
}

function Fields({ fields }: { fields: Record<string, readonly [unknown, unknown]> }) {
  return (
    <span>
      {Object.entries(fields).map(([field, [was, is]], index) => (
        <span key={field}>{index > 0 && '; '}{humanise(field)}: <s className="quiet">{said(was)}</s> {said(is)}</span>
      ))}
    </span>
  );
}
