import { IconCheck } from '@tabler/icons-react';
import { useQuery } from 'urql';
import { DataTable, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import type { RightsQuery } from '../../gql/graphql';
import { personRoles, roleNames } from '../../lib/roles';

const RightsDocument = graphql(`
  query Rights { rights { name about roles } }
`);

type Right = RightsQuery['rights'][number];

const columns: readonly Column<Right>[] = [
  { key: 'about', header: 'May', cell: (right) => <span>{right.about}</span> },
  { key: 'name', header: 'Right', fit: 'line', from: 'medium', card: 'plain', cell: (right) => <span className="mono">{right.name}</span> },
  ...[...personRoles, 'SERVICE' as const].map((role): Column<Right> => ({
    key: role, header: roleNames[role], align: 'end',
    cell: (right) => (right.roles.includes(role) ? <><IconCheck size={16} aria-hidden="true" /><span className="visually-hidden">yes</span></> : <span className="visually-hidden">no</span>),
  })),
];

/** What each role may see and do: the table that the server itself follows. */
export function RolesPage() {
  const [{ data, error }, again] = useQuery({ query: RightsDocument });
  return (
    <Panel flush title="Roles" detail="What each role may. An agent’s leads can be narrowed to those of its teams; a partner sees its own company’s billing only.">
      {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
        <DataTable caption="Rights by role" columns={columns} rows={data?.rights} rowKey={({ name }) => name} empty={null} />
      )}
    </Panel>
  );
}
