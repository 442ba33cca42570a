import { Alert, Button, MultiSelect, NumberInput, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay, useZone } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { SlaDraft } from '../../gql/graphql';
import { explain } from '../../lib/errors';
import { formatCount, humanise } from '../../lib/format';
import { dayAfter, formatFullTime, instantOf, localTime } from '../../lib/zone';
import type { Around, PolicyRow } from './policies-page';
import classes from './sla.module.css';
import { clockName } from './words';

const CreateSlaPolicyDocument = graphql(`
  mutation CreateSlaPolicy($input: CreateSlaPolicyInput!) { createSlaPolicy(input: $input) { policy { id version } error { field code message } } }
`);

const UpdateSlaPolicyDocument = graphql(`
  mutation UpdateSlaPolicy($input: UpdateSlaPolicyInput!) { updateSlaPolicy(input: $input) { policy { id version } error { field code message } } }
`);

const SlaPreviewDocument = graphql(`
  query SlaPreview($draft: SlaDraft!, $startsAt: DateTime!) { slaPreview(draft: $draft, startsAt: $startsAt) { startsAt atRiskAt dueAt } }
`);

const SlaWhatIfDocument = graphql(`
  query SlaWhatIf($policy: ID!, $draft: SlaDraft!, $since: DateTime!) {
    slaWhatIf(policy: $policy, draft: $draft, since: $since) { clocks met missed wouldMeet wouldMiss newlyMet newlyMissed cut }
  }
`);

const units = { minutes: 60, hours: 3600, days: 86_400 } as const;
type Unit = keyof typeof units;

/** The largest unit in which the target is a whole number. */
function unitOf(seconds: number): Unit {
  if (seconds % 86_400 === 0) return 'days';
  return seconds % 3600 === 0 ? 'hours' : 'minutes';
}

/** Next Saturday at 15:00, for an example that shows what business time does. */
function nextSaturday(zone: string): string {
  let day = dayAfter(localTime(new Date().toISOString(), zone).slice(0, 10));
  while (new Date(day).getUTCDay() !== 6) day = dayAfter(day);
  return instantOf(`${day}T15:00`, zone);
}

function Preview({ draft }: { draft: SlaDraft }) {
  const zone = useZone();
  const [startsAt, setStartsAt] = useState(() => nextSaturday(zone));
  const [{ data, error }] = useQuery({ query: SlaPreviewDocument, variables: { draft, startsAt }, requestPolicy: 'cache-first' });
  return (
    <div>
      <TextInput
        type="datetime-local" label="Example" description={`If a lead comes then, ${zone}`} value={localTime(startsAt, zone)}
        onChange={({ currentTarget: { value } }) => { if (value) setStartsAt(instantOf(value, zone)); }}
      />
      <p className={classes.preview} data-tone={error ? 'bad' : undefined} role="status">
        {error ? explain(error).detail : data ? (
          <>A lead of <strong>{formatFullTime(data.slaPreview.startsAt, zone)}</strong> is at risk at {formatFullTime(data.slaPreview.atRiskAt, zone)} and due at <strong>{formatFullTime(data.slaPreview.dueAt, zone)}</strong>.</>
        ) : 'Reckoning …'}
      </p>
    </div>
  );
}

function WhatIf({ policy, draft }: { policy: string; draft: SlaDraft }) {
  const [asked, setAsked] = useState<{ draft: SlaDraft; since: string } | null>(null);
  const [{ data, error, fetching }] = useQuery({
    query: SlaWhatIfDocument, pause: asked === null, variables: { policy, draft: asked?.draft ?? draft, since: asked?.since ?? '' },
  });
  const figures = asked && data?.slaWhatIf;
  return (
    <div>
      <Button variant="default" loading={fetching} onClick={() => { setAsked({ draft, since: new Date(Math.floor(Date.now() / 60_000) * 60_000 - 30 * 86_400_000).toISOString() }); }}>
        What would these terms have given for the last 30 days?
      </Button>
      {error && <Alert mt="xs" variant="light" color="red">{explain(error).detail}</Alert>}
      {figures && (
        <p className={classes.preview} role="status">
          Of {formatCount(figures.clocks)} clocks, <strong>{formatCount(figures.wouldMiss)}</strong> would have been missed; {formatCount(figures.missed)} were.
          {' '}{formatCount(figures.newlyMissed)} would be missed that were not, {formatCount(figures.newlyMet)} kept that were missed.
          {figures.cut ? ' Only the first 500,000 clocks were reckoned.' : ''}
        </p>
      )}
    </div>
  );
}

interface Props {
  policy?: PolicyRow;
  around: Around;
  onDone: () => void;
  onClose: () => void;
}

