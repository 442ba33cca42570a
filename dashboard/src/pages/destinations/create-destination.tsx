import { PasswordInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { DestinationKind } from '../../gql/graphql';
import { destinationKinds } from './destinations-page';

const CreateDestinationDocument = graphql(`
  mutation CreateDestination($input: CreateDestinationInput!) {
    createDestination(input: $input) {
      destination { id slug name kind enabled urlMasked breaker breakerReason pending delivered failed held unknown }
      signingSecret
      error { field code message }
    }
  }
`);

/** The secrets that each kind asks for. */
const credentialNames: Readonly<Record<DestinationKind, readonly string[]>> = {
  BONZO: [], BONZO_API: ['token'], NPA: ['session_token', 'data_provider_dealer_token'], BOBERDOO: ['key'], WEBHOOK: [],
};

/** How an address of that kind looks. */
const addresses: Readonly<Record<DestinationKind, string>> = {
  BONZO: 'https://app.getbonzo.com/api/webhook/…', BONZO_API: 'https://app.getbonzo.com/api/v3/prospects',
  NPA: 'https://…/api/Lead/LeadCreate', BOBERDOO: 'https://….leadportal.com/new_api/api.php', WEBHOOK: 'https://crm.example.com/leads',
};

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The signing secret of a webhook, which the server tells this once. */
  onSecret: (secret: string) => void;
}

/** `session_token` as people read it. */
export function secretLabel(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function CreateDestination(props: Props) {
  return props.opened ? <Form {...props} /> : null;
}

function Form({ opened, onClose, onSecret }: Props) {
  const [slug, setSlug] = useState('');
  const [name, setName] = useState('');
  const [kind, setKind] = useState<DestinationKind>('BONZO');
  const [url, setUrl] = useState('');
  const [fallback, setFallback] = useState('');
  const [secrets, setSecrets] = useState<Readonly<Record<string, string>>>({});
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateDestinationDocument);

  async function submit() {
    setProblem(null);
    const payload = succeeded(await create({
      input: {
        slug: slug.trim(), name: name.trim() || null, kind, url: url.trim(), firstNameFallback: fallback.trim() || null,
        credentials: credentialNames[kind].map((secretName) => ({ name: secretName, value: secrets[secretName] ?? '' })),
      },
    }), (data) => data.createDestination, setProblem);
    if (!payload) return;
    notifyDone(`The destination ${payload.destination?.name ?? slug} is ready.`);
    onClose();
    if (payload.signingSecret) onSecret(payload.signingSecret);
  }

  return (
    <FormDrawer opened={opened} title="New destination" action="Create the destination" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name', 'kind', 'url', 'firstNameFallback', 'credentials']} />
      <TextInput
        label="Short name" description="In addresses and commands; lower case, digits and dashes. It cannot be changed later." required data-autofocus autoCapitalize="none" spellCheck={false}
        value={slug} onChange={(event) => { setSlug(event.currentTarget.value); }} error={messageFor(problem, 'slug')}
      />
      <TextInput label="Name" description="As people call it" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Select
        label="Kind" allowDeselect={false} value={kind} error={messageFor(problem, 'kind')}
        data={Object.entries(destinationKinds).map(([value, label]) => ({ value, label }))} onChange={(value) => { if (value) setKind(value as DestinationKind); }}
      />
      <TextInput
        label="Address" description="Where leads are posted. It is kept encrypted and never shown again." type="url" required spellCheck={false} autoComplete="off" placeholder={addresses[kind]}
        value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'url')}
      />
      {credentialNames[kind].map((secretName) => (
        <PasswordInput
          key={secretName} label={secretLabel(secretName)} description="It is kept encrypted and never shown again." required autoComplete="off"
          value={secrets[secretName] ?? ''} error={messageFor(problem, 'credentials')}
          onChange={(event) => { setSecrets({ ...secrets, [secretName]: event.currentTarget.value }); }}
        />
      ))}
      <TextInput
        label="First name when it is missing" description="Left empty, a lead without a first name is held." value={fallback}
        onChange={(event) => { setFallback(event.currentTarget.value); }} error={messageFor(problem, 'firstNameFallback')}
      />
    </FormDrawer>
  );
}
