import { Button, Drawer, TextInput } from '@mantine/core';
import { IconArrowLeft, IconArrowRight, IconListSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, useFilters } from '../../components/filters';
import { Facts, Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { AuditLogQuery } from '../../gql/graphql';
import { humanise } from '../../lib/format';

const AuditLogDocument = graphql(`
  query AuditLog($before: Int, $filter: AuditLogFilter) {
    auditLog(first: 25, before: $before, filter: $filter) {
      entries { id number at actor action subject address detail }
      nextBefore
    }
    users { id name }
  }
`);

type Entry = AuditLogQuery['auditLog']['entries'][number];

/** `link.revoked` as a person reads it. */
function actionText(action: string): string {
  const [what = '', done = ''] = action.split('.');
  return `${humanise(what)}: ${humanise(done).toLowerCase()}`;
}

/** What was done, by whom, to what. */
export function AuditPage() {
  const { parameters, set, text } = useFilters();
  const [shown, setShown] = useState<Entry | null>(null);
  const before = Number(parameters.get('place')) || null;
  const filter = { action: text('action') || null, actor: text('actor') || null, subject: text('subject') || null };
  const [{ data, error }, again] = useQuery({ query: AuditLogDocument, variables: { before, filter } });
  const active = Object.values(filter).some((value) => value !== null);
  const names = new Map(data?.users.map(({ id, name }) => [id, name]));
  const who = (id: string) => names.get(id) ?? id;

  const columns: readonly Column<Entry>[] = [
    { key: 'action', header: 'What', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { setShown(row); }}>{actionText(row.action)}</button> },
    { key: 'actor', header: 'By', card: 'plain', cell: (row) => <span>{who(row.actor)}</span> },
    { key: 'subject', header: 'To', from: 'medium', card: 'plain', cell: (row) => <span className={names.has(row.subject) ? undefined : 'mono'}>{who(row.subject)}</span> },
    { key: 'at', header: 'When', fit: 'line', align: 'end', card: 'corner', cell: (row) => <Time at={row.at} /> },
  ];
  const field = (name: 'action' | 'actor' | 'subject', label: string, placeholder: string) => (
    <TextInput
      label={label} placeholder={placeholder} spellCheck={false} defaultValue={text(name)} key={`${name} ${text(name)}`}
      onBlur={(event) => { set({ [name]: event.currentTarget.value.trim() || null, place: null }); }}
      onKeyDown={(event) => { if (event.key === 'Enter') set({ [name]: event.currentTarget.value.trim() || null, place: null }); }}
    />
  );

  return (
    <>
      <Panel flush>
        <FilterBar label="Filter the audit log" active={active} onClear={() => { set({ action: null, actor: null, subject: null, place: null }); }}>
        {field('action', 'Action begins with', 'link.')}
        {field('actor', 'By (id)', 'user_01…')}
        {field('subject', 'To (id)', 'link_01…')}
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Audit log, newest first" columns={columns} rows={data?.auditLog.entries} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconListSearch} title={active ? 'Nothing fits these filters' : 'Nothing was done yet'} detail="Whatever an administrator changes, and each opening of a link, stands here for good." />}
          />
        )}
      </Panel>
      {(before !== null || data?.auditLog.nextBefore != null) && (
        <Button.Group mt="md">
          <Button variant="default" size="xs" disabled={before === null} leftSection={<IconArrowLeft size={14} aria-hidden="true" />} onClick={() => { set({ place: null }); }}>Newest</Button>
          <Button variant="default" size="xs" disabled={data?.auditLog.nextBefore == null} rightSection={<IconArrowRight size={14} aria-hidden="true" />} onClick={() => { set({ place: String(data?.auditLog.nextBefore ?? '') }); }}>Older</Button>
        </Button.Group>
      )}
      {shown && (
        <Drawer opened onClose={() => { setShown(null); }} size="lg" title={actionText(shown.action)} closeButtonProps={{ 'aria-label': 'Close' }}>
          <Facts
            entries={[
              { label: 'When', value: <Time at={shown.at} /> },
              { label: 'By', value: <>{who(shown.actor)} <span className="mono quiet">{shown.actor}</span></> },
              { label: 'To', value: <>{who(shown.subject)} <span className="mono quiet">{shown.subject}</span></> },
              { label: 'From', value: shown.address },
              { label: 'Place in the log', value: String(shown.number) },
              ...Object.entries((shown.detail ?? {}) as Record<string, unknown>).map(([name, value]) => ({ label: humanise(name), value: typeof value === 'string' ? value : JSON.stringify(value) })),
            ]}
          />
        </Drawer>
      )}
    </>
  );
}