export function PolicyForm({ policy, around, onDone, onClose }: Props) {
  const writes = useMay('sla:write');
  const [name, setName] = useState(policy?.name ?? '');
  const [clock, setClock] = useState(policy?.clock ?? 'response');
  const [own, setOwn] = useState('');
  const [startsWith, setStartsWith] = useState(policy?.startsWith ?? 'delivered');
  const [stopsWith, setStopsWith] = useState(policy?.stopsWith ?? 'qualified');
  const [place, setPlace] = useState(policy?.place ?? 100);
  const [enabled, setEnabled] = useState(policy?.enabled ?? true);
  const [unit, setUnit] = useState<Unit>(policy ? unitOf(policy.targetSeconds) : 'minutes');
  const [target, setTarget] = useState(policy ? policy.targetSeconds / units[unitOf(policy.targetSeconds)] : 15);
  const [risk, setRisk] = useState(policy?.atRiskPercent ?? 80);
  const [calendar, setCalendar] = useState(policy?.calendarId ?? '');
  const [reasons, setReasons] = useState([...(policy?.pauseReasons ?? [])]);
  const [sources, setSources] = useState([...(policy?.conditions.sourceIds ?? [])]);
  const [leadTypes, setLeadTypes] = useState([...(policy?.conditions.leadTypes ?? [])]);
  const [states, setStates] = useState([...(policy?.conditions.states ?? [])]);
  const [campaigns, setCampaigns] = useState([...(policy?.conditions.campaigns ?? [])]);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching: creating }, create] = useMutation(CreateSlaPolicyDocument);
  const [{ fetching: updating }, update] = useMutation(UpdateSlaPolicyDocument);

  const draft: SlaDraft = {
    targetSeconds: Math.round(target * units[unit]), atRiskPercent: risk, calendarId: calendar || null, pauseReasons: reasons,
    conditions: {
      sourceIds: sources, leadTypes, states, campaigns, channels: [...(policy?.conditions.channels ?? [])],
      fields: (policy?.conditions.fields ?? []).map(({ field, is }) => ({ field, is: [...is] })),
    },
  };
  const ownClock = clock === 'own';

  async function save() {
    setProblem(null);
    const events = ownClock ? { startsWith, stopsWith } : { startsWith: null, stopsWith: null };
    const payload = policy
      ? succeeded(await update({ input: { id: policy.id, name, enabled, place, draft } }), (data) => data.updateSlaPolicy, setProblem)
      : succeeded(await create({ input: { name, clock: ownClock ? own.trim() : clock, ...events, place, draft } }), (data) => data.createSlaPolicy, setProblem);
    if (!payload) return;
    notifyDone(`The policy ${name} is in version ${payload.policy?.version ?? 1}.`);
    onDone();
    onClose();
  }

  const events = ['received', 'submitted', 'delivered', 'contacted', 'qualified', 'sold', 'lost'].map((value) => ({ value, label: humanise(value) }));
  return (
    <FormDrawer opened title={policy ? policy.name : 'New policy'} action={policy ? 'Save' : 'Create the policy'} readOnly={!writes} busy={creating || updating} onSubmit={save} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'clock', 'targetSeconds', 'atRiskPercent', 'startsWith', 'stopsWith']} />
      <TextInput label="Name" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      {policy ? <TextInput label="Clock" value={clockName(policy.clock)} readOnly /> : (
        <Select
          label="Clock" allowDeselect={false} value={clock} error={ownClock ? null : messageFor(problem, 'clock')} onChange={(value) => { if (value) setClock(value); }}
          data={[{ value: 'processing', label: clockName('processing') }, { value: 'response', label: clockName('response') }, { value: 'own', label: 'A clock of your own' }]}
        />
      )}
      {ownClock && (
        <>
          <TextInput label="Its name" description="Lower-case letters, digits and underscores" value={own} onChange={(event) => { setOwn(event.currentTarget.value); }} error={messageFor(problem, 'clock')} />
          <div className={classes.fields}>
            <Select label="Starts with" allowDeselect={false} value={startsWith} data={events} onChange={(value) => { if (value) setStartsWith(value); }} error={messageFor(problem, 'startsWith')} />
            <Select label="Stops with" allowDeselect={false} value={stopsWith} data={events} onChange={(value) => { if (value) setStopsWith(value); }} error={messageFor(problem, 'stopsWith')} />
          </div>
        </>
      )}
      <div className={classes.fields}>
        <NumberInput label="Target" min={1} required value={target} onChange={(value) => { setTarget(Number(value)); }} error={messageFor(problem, 'targetSeconds')} />
        <Select label="Unit" allowDeselect={false} value={unit} data={Object.keys(units)} onChange={(value) => { if (value) setUnit(value as Unit); }} />
        <NumberInput label="At risk after" suffix=" %" min={1} max={99} value={risk} onChange={(value) => { setRisk(Number(value)); }} error={messageFor(problem, 'atRiskPercent')} />
        <Select
          label="Time" allowDeselect={false} value={calendar} onChange={(value) => { setCalendar(value ?? ''); }}
          data={[{ value: '', label: 'Calendar time, day and night' }, ...around.slaCalendars.map(({ id, name: named, timeZone }) => ({ value: id, label: `${named} (${timeZone})` }))]}
        />
      </div>
      <Preview draft={draft} />
      <MultiSelect label="Sources" placeholder={sources.length > 0 ? '' : 'All'} value={sources} onChange={setSources} clearable data={around.sources.map(({ id, name: named }) => ({ value: id, label: named }))} clearButtonProps={{ 'aria-label': 'All sources' }} />
      <div className={classes.fields}>
        <TagsInput label="Lead types" placeholder={leadTypes.length > 0 ? '' : 'All'} value={leadTypes} onChange={setLeadTypes} />
        <TagsInput label="States" placeholder={states.length > 0 ? '' : 'All'} value={states} onChange={setStates} />
        <TagsInput label="Campaigns" placeholder={campaigns.length > 0 ? '' : 'All'} value={campaigns} onChange={setCampaigns} />
        <TagsInput label="May be paused for" placeholder={reasons.length > 0 ? '' : 'Nothing'} value={reasons} onChange={setReasons} />
      </div>
      <NumberInput label="Place" description="Of several policies of one clock the first that fits a lead counts; smaller comes first" value={place} onChange={(value) => { setPlace(Number(value)); }} />
      {policy && <Switch label="In force for new clocks" checked={enabled} onChange={(event) => { setEnabled(event.currentTarget.checked); }} />}
      {policy && <WhatIf policy={policy.id} draft={draft} />}
    </FormDrawer>
  );
}
