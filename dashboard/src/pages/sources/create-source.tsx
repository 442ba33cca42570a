import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { JsonEditor, jsonProblem } from '../../components/json-editor';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { SourceKind } from '../../gql/graphql';
import { sourceKinds } from './sources-page';

const CreateSourceDocument = graphql(`
  mutation CreateSource($input: CreateSourceInput!) {
    createSource(input: $input) {
      source { id slug name kind enabled mapping createdAt leadCount }
      token
      error { field code message }
    }
  }
`);

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The source's token, which the server tells this once. */
  onToken: (token: string) => void;
}

export function CreateSource(props: Props) {
  // Mounted anew with each opening, so that nothing of a former attempt is left.
  return props.opened ? <Form {...props} /> : null;
}

function Form({ opened, onClose, onToken }: Props) {
  const [slug, setSlug] = useState('');
  const [name, setName] = useState('');
  const [kind, setKind] = useState<SourceKind>('EXPERIAN');
  const [mapping, setMapping] = useState('{\n  "fields": []\n}');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateSourceDocument);

  async function submit() {
    if (kind === 'GENERIC' && jsonProblem(mapping)) return;
    setProblem(null);
    const answer = await create({
      input: { slug: slug.trim(), name: name.trim() || null, kind, mapping: kind === 'GENERIC' ? JSON.parse(mapping) as unknown : null },
    });
    const payload = succeeded(answer, (data) => data.createSource, setProblem);
    if (!payload) return;
    notifyDone(`The source ${payload.source?.name ?? slug} is ready.`);
    onClose();
    if (payload.token) onToken(payload.token);
  }

  return (
    <FormDrawer opened={opened} title="New source" action="Create the source" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name', 'kind', 'mapping']} />
      <TextInput
        label="Short name" description="In addresses and commands; lower case, digits and dashes. It cannot be changed later." required data-autofocus autoCapitalize="none" spellCheck={false}
        value={slug} onChange={(event) => { setSlug(event.currentTarget.value); }} error={messageFor(problem, 'slug')}
      />
      <TextInput label="Name" description="As people call it" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Select
        label="Kind" description="Which rules read its files" allowDeselect={false} value={kind} error={messageFor(problem, 'kind')}
        data={Object.entries(sourceKinds).map(([value, label]) => ({ value, label }))} onChange={(value) => { if (value) setKind(value as SourceKind); }}
      />
      {kind === 'GENERIC' && (
        <JsonEditor
          label="Mapping" description="Target field, from which columns or JSON paths, with which transforms" readOnly={false} value={mapping}
          serverError={messageFor(problem, 'mapping')} onChange={(text) => { setMapping(text); setProblem(null); }}
        />
      )}
    </FormDrawer>
  );
}
