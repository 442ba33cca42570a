import { Button } from '@mantine/core';
import { IconGauge, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SlaPoliciesQuery } from '../../gql/graphql';
import { plural } from '../../lib/format';
import { PolicyForm } from './policy-form';
import { clockName, lasting } from './words';

const SlaPoliciesDocument = graphql(`
  query SlaPolicies {
    slaPolicies {
      id name clock startsWith stopsWith place enabled version createdAt targetSeconds atRiskPercent calendarId pauseReasons
      conditions { sourceIds leadTypes states campaigns channels fields { field is } }
      versions { version createdAt targetSeconds atRiskPercent calendarId createdBy }
    }
    slaCalendars { id name timeZone }
    sources { id name }
  }
`);

export type PolicyRow = SlaPoliciesQuery['slaPolicies'][number];
export type Around = Pick<SlaPoliciesQuery, 'slaCalendars' | 'sources'>;

function conditionsOf(row: PolicyRow): string {
  const { sourceIds, leadTypes, states, campaigns, channels, fields } = row.conditions;
  const parts = [
    sourceIds.length > 0 ? plural(sourceIds.length, 'source') : '',
    leadTypes.join(', '), states.join(', '), campaigns.join(', '), channels.join(', '), ...fields.map(({ field, is }) => `${field}: ${is.join(', ')}`),
  ].filter(Boolean);
  return parts.length === 0 ? 'Every lead' : parts.join(' · ');
}

function columnsWith(open: (row: PolicyRow) => void, around: Around | undefined): readonly Column<PolicyRow>[] {
  const calendar = (id: string | null | undefined) => around?.slaCalendars.find((one) => one.id === id)?.name ?? 'Day and night';
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'clock', header: 'Clock', card: 'plain', cell: (row) => <span>{clockName(row.clock)}</span> },
    { key: 'leads', header: 'Leads', from: 'medium', card: 'plain', cell: (row) => <span>{conditionsOf(row)}</span> },
    { key: 'target', header: 'Target', align: 'end', cell: (row) => lasting(row.targetSeconds) },
    { key: 'time', header: 'Hours', fit: 'line', from: 'medium', card: 'plain', cell: (row) => <span>{calendar(row.calendarId)}</span> },
    { key: 'version', header: 'Version', align: 'end', from: 'wide', cell: (row) => row.version },
    { key: 'since', header: 'Since', align: 'end', from: 'wide', card: 'plain', cell: (row) => <Time at={row.createdAt} /> },
    { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Status label={row.enabled ? 'In force' : 'Switched off'} tone={row.enabled ? 'good' : 'calm'} /> },
  ];
}

export function PoliciesPage() {
  const writes = useMay('sla:write');
  const [{ data, error }, again] = useQuery({ query: SlaPoliciesDocument });
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<PolicyRow | null>(null);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Policies" back={{ to: '/sla', label: 'Service levels' }} lead="What is promised for which leads. Other terms are a new version; a lead keeps the one that applied when its clock started.">
        {writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New policy</Button>}
      </PageHeader>
      <Panel flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Policies" columns={columnsWith(setEdited, data)} rows={data?.slaPolicies} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconGauge} title="No policy yet" detail={writes ? 'Add the first one: the clocks of new leads then start by themselves.' : 'An administrator adds them.'} />}
          />
        )}
      </Panel>
      {data && creating && <PolicyForm around={data} onDone={reload} onClose={() => { setCreating(false); }} />}
      {data && edited && <PolicyForm key={edited.id} policy={edited} around={data} onDone={reload} onClose={() => { setEdited(null); }} />}
    </>
  );
}
