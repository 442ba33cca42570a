import { Button, Input, PasswordInput, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { Facts } from '../../components/panel';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { Role } from '../../gql/graphql';
import { joinRoles, roleOptions } from '../../lib/roles';
import { CopyLine } from './copy-line';
import type { ProviderRow } from './providers-page';

const UpdateIdentityProviderDocument = graphql(`
  mutation UpdateIdentityProvider($input: UpdateIdentityProviderInput!) {
    updateIdentityProvider(input: $input) {
      provider { id name clientId hasClientSecret joinDomains joinRole enabled }
      error { field code message }
    }
  }
`);

const DeleteIdentityProviderDocument = graphql(`
  mutation DeleteIdentityProvider($id: ID!) {
    deleteIdentityProvider(id: $id) { ok error { message } }
  }
`);

export function EditProvider({ provider, onClose }: { provider: ProviderRow; onClose: () => void }) {
  const [name, setName] = useState(provider.name);
  const [clientId, setClientId] = useState(provider.clientId);
  const [clientSecret, setClientSecret] = useState('');
  const [enabled, setEnabled] = useState(provider.enabled);
  const [joinDomains, setJoinDomains] = useState<string[]>([...provider.joinDomains]);
  const [joinRole, setJoinRole] = useState<Role>(provider.joinRole);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [removing, setRemoving] = useState(false);
  const [{ fetching }, update] = useMutation(UpdateIdentityProviderDocument);
  const [{ fetching: deleting }, remove] = useMutation(DeleteIdentityProviderDocument);

  async function submit() {
    setProblem(null);
    const payload = succeeded(await update({
      input: { id: provider.id, name: name.trim(), clientId: clientId.trim(), clientSecret: clientSecret || null, enabled, joinDomains, joinRole },
    }), (data) => data.updateIdentityProvider, setProblem);
    if (!payload) return;
    notifyDone(`${name} was saved.`);
    onClose();
  }

  async function removed() {
    const done = succeeded(await remove({ id: provider.id }, { additionalTypenames: ['IdentityProvider'] }), (data) => data.deleteIdentityProvider);
    setRemoving(false);
    if (!done) return;
    notifyDone(`${provider.name} was removed.`);
    onClose();
  }

  return (
    <>
      <FormDrawer opened title={provider.name} action="Save" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
        <OtherMessage error={problem} fields={['name', 'clientId', 'joinDomains', 'joinRole']} />
        <Input.Wrapper label="Redirect address" description="Enter it at the provider, exactly." labelElement="div">
          <CopyLine label="Redirect address" text={provider.redirectUrl} />
        </Input.Wrapper>
        <Facts
          entries={[
            { label: 'Short name', value: <span className="mono">{provider.slug}</span> },
            { label: 'Issuer', value: <span className="mono">{provider.issuer}</span> },
            { label: 'Scopes', value: <span className="mono">{provider.scopes}</span> },
            { label: 'Created', value: <Time at={provider.createdAt} /> },
          ]}
        />
        <TextInput label="Name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
        <TextInput label="Client id" value={clientId} spellCheck={false} onChange={(event) => { setClientId(event.currentTarget.value); }} error={messageFor(problem, 'clientId')} />
        <PasswordInput
          label="New client secret" description={provider.hasClientSecret ? 'Left empty, the present one stays.' : 'There is none: a public client.'} autoComplete="new-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show the secret', tabIndex: 0 }} value={clientSecret} onChange={(event) => { setClientSecret(event.currentTarget.value); }}
        />
        <TagsInput label="Domains that may join" value={joinDomains} onChange={setJoinDomains} error={messageFor(problem, 'joinDomains')} />
        {joinDomains.length > 0 && (
          <Select label="Their role" allowDeselect={false} value={joinRole} data={roleOptions(joinRoles)} error={messageFor(problem, 'joinRole')} onChange={(value) => { if (value) setJoinRole(value as Role); }} />
        )}
        <Switch label="Enabled" description="Disabled, its button is gone. Sessions go on." checked={enabled} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />
        <div><Button variant="subtle" color="red" onClick={() => { setRemoving(true); }}>Remove this provider</Button></div>
      </FormDrawer>
      <Confirm opened={removing} title={`Remove ${provider.name}?`} action="Remove" danger busy={deleting} onConfirm={removed} onClose={() => { setRemoving(false); }}>
        People who sign in with it keep their accounts and need another way to sign in. To offer it again you have to enter everything anew.
      </Confirm>
    </>
  );
}
