import { Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useIsAdmin } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { Facts } from '../../components/panel';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import { destinationKinds, type DestinationRow } from './destinations-page';

const UpdateDestinationDocument = graphql(`
  mutation UpdateDestination($input: UpdateDestinationInput!) {
    updateDestination(input: $input) {
      destination { id name enabled urlMasked firstNameFallback }
      error { field code message }
    }
  }
`);

export function EditDestination({ destination, onClose }: { destination: DestinationRow; onClose: () => void }) {
  const admin = useIsAdmin();
  const [name, setName] = useState(destination.name);
  const [enabled, setEnabled] = useState(destination.enabled);
  const [url, setUrl] = useState('');
  const [fallback, setFallback] = useState(destination.firstNameFallback ?? '');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, update] = useMutation(UpdateDestinationDocument);

  async function submit() {
    setProblem(null);
    const cleared = fallback.trim() === '';
    const { data, error } = await update({
      input: {
        id: destination.id, name: name.trim(), enabled, url: url.trim() || null,
        firstNameFallback: cleared ? null : fallback.trim(), clearFirstNameFallback: cleared,
      },
    });
    if (error) notifyError(error);
    const payload = data?.updateDestination;
    if (!payload) return;
    if (payload.error) {
      setProblem(payload.error);
      return;
    }
    notifyDone(`${name} was saved.`);
    onClose();
  }

  return (
    <FormDrawer opened title={destination.name} action="Save" readOnly={!admin} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'url', 'firstNameFallback']} />
      <Facts
        entries={[
          { label: 'Short name', value: <span className="mono">{destination.slug}</span> },
          { label: 'Kind', value: destinationKinds[destination.kind] },
          { label: 'Created', value: <Time at={destination.createdAt} /> },
          { label: 'Address', value: <span className="mono">{destination.urlMasked}</span> },
        ]}
      />
      <TextInput label="Name" value={name} readOnly={!admin} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Switch label="Enabled" description="Leads for a disabled destination wait." checked={enabled} disabled={!admin} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />
      {admin && (
        <TextInput
          label="New address" description="Left empty, the present one stays." type="url" spellCheck={false} autoComplete="off"
          value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'url')}
        />
      )}
      <TextInput
        label="First name when it is missing" description="Left empty, a lead without a first name is held." value={fallback} readOnly={!admin}
        onChange={(event) => { setFallback(event.currentTarget.value); }} error={messageFor(problem, 'firstNameFallback')}
      />
    </FormDrawer>
  );
}
