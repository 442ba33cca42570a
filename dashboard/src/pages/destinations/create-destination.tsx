import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { graphql } from '../../gql';
import type { DestinationKind } from '../../gql/graphql';
import { destinationKinds } from './destinations-page';

const CreateDestinationDocument = graphql(`
  mutation CreateDestination($input: CreateDestinationInput!) {
    createDestination(input: $input) {
      destination { id slug name kind enabled urlMasked firstNameFallback createdAt pending delivered failed held }
      signingSecret
      error { field code message }
    }
  }
`);

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The signing secret of a webhook, which the server tells this once. */
  onSecret: (secret: string) => void;
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
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateDestinationDocument);

  async function submit() {
    setProblem(null);
    const { data, error } = await create({
      input: { slug: slug.trim(), name: name.trim() || null, kind, url: url.trim(), firstNameFallback: fallback.trim() || null },
    });
    if (error) notifyError(error);
    const payload = data?.createDestination;
    if (!payload) return;
    if (payload.error) {
      setProblem(payload.error);
      return;
    }
    notifyDone(`The destination ${payload.destination?.name ?? slug} is ready.`);
    onClose();
    if (payload.signingSecret) onSecret(payload.signingSecret);
  }

  return (
    <FormDrawer opened={opened} title="New destination" action="Create the destination" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name', 'kind', 'url', 'firstNameFallback']} />
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
        label="Address" description="Where leads are posted. It is kept encrypted and never shown again." type="url" required spellCheck={false} autoComplete="off"
        value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'url')}
      />
      <TextInput
        label="First name when it is missing" description="Left empty, a lead without a first name is held." value={fallback}
        onChange={(event) => { setFallback(event.currentTarget.value); }} error={messageFor(problem, 'firstNameFallback')}
      />
    </FormDrawer>
  );
}
