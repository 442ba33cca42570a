import { Button } from '@mantine/core';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Enabled } from '../../components/status';
import { graphql } from '../../gql';
import type { IdentityProvidersQuery } from '../../gql/graphql';
import { roleNames } from '../../lib/roles';
import { CreateProvider } from './create-provider';
import { EditProvider } from './edit-provider';

const IdentityProvidersDocument = graphql(`
  query IdentityProviders {
    identityProviders { id slug name kind issuer clientId hasClientSecret redirectUrl scopes emailTrusted joinDomains joinRole enabled createdAt }
  }
`);

export type ProviderRow = IdentityProvidersQuery['identityProviders'][number];

function columnsWith(open: (row: ProviderRow) => void): readonly Column<ProviderRow>[] {
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'issuer', header: 'Issuer', card: 'plain', cell: (row) => <span className="mono">{row.issuer}</span> },
    {
      key: 'join', header: 'May join', from: 'medium',
      cell: (row) => <span>{row.joinDomains.length === 0 ? 'Only who is known or invited' : `${row.joinDomains.join(', ')} as ${roleNames[row.joinRole]}`}</span>,
    },
    { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Enabled on={row.enabled} /> },
  ];
}

/** How people sign in, beside e-mail and password. */
export function ProvidersPage() {
  const [{ data, error }, again] = useQuery({ query: IdentityProvidersDocument });
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<ProviderRow | null>(null);
  return (
    <>
      <Panel
        flush title="Sign-in providers" detail="People sign in with the account that they have already. A provider finds them by their verified e-mail address."
        actions={<Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New provider</Button>}
      >
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Sign-in providers" columns={columnsWith(setEdited)} rows={data?.identityProviders} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconKey} title="No provider yet" detail="Until there is one, everybody signs in with e-mail address and password." />}
          />
        )}
      </Panel>
      {creating && <CreateProvider onClose={() => { setCreating(false); }} onMade={(row) => { setEdited(row); again({ requestPolicy: 'network-only' }); }} />}
      {edited && <EditProvider key={edited.id} provider={edited} onClose={() => { setEdited(null); }} />}
    </>
  );
}
