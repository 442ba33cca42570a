import { Button, Group, Select, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useMay, useViewer } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { Facts } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { Role } from '../../gql/graphql';
import { personRoles, roleOptions } from '../../lib/roles';
import type { UserRow } from './people-page';

const UpdateUserDocument = graphql(`
  mutation UpdateUser($input: UpdateUserInput!) {
    updateUser(input: $input) { user { id name role partnerId disabledAt } error { field code message } }
  }
`);

const ResetPasswordDocument = graphql(`
  mutation ResetPassword($user: ID!) { resetPassword(user: $user) { password error { message } } }
`);

const EndUserSessionsDocument = graphql(`
  mutation EndUserSessions($user: ID!) { endSessions(user: $user) { ended error { message } } }
`);

export function EditUser({ user, onClose }: { user: UserRow; onClose: () => void }) {
  const viewer = useViewer();
  const own = viewer.id === user.id;
  const writes = useMay('users:write') && (viewer.role === 'OWNER' || user.role !== 'OWNER');
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState<Role>(user.role);
  const [partner, setPartner] = useState(user.partnerId ?? '');
  const [active, setActive] = useState(!user.disabledAt);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [resetting, setResetting] = useState(false);
  const [password, setPassword] = useState<string | null>(null);
  const [{ fetching }, update] = useMutation(UpdateUserDocument);
  const [{ fetching: waiting }, reset] = useMutation(ResetPasswordDocument);
  const [, end] = useMutation(EndUserSessionsDocument);
  const offered = personRoles.filter((candidate) => viewer.role === 'OWNER' || candidate !== 'OWNER');

  async function submit() {
    setProblem(null);
    const roleChanged = role !== user.role || (role === 'PARTNER' && partner !== (user.partnerId ?? ''));
    const answer = await update({
      input: {
        id: user.id, name: name.trim(), disabled: active === !user.disabledAt ? null : !active,
        ...(roleChanged ? { role, partnerId: role === 'PARTNER' ? partner.trim() || null : null } : {}),
      },
    });
    const payload = succeeded(answer, (data) => data.updateUser, setProblem);
    if (!payload) return;
    notifyDone(`${name} was saved.`);
    onClose();
  }

  async function newPassword() {
    const done = succeeded(await reset({ user: user.id }), (data) => data.resetPassword);
    setResetting(false);
    if (done?.password) setPassword(done.password);
  }

  async function endSessions() {
    const done = succeeded(await end({ user: user.id }), (data) => data.endSessions);
    if (done) notifyDone(`${user.name} is signed out everywhere.`);
  }

  return (
    <>
      <FormDrawer opened title={user.name} action="Save" readOnly={!writes} busy={fetching} onSubmit={submit} onClose={onClose}>
        <OtherMessage error={problem} fields={['name', 'role', 'partner', 'partnerId']} />
        <Facts
          entries={[
            { label: 'E-mail', value: user.email },
            { label: 'Since', value: <Time at={user.createdAt} /> },
            { label: 'Last sign-in', value: <Time at={user.lastSignInAt} /> },
          ]}
        />
        <TextInput label="Name" readOnly={!writes} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
        <Select
          label="Role" allowDeselect={false} disabled={!writes || own} value={role} data={roleOptions(writes ? offered : personRoles)} error={messageFor(problem, 'role')}
          description={own ? 'Nobody changes its own role.' : undefined} onChange={(value) => { if (value) setRole(value as Role); }}
        />
        {role === 'PARTNER' && (
          <TextInput label="Partner id" spellCheck={false} readOnly={!writes} value={partner} onChange={(event) => { setPartner(event.currentTarget.value); }} error={messageFor(problem, 'partner') ?? messageFor(problem, 'partnerId')} />
        )}
        <Switch label="May sign in" description="Otherwise every session ends at once." disabled={!writes || own} checked={active} onChange={(event) => { setActive(event.currentTarget.checked); }} />
        {writes && !own && (
          <Group>
            <Button variant="default" onClick={() => { setResetting(true); }}>New password</Button>
            <Button variant="default" onClick={endSessions}>Sign out everywhere</Button>
          </Group>
        )}
      </FormDrawer>
      <Confirm opened={resetting} title={`A new password for ${user.name}?`} action="Make a new one" busy={waiting} onConfirm={newPassword} onClose={() => { setResetting(false); }}>
        The present password works no more, and every session of this user ends.
      </Confirm>
      <SecretOnce secret={password} title="New password" use={`Give it to ${user.name}, who should change it after signing in.`} onClose={() => { setPassword(null); }} />
    </>
  );
}
