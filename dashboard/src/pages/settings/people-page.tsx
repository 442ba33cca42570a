import { Button } from '@mantine/core';
import { IconMailPlus, IconUsers } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { notifyDone, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { PeopleQuery } from '../../gql/graphql';
import { roleNames } from '../../lib/roles';
import { EditUser } from './edit-user';
import { InviteUser } from './invite-user';

const PeopleDocument = graphql(`
  query People {
    users { id email name role partnerId createdAt lastSignInAt disabledAt }
    invitations { id email role createdAt expiresAt }
  }
`);

const RevokeInvitationDocument = graphql(`
  mutation RevokeInvitation($id: ID!) { revokeInvitation(id: $id) { error { message } } }
`);

export type UserRow = PeopleQuery['users'][number];
type InvitationRow = PeopleQuery['invitations'][number];

function userColumns(open: (row: UserRow) => void): readonly Column<UserRow>[] {
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'email', header: 'E-mail', card: 'plain', cell: (row) => <span>{row.email}</span> },
    { key: 'role', header: 'Role', fit: 'line', card: 'plain', cell: (row) => <span>{roleNames[row.role]}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status label={row.disabledAt ? 'Disabled' : 'Active'} tone={row.disabledAt ? 'calm' : 'good'} /> },
    { key: 'seen', header: 'Last sign-in', fit: 'line', align: 'end', from: 'medium', cell: (row) => <Time at={row.lastSignInAt} /> },
  ];
}

/** The tenant's users, and who was asked to join. */
export function PeoplePage() {
  const writes = useMay('users:write');
  const [{ data, error }, again] = useQuery({ query: PeopleDocument });
  const [inviting, setInviting] = useState(false);
  const [invited, setInvited] = useState<string | null>(null);
  const [edited, setEdited] = useState<UserRow | null>(null);
  const [revoked, setRevoked] = useState<InvitationRow | null>(null);
  const [{ fetching }, revoke] = useMutation(RevokeInvitationDocument);
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  async function takeBack() {
    if (!revoked) return;
    const done = succeeded(await revoke({ id: revoked.id }), (answer) => answer.revokeInvitation);
    setRevoked(null);
    if (!done) return;
    notifyDone(`The invitation of ${revoked.email} was taken back.`);
    reload();
  }

  const invitationColumns: readonly Column<InvitationRow>[] = [
    { key: 'email', header: 'E-mail', cell: (row) => <span>{row.email}</span> },
    { key: 'role', header: 'Role', card: 'plain', cell: (row) => <span>{roleNames[row.role]}</span> },
    { key: 'expires', header: 'Good until', fit: 'line', cell: (row) => <Time at={row.expiresAt} /> },
    { key: 'revoke', header: 'Action', align: 'end', card: 'corner', cell: (row) => (writes ? <Button variant="subtle" color="red" size="compact-sm" onClick={() => { setRevoked(row); }}>Take back</Button> : null) },
  ];

  if (error && !data) return <Panel><ErrorState error={error} onRetry={reload} /></Panel>;
  return (
    <>
      <Panel
        flush title="Users" detail="Each has one role, which says what it may see and do."
        actions={writes && <Button leftSection={<IconMailPlus size={16} aria-hidden="true" />} onClick={() => { setInviting(true); }}>Invite somebody</Button>}
      >
        <DataTable caption="Users" columns={userColumns(setEdited)} rows={data?.users} rowKey={({ id }) => id} empty={<EmptyState icon={IconUsers} title="No user yet" detail="Invite the first one." />} />
      </Panel>
      {data && data.invitations.length > 0 && (
        <Panel flush title="Invitations" detail="People who have not accepted yet. Whoever signs in with a provider under the invited address accepts by that.">
          <DataTable caption="Invitations, newest first" columns={invitationColumns} rows={data.invitations} rowKey={({ id }) => id} empty={null} />
        </Panel>
      )}
      {inviting && <InviteUser onClose={() => { setInviting(false); }} onInvited={(token) => { setInvited(`${window.location.origin}/invitation#${token}`); reload(); }} />}
      {edited && <EditUser key={edited.id} user={edited} onClose={() => { setEdited(null); reload(); }} />}
      <SecretOnce secret={invited} title="Invitation link" use="Send it to the person that you invited. It works once, for a week." onClose={() => { setInvited(null); }} />
      <Confirm opened={revoked !== null} title="Take the invitation back?" action="Take back" danger busy={fetching} onConfirm={takeBack} onClose={() => { setRevoked(null); }}>
        The link that {revoked?.email} has got works no more.
      </Confirm>
    </>
  );
}
