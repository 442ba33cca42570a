import { Button, Group, Select, Switch, TextInput } from '@mantine/core';
import { IconBellRinging, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { graphql } from '../../gql';
import type { AlertChannelKind } from '../../gql/graphql';
import type { ChannelRow } from './alerts-page';

const CreateAlertChannelDocument = graphql(`
  mutation CreateAlertChannel($input: CreateAlertChannelInput!) {
    createAlertChannel(input: $input) { channel { id name } signingSecret error { field code message } }
  }
`);
const UpdateAlertChannelDocument = graphql(`
  mutation UpdateAlertChannel($input: UpdateAlertChannelInput!) {
    updateAlertChannel(input: $input) { channel { id name } error { field code message } }
  }
`);
const DeleteAlertChannelDocument = graphql(`
  mutation DeleteAlertChannel($id: ID!) { deleteAlertChannel(id: $id) { done error { field code message } } }
`);
const TestAlertChannelDocument = graphql(`
  mutation TestAlertChannel($id: ID!) { testAlertChannel(id: $id) { done error { field code message } } }
`);

interface Props {
  /** Null for a new one. */
  channel: ChannelRow | null;
  onSecret: (secret: string) => void;
  onClose: () => void;
}

export function ChannelForm({ channel, onSecret, onClose }: Props) {
  const [name, setName] = useState(channel?.name ?? '');
  const [kind, setKind] = useState<AlertChannelKind>(channel?.kind ?? 'EMAIL');
  const [target, setTarget] = useState('');
  const [dailySummary, setDaily] = useState(channel?.dailySummary ?? false);
  const [enabled, setEnabled] = useState(channel?.enabled ?? true);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [asking, setAsking] = useState(false);
  const [{ fetching: creating }, create] = useMutation(CreateAlertChannelDocument);
  const [{ fetching: updating }, update] = useMutation(UpdateAlertChannelDocument);
  const [{ fetching: deleting }, remove] = useMutation(DeleteAlertChannelDocument);
  const [{ fetching: testing }, test] = useMutation(TestAlertChannelDocument);

  async function save() {
    setProblem(null);
    if (channel) {
      const { data, error } = await update({ input: { id: channel.id, name: name.trim(), target: target.trim() || null, dailySummary, enabled } });
      if (error) notifyError(error);
      if (!data) return;
      if (data.updateAlertChannel.error) { setProblem(data.updateAlertChannel.error); return; }
    } else {
      const { data, error } = await create({ input: { name: name.trim(), kind, target: target.trim(), dailySummary } });
      if (error) notifyError(error);
      if (!data) return;
      if (data.createAlertChannel.error) { setProblem(data.createAlertChannel.error); return; }
      if (data.createAlertChannel.signingSecret) onSecret(data.createAlertChannel.signingSecret);
    }
    notifyDone(`${name.trim()} was saved.`);
    onClose();
  }

  async function tryIt() {
    if (!channel) return;
    setProblem(null);
    const { data, error } = await test({ id: channel.id });
    if (error) notifyError(error);
    if (data?.testAlertChannel.error) setProblem(data.testAlertChannel.error);
    else if (data) notifyDone(`${channel.name} was told that this is a test.`);
  }

  async function drop() {
    if (!channel) return;
    const { data, error } = await remove({ id: channel.id });
    setAsking(false);
    if (error) notifyError(error);
    if (!data?.deleteAlertChannel.done) return;
    notifyDone(`${channel.name} was removed.`);
    onClose();
  }

  return (
    <FormDrawer opened title={channel?.name ?? 'New channel'} action={channel ? 'Save' : 'Create the channel'} readOnly={false} busy={creating || updating} onSubmit={save} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'kind', 'target']} />
      <TextInput label="Name" description="As people call it" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      {!channel && (
        <Select
          label="Kind" allowDeselect={false} value={kind} error={messageFor(problem, 'kind')} onChange={(value) => { if (value) setKind(value as AlertChannelKind); }}
          data={[{ value: 'EMAIL', label: 'Mail' }, { value: 'WEBHOOK', label: 'Webhook (a text message gateway is one)' }]}
        />
      )}
      <TextInput
        label={kind === 'EMAIL' ? 'Mail address' : 'Address'} type={kind === 'EMAIL' ? 'email' : 'url'} required={!channel} spellCheck={false} autoComplete="off"
        description={channel ? `Left empty, ${channel.target} stays.` : kind === 'EMAIL' ? 'One address; a list of your own reaches many.' : 'It is kept encrypted and shown masked. Requests are signed.'}
        value={target} onChange={(event) => { setTarget(event.currentTarget.value); }} error={messageFor(problem, 'target')}
      />
      <Switch label="Daily summary" description="What came in, was delivered and waits, each morning." checked={dailySummary} onChange={(event) => { setDaily(event.currentTarget.checked); }} />
      {channel && <Switch label="Enabled" description="A disabled channel is told nothing." checked={enabled} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />}
      {channel && (
        <Group>
          <Button variant="default" loading={testing} leftSection={<IconBellRinging size={16} aria-hidden="true" />} onClick={() => { void tryIt(); }}>Send a test</Button>
          <Button variant="subtle" color="red" leftSection={<IconTrash size={16} aria-hidden="true" />} onClick={() => { setAsking(true); }}>Remove</Button>
        </Group>
      )}
      {channel && (
        <Confirm opened={asking} danger busy={deleting} title={`Remove ${channel.name}?`} action="Remove the channel" onConfirm={() => { void drop(); }} onClose={() => { setAsking(false); }}>
          Nobody is told by it any more, and what it was told is forgotten.
        </Confirm>
      )}
    </FormDrawer>
  );
}
