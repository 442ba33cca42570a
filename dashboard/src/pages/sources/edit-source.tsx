import { Button, Group, Switch, TextInput } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useMay } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { JsonEditor, jsonProblem } from '../../components/json-editor';
import { notifyDone, succeeded } from '../../components/notify';
import { Facts } from '../../components/panel';
import { graphql } from '../../gql';
import { sourceKinds, type SourceRow } from './sources-page';

const UpdateSourceDocument = graphql(`
  mutation UpdateSource($input: UpdateSourceInput!) {
    updateSource(input: $input) {
      source { id name enabled mapping }
      error { field code message }
    }
  }
`);

const CreateSourceTokenDocument = graphql(`
  mutation CreateSourceToken($source: ID!) {
    createSourceToken(source: $source) { token error { field code message } }
  }
`);

interface Props {
  source: SourceRow;
  onClose: () => void;
  onToken: (token: string) => void;
}

export function EditSource({ source, onClose, onToken }: Props) {
  const writes = useMay('sources:write');
  const [name, setName] = useState(source.name);
  const [enabled, setEnabled] = useState(source.enabled);
  const [mapping, setMapping] = useState(() => JSON.stringify(source.mapping, null, 2));
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, update] = useMutation(UpdateSourceDocument);
  const [{ fetching: making }, createToken] = useMutation(CreateSourceTokenDocument);
  const generic = source.kind === 'GENERIC';

  async function submit() {
    if (generic && jsonProblem(mapping)) return;
    setProblem(null);
    const answer = await update({
      input: { id: source.id, name: name.trim(), enabled, mapping: generic ? JSON.parse(mapping) as unknown : null },
    });
    const payload = succeeded(answer, (data) => data.updateSource, setProblem);
    if (!payload) return;
    notifyDone(`${name} was saved.`);
    onClose();
  }

  async function newToken() {
    const payload = succeeded(await createToken({ source: source.id }), (data) => data.createSourceToken);
    if (!payload?.token) return;
    onClose();
    onToken(payload.token);
  }

  return (
    <FormDrawer opened title={source.name} action="Save" readOnly={!writes} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'mapping']} />
      <Facts
        entries={[
          { label: 'Short name', value: <span className="mono">{source.slug}</span> },
          { label: 'Kind', value: sourceKinds[source.kind] },
          { label: 'Address', value: <span className="mono">POST /ingest/{source.slug}</span> },
        ]}
      />
      <TextInput label="Name" value={name} readOnly={!writes} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Switch label="Enabled" description="A disabled source takes no leads; what it sent before stays." checked={enabled} disabled={!writes} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />
      {writes && (
        <Group>
          <Button variant="default" loading={making} leftSection={<IconKey size={16} aria-hidden="true" />} onClick={newToken}>Make a new token</Button>
        </Group>
      )}
      <JsonEditor
        label="Mapping" description={generic ? 'Target field, from which columns or JSON paths, with which transforms' : 'Built in; only a generic source has one of its own'}
        readOnly={!writes || !generic} value={mapping} serverError={messageFor(problem, 'mapping')} onChange={(text) => { setMapping(text); setProblem(null); }}
      />
    </FormDrawer>
  );
}
