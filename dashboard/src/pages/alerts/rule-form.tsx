import { Button, MultiSelect, NumberInput, Select, Switch, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { graphql } from '../../gql';
import type { AlertRuleKind } from '../../gql/graphql';
import { ruleKinds, type RuleRow, type Setup } from './alerts-page';

const CreateAlertRuleDocument = graphql(`
  mutation CreateAlertRule($input: CreateAlertRuleInput!) { createAlertRule(input: $input) { rule { id name } error { field code message } } }
`);
const UpdateAlertRuleDocument = graphql(`
  mutation UpdateAlertRule($input: UpdateAlertRuleInput!) { updateAlertRule(input: $input) { rule { id name } error { field code message } } }
`);
const DeleteAlertRuleDocument = graphql(`
  mutation DeleteAlertRule($id: ID!) { deleteAlertRule(id: $id) { done error { field code message } } }
`);

const thresholds: Readonly<Partial<Record<AlertRuleKind, string>>> = {
  FAILED_LEADS: 'More than so many leads', SUCCESS_RATE: 'Below so many percent', RECONCILIATION: 'More than so many differences', SILENT_SOURCE: 'For so many hours',
};
const defaults: Readonly<Record<AlertRuleKind, number>> = { FAILED_LEADS: 10, SUCCESS_RATE: 90, DESTINATION_HELD: 0, RECONCILIATION: 0, SILENT_SOURCE: 6 };

interface Props {
  /** Null for a new one. */
  rule: RuleRow | null;
  setup: Setup;
  onClose: () => void;
}

export function RuleForm({ rule, setup, onClose }: Props) {
  const [name, setName] = useState(rule?.name ?? '');
  const [kind, setKind] = useState<AlertRuleKind>(rule?.kind ?? 'FAILED_LEADS');
  const [threshold, setThreshold] = useState(rule?.threshold ?? defaults.FAILED_LEADS);
  const [minutes, setMinutes] = useState(rule?.windowMinutes ?? 60);
  const [destination, setDestination] = useState<string | null>(rule?.destinationId ?? null);
  const [source, setSource] = useState<string | null>(rule?.sourceId ?? null);
  const [channels, setChannels] = useState<string[]>([...(rule?.channelIds ?? [])]);
  const [enabled, setEnabled] = useState(rule?.enabled ?? true);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [asking, setAsking] = useState(false);
  const [{ fetching: creating }, create] = useMutation(CreateAlertRuleDocument);
  const [{ fetching: updating }, update] = useMutation(UpdateAlertRuleDocument);
  const [{ fetching: deleting }, remove] = useMutation(DeleteAlertRuleDocument);
  const rate = kind === 'SUCCESS_RATE';
  const silent = kind === 'SILENT_SOURCE';

  async function save() {
    setProblem(null);
    const numbers = { threshold, windowMinutes: rate ? minutes : null };
    if (rule) {
      const who = channels.length > 0 ? { channelIds: channels } : { allChannels: true };
      const { data, error } = await update({ input: { id: rule.id, name: name.trim(), ...numbers, ...who, enabled } });
      if (error) notifyError(error);
      if (!data) return;
      if (data.updateAlertRule.error) { setProblem(data.updateAlertRule.error); return; }
    } else {
      const { data, error } = await create({
        input: {
          name: name.trim(), kind, ...numbers, destinationId: silent ? null : destination, sourceId: silent ? source : null,
          channelIds: channels.length > 0 ? channels : null,
        },
      });
      if (error) notifyError(error);
      if (!data) return;
      if (data.createAlertRule.error) { setProblem(data.createAlertRule.error); return; }
    }
    notifyDone(`${name.trim()} was saved.`);
    onClose();
  }

  async function drop() {
    if (!rule) return;
    const { data, error } = await remove({ id: rule.id });
    setAsking(false);
    if (error) notifyError(error);
    if (!data?.deleteAlertRule.done) return;
    notifyDone(`${rule.name} was removed.`);
    onClose();
  }

  return (
    <FormDrawer opened title={rule?.name ?? 'New rule'} action={rule ? 'Save' : 'Create the rule'} readOnly={false} busy={creating || updating} onSubmit={save} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'threshold', 'windowMinutes', 'source', 'destination']} />
      <TextInput label="Name" description="As people call it" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Select
        label="What is watched" allowDeselect={false} disabled={rule !== null} value={kind} data={Object.entries(ruleKinds).map(([value, label]) => ({ value, label }))}
        onChange={(value) => { if (!value) return; setKind(value as AlertRuleKind); setThreshold(defaults[value as AlertRuleKind]); }}
      />
      {thresholds[kind] && (
        <NumberInput
          label={thresholds[kind]} required min={0} allowDecimal={false} value={threshold} onChange={(value) => { setThreshold(Number(value) || 0); }}
          error={messageFor(problem, 'threshold')}
        />
      )}
      {rate && (
        <NumberInput
          label="Of the last minutes" description="Leads count by their first submission." required min={1} allowDecimal={false} value={minutes}
          onChange={(value) => { setMinutes(Number(value) || 0); }} error={messageFor(problem, 'windowMinutes')}
        />
      )}
      {silent ? (
        <Select
          label="Source" required disabled={rule !== null} value={source} onChange={setSource} error={messageFor(problem, 'source')}
          data={setup.sources.map(({ id, name: label }) => ({ value: id, label }))}
        />
      ) : (
        <Select
          label="Destination" placeholder="All" clearable disabled={rule !== null} value={destination} onChange={setDestination} error={messageFor(problem, 'destination')}
          data={setup.destinations.map(({ id, name: label }) => ({ value: id, label }))}
        />
      )}
      <MultiSelect
        label="Who is told" placeholder={channels.length > 0 ? '' : 'Every channel'} value={channels} onChange={setChannels}
        data={setup.alertChannels.map(({ id, name: label }) => ({ value: id, label }))}
      />
      {rule && <Switch label="Enabled" description="Switched off, its alerts clear." checked={enabled} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />}
      {rule && (
        <div>
          <Button variant="subtle" color="red" leftSection={<IconTrash size={16} aria-hidden="true" />} onClick={() => { setAsking(true); }}>Remove</Button>
          <Confirm opened={asking} danger busy={deleting} title={`Remove ${rule.name}?`} action="Remove the rule" onConfirm={() => { void drop(); }} onClose={() => { setAsking(false); }}>
            It is measured no more. Its alerts stay on record.
          </Confirm>
        </div>
      )}
    </FormDrawer>
  );
}
