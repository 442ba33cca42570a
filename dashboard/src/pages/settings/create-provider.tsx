import { PasswordInput, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { ProviderKind, Role } from '../../gql/graphql';
import { joinRoles, roleOptions } from '../../lib/roles';
import type { ProviderRow } from './providers-page';

const CreateIdentityProviderDocument = graphql(`
  mutation CreateIdentityProvider($input: CreateIdentityProviderInput!) {
    createIdentityProvider(input: $input) {
      provider { id slug name kind issuer clientId hasClientSecret redirectUrl scopes emailTrusted joinDomains joinRole enabled createdAt }
      error { field code message }
    }
  }
`);

const fields = ['slug', 'name', 'kind', 'issuer', 'clientId', 'authorizationUrl', 'tokenUrl', 'userinfoUrl', 'scopes', 'joinDomains', 'joinRole'] as const;
const kinds: readonly { value: ProviderKind; label: string }[] = [
  { value: 'OIDC', label: 'OpenID Connect (Google, Microsoft, Okta, …)' },
  { value: 'OAUTH2', label: 'OAuth 2.0 without OpenID Connect' },
];

interface Props {
  onClose: () => void;
  /** Shows the new provider, with the address that has to be entered there. */
  onMade: (row: ProviderRow) => void;
}

export function CreateProvider({ onClose, onMade }: Props) {
  const [text, setText] = useState({ slug: '', name: '', issuer: '', clientId: '', clientSecret: '', authorizationUrl: '', tokenUrl: '', userinfoUrl: '', scopes: 'openid email profile' });
  const [kind, setKind] = useState<ProviderKind>('OIDC');
  const [emailTrusted, setEmailTrusted] = useState(false);
  const [joinDomains, setJoinDomains] = useState<string[]>([]);
  const [joinRole, setJoinRole] = useState<Role>(joinRoles[0] ?? 'AGENT');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateIdentityProviderDocument);
  const plain = kind === 'OAUTH2';

  const field = (name: keyof typeof text) => ({
    value: text[name], error: messageFor(problem, name), spellCheck: false,
    onChange: (event: { currentTarget: { value: string } }) => { const { value } = event.currentTarget; setText((former) => ({ ...former, [name]: value })); },
  });

  async function submit() {
    setProblem(null);
    const url = (value: string) => (plain && value.trim() !== '' ? value.trim() : null);
    const payload = succeeded(await create({
      input: {
        slug: text.slug.trim(), name: text.name.trim(), kind, issuer: text.issuer.trim(), clientId: text.clientId.trim(), clientSecret: text.clientSecret || null,
        authorizationUrl: url(text.authorizationUrl), tokenUrl: url(text.tokenUrl), userinfoUrl: url(text.userinfoUrl),
        scopes: text.scopes.trim() || null, emailTrusted: plain && emailTrusted, joinDomains, joinRole,
      },
    }), (data) => data.createIdentityProvider, setProblem);
    if (!payload) return;
    notifyDone(`People can sign in with ${payload.provider?.name ?? text.name} now.`);
    onClose();
    if (payload.provider) onMade(payload.provider);
  }

  return (
    <FormDrawer opened title="New provider" action="Create the provider" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={fields} />
      <Select label="Kind" allowDeselect={false} value={kind} data={kinds} onChange={(value) => { if (value) setKind(value as ProviderKind); }} />
      <TextInput label="Name" description="On the button: Continue with …" required data-autofocus {...field('name')} />
      <TextInput label="Short name" description="In addresses; lower case, digits and dashes. It cannot be changed later." required autoCapitalize="none" {...field('slug')} />
      <TextInput label="Issuer" description="Exactly as the provider calls itself, as in https://accounts.google.com" type="url" required {...field('issuer')} />
      <TextInput label="Client id" required autoComplete="off" {...field('clientId')} />
      <PasswordInput label="Client secret" description="Kept encrypted, never shown again. Empty for a public client." autoComplete="new-password" visibilityToggleButtonProps={{ 'aria-label': 'Show the secret', tabIndex: 0 }} {...field('clientSecret')} />
      {plain && (
        <>
          <TextInput label="Authorization address" type="url" required {...field('authorizationUrl')} />
          <TextInput label="Token address" type="url" required {...field('tokenUrl')} />
          <TextInput label="User-info address" type="url" required {...field('userinfoUrl')} />
          <Switch
            label="Its e-mail addresses are verified" description="Only for a provider that verifies each address although it does not say so."
            checked={emailTrusted} onChange={(event) => { setEmailTrusted(event.currentTarget.checked); }}
          />
        </>
      )}
      <TextInput label="Scopes" description="Parted by spaces" {...field('scopes')} />
      <TagsInput
        label="Domains that may join" description="People with a verified address of these domains get an account at their first sign-in. Without any: only who is known or invited."
        value={joinDomains} onChange={setJoinDomains} error={messageFor(problem, 'joinDomains')} placeholder={joinDomains.length === 0 ? 'example.com' : ''}
      />
      {joinDomains.length > 0 && (
        <Select label="Their role" allowDeselect={false} value={joinRole} data={roleOptions(joinRoles)} error={messageFor(problem, 'joinRole')} onChange={(value) => { if (value) setJoinRole(value as Role); }} />
      )}
    </FormDrawer>
  );
}
