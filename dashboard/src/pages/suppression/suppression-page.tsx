import { Alert, Button, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconInfoCircle, IconPhoneOff, IconPlus, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { useActorName } from '../../components/actor';
import { Confirm } from '../../components/confirm';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, useFilters } from '../../components/filters';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SuppressionsQuery } from '../../gql/graphql';
import { formatPhone } from '../../lib/format';

const SuppressionsDocument = graphql(`
  query Suppressions($search: String) {
    suppressions(search: $search) { id kind value reason leadId actor createdAt }
  }
`);

const SuppressDocument = graphql(`
  mutation Suppress($contact: String!, $reason: String) { suppress(contact: $contact, reason: $reason) { done error { field code message } } }
`);

const UnsuppressDocument = graphql(`
  mutation Unsuppress($id: ID!) { unsuppress(id: $id) { done error { field code message } } }
`);

type Row = SuppressionsQuery['suppressions'][number];

/** As many as the server lists. */
const rowsMax = 500;

function shown(row: Row): string {
  return row.kind === 'PHONE' ? formatPhone(row.value) : row.value;
}

export function SuppressionPage() {
  const { set, text } = useFilters();
  const writes = useMay('leads:write');
  const removes = useMay('tracking:write');
  const search = text('search');
  const actorName = useActorName();
  const [typed, setTyped] = useState(search);
  const later = useDebouncedCallback((value: string) => { set({ search: value || null }); }, 300);
  const [{ data, error, fetching, stale }, again] = useQuery({ query: SuppressionsDocument, variables: { search: search || null } });
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Row | null>(null);
  const [{ fetching: busy }, unsuppress] = useMutation(UnsuppressDocument);
  const rows = data?.suppressions;
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  async function remove(row: Row) {
    const payload = succeeded(await unsuppress({ id: row.id }), (answer) => answer.unsuppress);
    setRemoving(null);
    if (!payload) return;
    notifyDone(`${shown(row)} may be contacted again.`);
    reload();
  }

  const columns: readonly Column<Row>[] = [
    { key: 'value', header: 'Phone or e-mail', cell: (row) => <strong>{shown(row)}</strong> },
    { key: 'reason', header: 'Reason', card: 'plain', cell: (row) => <span>{row.reason}</span> },
    { key: 'actor', header: 'Entered by', from: 'medium', cell: (row) => <span>{row.actor.startsWith('dest_') ? 'A destination’s report' : actorName(row.actor)}</span> },
    { key: 'lead', header: 'Lead', from: 'medium', card: 'plain', cell: (row) => (row.leadId ? <Link to={`/leads/${row.leadId}`}>Open</Link> : <span />) },
    { key: 'created', header: 'Since', align: 'end', fit: 'line', cell: (row) => <Time at={row.createdAt} /> },
    ...(removes ? [{
      key: 'remove', header: 'Action', align: 'end' as const, card: 'plain' as const,
      cell: (row: Row) => <Button size="compact-sm" variant="default" className={tableClasses.above} aria-label={`Remove ${shown(row)}`} onClick={() => { setRemoving(row); }}>Remove</Button>,
    }] : []),
  ];

  return (
    <>
      <PageHeader title="Do not contact" lead="Who wants no more contact. Leads of these people are kept, and nothing is sent for them.">
        {writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setAdding(true); }}>Add a person</Button>}
      </PageHeader>
      <Panel flush>
        <FilterBar label="Search the list" active={search !== ''} onClear={() => { setTyped(''); set({ search: null }); }}>
          <TextInput
            label="Search" type="search" placeholder="Part of a phone or e-mail" leftSection={<IconSearch size={16} aria-hidden="true" />}
            value={typed} onChange={(event) => { setTyped(event.currentTarget.value); later(event.currentTarget.value.trim()); }}
          />
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="People who want no more contact, newest first" columns={columns} rows={fetching && !stale && !data ? undefined : rows} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconPhoneOff} title={search ? 'Nobody of that phone or e-mail' : 'Nobody is on the list'} detail={search ? 'Search for another part of it.' : 'People come here when a destination reports that they opted out, or when you add them.'} />}
          />
        )}
      </Panel>
      {rows?.length === rowsMax && (
        <Alert mt="md" variant="light" color="gray" icon={<IconInfoCircle aria-hidden="true" />}>The newest {rowsMax} are shown. Search to find others.</Alert>
      )}
      {adding && <AddForm onClose={(done) => { setAdding(false); if (done) reload(); }} />}
      <Confirm opened={removing !== null} danger busy={busy} title="Contact this person again?" action="Remove from the list" onConfirm={() => { if (removing) void remove(removing); }} onClose={() => { setRemoving(null); }}>
        <Text>{removing && shown(removing)} leaves the list. What was held for it is sent when somebody retries it under Failed leads.</Text>
      </Confirm>
    </>
  );
}

function AddForm({ onClose }: { onClose: (done: boolean) => void }) {
  const [contact, setContact] = useState('');
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, suppress] = useMutation(SuppressDocument);

  async function save() {
    setProblem(null);
    const { data, error } = await suppress({ contact: contact.trim(), reason: reason.trim() || null });
    if (error) notifyError(error);
    if (!data) return;
    if (data.suppress.error) { setProblem(data.suppress.error); return; }
    notifyDone(`${contact.trim()} is not contacted any more.`);
    onClose(true);
  }

  return (
    <FormDrawer opened title="Contact no more" action="Add to the list" readOnly={false} busy={fetching} onSubmit={save} onClose={() => { onClose(false); }}>
      <OtherMessage error={problem} fields={['contact', 'reason']} />
      <TextInput label="Phone or e-mail" description="What waits for it is held at once" required data-autofocus value={contact} onChange={(event) => { setContact(event.currentTarget.value); }} error={messageFor(problem, 'contact')} />
      <TextInput label="Reason" description="For whoever reads the list; up to 200 characters" maxLength={200} value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} error={messageFor(problem, 'reason')} />
    </FormDrawer>
  );
}
