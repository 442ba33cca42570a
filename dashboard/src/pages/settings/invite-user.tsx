import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useViewer } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { Role } from '../../gql/graphql';
import { personRoles, roleOptions } from '../../lib/roles';

const InviteUserDocument = graphql(`
  mutation InviteUser($input: InviteUserInput!) {
    inviteUser(input: $input) { invitation { id } token error { field code message } }
  }
`);

export function InviteUser({ onClose, onInvited }: { onClose: () => void; onInvited: (token: string) => void }) {
  const viewer = useViewer();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('AGENT');
  const [partner, setPartner] = useState('');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, invite] = useMutation(InviteUserDocument);
  // Only an owner makes owners.
  const offered = personRoles.filter((candidate) => viewer.role === 'OWNER' || candidate !== 'OWNER');

  async function submit() {
    setProblem(null);
    const answer = await invite({ input: { email: email.trim(), role, partnerId: role === 'PARTNER' ? partner.trim() || null : null } });
    const payload = succeeded(answer, (data) => data.inviteUser, setProblem);
    if (!payload) return;
    onClose();
    if (payload.token) onInvited(payload.token);
  }

  return (
    <FormDrawer opened title="Invite somebody" action="Make the invitation" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['email', 'role', 'partner', 'partnerId']} />
      <TextInput label="E-mail" type="email" required data-autofocus autoComplete="off" value={email} onChange={(event) => { setEmail(event.currentTarget.value); }} error={messageFor(problem, 'email')} />
      <Select label="Role" allowDeselect={false} value={role} data={roleOptions(offered)} error={messageFor(problem, 'role')} onChange={(value) => { if (value) setRole(value as Role); }} />
      {role === 'PARTNER' && (
        <TextInput label="Partner id" description="The company whose billing the person will see, as in partner_01…" required spellCheck={false} value={partner} onChange={(event) => { setPartner(event.currentTarget.value); }} error={messageFor(problem, 'partner') ?? messageFor(problem, 'partnerId')} />
      )}
    </FormDrawer>
  );
}
