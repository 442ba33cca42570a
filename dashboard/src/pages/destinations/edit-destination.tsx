import { PasswordInput, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useMay } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { JsonEditor, jsonProblem } from '../../components/json-editor';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import { secretLabel } from './create-destination';
import type { DestinationDetail } from './destination-page';

const UpdateDestinationDocument = graphql(`
  mutation UpdateDestination($input: UpdateDestinationInput!) {
    updateDestination(input: $input) {
      destination { id name enabled urlMasked firstNameFallback settings credentialNames }
      error { field code message }
    }
  }
`);

export function EditDestination({ destination, onClose }: { destination: DestinationDetail; onClose: () => void }) {
  const writes = useMay('destinations:write');
  const [name, setName] = useState(destination.name);
  const [enabled, setEnabled] = useState(destination.enabled);
  const [url, setUrl] = useState('');
  const [fallback, setFallback] = useState(destination.firstNameFallback ?? '');
  const [settings, setSettings] = useState(() => JSON.stringify(destination.settings, null, 2));
  const [secrets, setSecrets] = useState<Readonly<Record<string, string>>>({});
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, update] = useMutation(UpdateDestinationDocument);

  async function submit() {
    if (jsonProblem(settings)) return;
    setProblem(null);
    const cleared = fallback.trim() === '';
    const answer = await update({
      input: {
        id: destination.id, name: name.trim(), enabled, url: url.trim() || null,
        firstNameFallback: cleared ? null : fallback.trim(), clearFirstNameFallback: cleared,
        settings: JSON.parse(settings) as unknown,
        credentials: Object.entries(secrets).filter(([, value]) => value.trim() !== '').map(([secretName, value]) => ({ name: secretName, value })),
      },
    });
    const payload = succeeded(answer, (data) => data.updateDestination, setProblem);
    if (!payload) return;
    notifyDone(`${name} was saved.`);
    onClose();
  }

  return (
    <FormDrawer opened title={destination.name} action="Save" readOnly={!writes} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'url', 'firstNameFallback', 'settings', 'credentials']} />
      <TextInput label="Name" value={name} readOnly={!writes} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Switch label="Enabled" description="Leads for a disabled destination wait." checked={enabled} disabled={!writes} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />
      {writes && (
        <TextInput
          label="New address" description="Left empty, the present one stays." type="url" spellCheck={false} autoComplete="off"
          value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'url')}
        />
      )}
      <TextInput
        label="First name when it is missing" description="Left empty, a lead without a first name is held." value={fallback} readOnly={!writes}
        onChange={(event) => { setFallback(event.currentTarget.value); }} error={messageFor(problem, 'firstNameFallback')}
      />
      {writes && destination.credentialNames.map((secretName) => (
        <PasswordInput
          key={secretName} label={`New ${secretLabel(secretName).toLowerCase()}`} description="Left empty, the present one stays." autoComplete="off"
          value={secrets[secretName] ?? ''} error={messageFor(problem, 'credentials')}
          onChange={(event) => { setSecrets({ ...secrets, [secretName]: event.currentTarget.value }); }}
        />
      ))}
      <JsonEditor
        label="Settings" description="What differs from the profile of its kind: template, answers, limits, lookup, rules of rejection" readOnly={!writes}
        value={settings} serverError={messageFor(problem, 'settings')} onChange={(text) => { setSettings(text); setProblem(null); }}
      />
    </FormDrawer>
  );
}
