import { Button, Switch } from '@mantine/core';
import { IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { notifyDone, notifyError } from '../../components/notify';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import type { TeamsQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { EditTeam } from './edit-team';

const TeamsDocument = graphql(`
  query Teams {
    teams { id name createdAt memberIds sourceIds }
    accessSettings { agentsSeeTheirTeamsOnly }
  }
`);

const UpdateAccessSettingsDocument = graphql(`
  mutation UpdateAccessSettings($only: Boolean!) {
    updateAccessSettings(agentsSeeTheirTeamsOnly: $only) { settings { agentsSeeTheirTeamsOnly } }
  }
`);

export type TeamRow = TeamsQuery['teams'][number];

function columnsWith(open: (row: TeamRow) => void): readonly Column<TeamRow>[] {
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'members', header: 'Members', align: 'end', cell: (row) => formatCount(row.memberIds.length) },
    { key: 'sources', header: 'Sources', align: 'end', cell: (row) => formatCount(row.sourceIds.length) },
  ];
}

/** Who works together, and on which sources' leads. */
export function TeamsPage() {
  const writes = useMay('teams:write');
  const setsUp = useMay('settings:write');
  const [{ data, error }, again] = useQuery({ query: TeamsDocument });
  const [edited, setEdited] = useState<TeamRow | 'new' | null>(null);
  const [{ fetching }, set] = useMutation(UpdateAccessSettingsDocument);
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  async function narrow(only: boolean) {
    const answer = await set({ only });
    if (answer.error) notifyError(answer.error);
    else notifyDone(only ? 'Agents see the leads of their teams only.' : 'Agents see every lead.');
    reload();
  }

  if (error && !data) return <Panel><ErrorState error={error} onRetry={reload} /></Panel>;
  return (
    <>
      <Panel
        flush title="Teams" detail="A team works with the leads of its sources."
        actions={writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setEdited('new'); }}>New team</Button>}
      >
        <DataTable caption="Teams" columns={columnsWith(setEdited)} rows={data?.teams} rowKey={({ id }) => id} empty={<EmptyState icon={IconUsersGroup} title="No team yet" detail="Teams are needed only where agents should not see every lead." />} />
      </Panel>
      <Panel title="What agents see">
        <Switch
          label="Agents see the leads of their teams’ sources only" description="Otherwise they see every lead. Owners, administrators and managers always do." disabled={!setsUp || fetching || !data}
          checked={data?.accessSettings.agentsSeeTheirTeamsOnly ?? false} onChange={(event) => { void narrow(event.currentTarget.checked); }}
        />
      </Panel>
      {edited && <EditTeam key={edited === 'new' ? 'new' : edited.id} team={edited === 'new' ? null : edited} onClose={() => { setEdited(null); reload(); }} />}
    </>
  );
}
