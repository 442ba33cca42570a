import { Alert, Button, Group, NumberInput, Select, Skeleton, Text, Textarea, TextInput } from '@mantine/core';
import { IconExternalLink, IconLifebuoy } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay, useZone } from '../../app/session';
import { useActorName } from '../../components/actor';
import { Confirm } from '../../components/confirm';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Pager } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SlaBookingState, SlaCasesQuery } from '../../gql/graphql';
import { formatShare, plural } from '../../lib/format';
import { formatTime, instantOf } from '../../lib/zone';
import { useClocks } from './filter';
import classes from './sla.module.css';
import { bookingStates, clockName } from './words';

const SlaCasesDocument = graphql(`
  query SlaCases($first: Int, $after: String) {
    slaCases(first: $first, after: $after) {
      nodes {
        id clock openedAt closedAt closedBy closeReason met missed metNow missedNow leadIds
        bookings { id state startsAt note createdAt history { state at actor note } }
      }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
    slaThresholds { clock thresholdPercent windowMinutes clocksMin bookingUrl }
    slaSlots { id startsAt endsAt }
  }
`);

const SlaThresholdsDocument = graphql(`
  query SlaThresholds { slaThresholds { clock thresholdPercent } }
`);

const SetSlaThresholdDocument = graphql(`
  mutation SetSlaThreshold($input: SlaThresholdInput!) { setSlaThreshold(input: $input) { threshold { clock } error { field code message } } }
`);

const RemoveSlaThresholdDocument = graphql(`
  mutation RemoveSlaThreshold($clock: String!) { removeSlaThreshold(clock: $clock) { error { field code message } } }
`);

const CloseSlaCaseDocument = graphql(`
  mutation CloseSlaCase($id: ID!, $reason: String!) { closeSlaCase(id: $id, reason: $reason) { case { id closedAt } error { field code message } } }
`);

const BookSlaHelpDocument = graphql(`
  mutation BookSlaHelp($case: ID!, $slot: ID, $note: String) { bookSlaHelp(case: $case, slot: $slot, note: $note) { booking { id state } error { field code message } } }
`);

const MoveSlaBookingDocument = graphql(`
  mutation MoveSlaBooking($id: ID!, $state: SlaBookingState!) { moveSlaBooking(id: $id, state: $state) { booking { id state } error { field code message } } }
`);

const AddSlaSlotDocument = graphql(`
  mutation AddSlaSlot($startsAt: DateTime!, $endsAt: DateTime!) { addSlaSlot(startsAt: $startsAt, endsAt: $endsAt) { slot { id } error { field code message } } }
`);

/** The share in target below which help opens, percent. */
export function useThreshold(clock: string): number | undefined {
  const [{ data }] = useQuery({ query: SlaThresholdsDocument });
  return data?.slaThresholds.find((one) => one.clock === clock)?.thresholdPercent;
}

type Case = SlaCasesQuery['slaCases']['nodes'][number];
type Slots = SlaCasesQuery['slaSlots'];

function Bookings({ of, onDone }: { of: Case; onDone: () => void }) {
  const writes = useMay('sla:write');
  const zone = useZone();
  const [{ fetching }, move] = useMutation(MoveSlaBookingDocument);
  async function to(id: string, state: SlaBookingState) {
    succeeded(await move({ id, state }), (data) => data.moveSlaBooking);
    onDone();
  }
  if (of.bookings.length === 0) return null;
  return (
    <ul className={classes.history} aria-label="Bookings">
      {of.bookings.map((booking) => (
        <li key={booking.id}>
          <Group gap="xs">
            <Status {...bookingStates[booking.state]} />
            <span>{booking.startsAt ? formatTime(booking.startsAt, zone) : 'a time is to be named'}{booking.note ? ` – ${booking.note}` : ''}</span>
            {writes && booking.state === 'REQUESTED' && <Button size="compact-xs" variant="default" loading={fetching} onClick={() => { void to(booking.id, 'CONFIRMED'); }}>Confirm</Button>}
            {writes && booking.state === 'CONFIRMED' && <Button size="compact-xs" variant="default" loading={fetching} onClick={() => { void to(booking.id, 'DONE'); }}>Done</Button>}
            {writes && (booking.state === 'REQUESTED' || booking.state === 'CONFIRMED') && <Button size="compact-xs" variant="subtle" color="gray" loading={fetching} onClick={() => { void to(booking.id, 'CANCELLED'); }}>Cancel</Button>}
          </Group>
          <span>{booking.history.map((event) => `${bookingStates[event.state].label} ${formatTime(event.at, zone)}`).join(' → ')}</span>
        </li>
      ))}
    </ul>
  );
}

function Book({ of, slots, url, onDone }: { of: Case; slots: Slots; url: string | null | undefined; onDone: () => void }) {
  const zone = useZone();
  const [slot, setSlot] = useState<string | null>(null);
  const [{ fetching }, book] = useMutation(BookSlaHelpDocument);
  async function send() {
    if (succeeded(await book({ case: of.id, slot, note: null }), (data) => data.bookSlaHelp)) notifyDone('Help is booked.');
    onDone();
  }
  return (
    <Group gap="xs" align="end">
      {url && <Button component="a" href={url} target="_blank" rel="noreferrer" leftSection={<IconExternalLink size={16} aria-hidden="true" />}>Book professional services</Button>}
      {!url && (
        <>
          <Select size="xs" label="Time" placeholder="Any, we will name one" clearable value={slot} onChange={setSlot} data={slots.map(({ id, startsAt }) => ({ value: id, label: formatTime(startsAt, zone) }))} clearButtonProps={{ 'aria-label': 'Any time' }} />
          <Button size="xs" loading={fetching} onClick={() => { void send(); }}>Book help</Button>
        </>
      )}
    </Group>
  );
}

function CloseForm({ of, onDone, onClose }: { of: Case; onDone: () => void; onClose: () => void }) {
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, close] = useMutation(CloseSlaCaseDocument);
  async function send() {
    setProblem(null);
    if (!succeeded(await close({ id: of.id, reason }), (data) => data.closeSlaCase, setProblem)) return;
    notifyDone('The case is closed.');
    onDone();
    onClose();
  }
  return (
    <FormDrawer opened title={`Close the case of ${clockName(of.clock)}`} action="Close the case" readOnly={false} busy={fetching} onSubmit={send} onClose={onClose}>
      <Text>Close it when nothing will recover by itself, as when no more leads come. While adherence stays below the threshold, the next miss opens a new case.</Text>
      <OtherMessage error={problem} fields={['reason']} />
      <Textarea label="Reason" description="Kept with the case, beside your name" required data-autofocus maxLength={500} value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} error={messageFor(problem, 'reason')} />
    </FormDrawer>
  );
}

function CaseCard({ of, data, onDone }: { of: Case; data: SlaCasesQuery; onDone: () => void }) {
  const writes = useMay('sla:write');
  const setting = data.slaThresholds.find((one) => one.clock === of.clock);
  const open = !of.closedAt;
  const actorName = useActorName();
  const [closing, setClosing] = useState(false);
  return (
    <article className={classes.case}>
      <div className={classes.caseHead}>
        <Group gap="xs">
          {open ? <Status label="Open" tone="bad" /> : of.closedBy ? <Status label="Closed" tone="calm" /> : <Status label="Recovered" tone="good" />}
          <strong>{clockName(of.clock)}</strong>
        </Group>
        <span className="quiet">Opened <Time at={of.openedAt} />{of.closedAt ? <>, closed <Time at={of.closedAt} /></> : null}</span>
      </div>
      <span>
        {formatShare(of.met, of.met + of.missed)} in target when it opened ({plural(of.missed, 'miss', 'misses')}), {formatShare(of.metNow, of.metNow + of.missedNow)} at the last look.
        {of.leadIds[0] ? <> <Link to={`/leads/${of.leadIds[0]}`}>The latest of its leads</Link></> : null}
      </span>
      {of.closedBy && <span>Closed by {actorName(of.closedBy)}: {of.closeReason}</span>}
      <Bookings of={of} onDone={onDone} />
      {open && writes && <Book of={of} slots={data.slaSlots} url={setting?.bookingUrl} onDone={onDone} />}
      {open && writes && <div><Button size="compact-xs" variant="subtle" color="gray" onClick={() => { setClosing(true); }}>Close</Button></div>}
      {closing && <CloseForm of={of} onDone={onDone} onClose={() => { setClosing(false); }} />}
    </article>
  );
}

function ThresholdForm({ settings, onDone, onClose }: { settings: SlaCasesQuery['slaThresholds']; onDone: () => void; onClose: () => void }) {
  const writes = useMay('sla:write');
  const [clock, setClock] = useState('response');
  const of = settings.find((one) => one.clock === clock);
  return <ThresholdFields key={clock} clock={clock} setClock={setClock} of={of} writes={writes} onDone={onDone} onClose={onClose} />;
}

function ThresholdFields({ clock, setClock, of, writes, onDone, onClose }: {
  clock: string; setClock: (clock: string) => void; of: SlaCasesQuery['slaThresholds'][number] | undefined; writes: boolean; onDone: () => void; onClose: () => void;
}) {
  const clocks = useClocks();
  const [percent, setPercent] = useState(of?.thresholdPercent ?? 90);
  const [hours, setHours] = useState((of?.windowMinutes ?? 1440) / 60);
  const [least, setLeast] = useState(of?.clocksMin ?? 10);
  const [url, setUrl] = useState(of?.bookingUrl ?? '');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [removing, setRemoving] = useState(false);
  const [{ fetching }, set] = useMutation(SetSlaThresholdDocument);
  const [{ fetching: deleting }, remove] = useMutation(RemoveSlaThresholdDocument);
  async function save() {
    setProblem(null);
    const payload = succeeded(await set({ input: { clock, thresholdPercent: percent, windowMinutes: Math.round(hours * 60), clocksMin: least, bookingUrl: url.trim() || null } }), (data) => data.setSlaThreshold, setProblem);
    if (!payload) return;
    notifyDone('The threshold is set.');
    onDone();
    onClose();
  }
  async function removed() {
    const done = succeeded(await remove({ clock }), (data) => data.removeSlaThreshold);
    setRemoving(false);
    if (!done) return;
    notifyDone('The threshold was removed.');
    onDone();
    onClose();
  }
  return (
    <>
      <FormDrawer opened title="When help opens" action="Save" readOnly={!writes} busy={fetching} onSubmit={save} onClose={onClose}>
        <OtherMessage error={problem} fields={['clock', 'thresholdPercent', 'windowMinutes', 'clocksMin', 'bookingUrl']} />
        <Select label="Clock" allowDeselect={false} value={clock} data={clocks} onChange={(value) => { if (value) setClock(value); }} error={messageFor(problem, 'clock')} />
        <NumberInput label="Below this share in target" suffix=" %" min={1} max={100} value={percent} onChange={(value) => { setPercent(Number(value)); }} error={messageFor(problem, 'thresholdPercent')} />
        <NumberInput label="Of the clocks of the last hours" suffix=" h" min={1} value={hours} onChange={(value) => { setHours(Number(value)); }} error={messageFor(problem, 'windowMinutes')} />
        <NumberInput label="When at least so many are decided" min={1} value={least} onChange={(value) => { setLeast(Number(value)); }} error={messageFor(problem, 'clocksMin')} />
        <TextInput label="Booking link" description="Where help is booked; empty: the times that are offered here" placeholder="https://" value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'bookingUrl')} />
        {of && writes && <div><Button variant="subtle" color="red" onClick={() => { setRemoving(true); }}>Remove</Button></div>}
      </FormDrawer>
      <Confirm opened={removing} title="Remove the threshold?" action="Remove the threshold" danger busy={deleting} onConfirm={() => { void removed(); }} onClose={() => { setRemoving(false); }}>
        No help opens for this clock any more, and its open case is closed.
      </Confirm>
    </>
  );
}

function AddSlot({ onDone }: { onDone: () => void }) {
  const zone = useZone();
  const [at, setAt] = useState('');
  const [{ fetching }, add] = useMutation(AddSlaSlotDocument);
  async function send() {
    if (at === '') return;
    const startsAt = instantOf(at, zone);
    const endsAt = new Date(Date.parse(startsAt) + 3_600_000).toISOString();
    if (!succeeded(await add({ startsAt, endsAt }), (data) => data.addSlaSlot)) return;
    notifyDone('The time is offered.');
    setAt('');
    onDone();
  }
  return (
    <Group gap="xs" align="end">
      <TextInput size="xs" type="datetime-local" label={`Offer an hour of help, ${zone}`} value={at} onChange={(event) => { setAt(event.currentTarget.value); }} />
      <Button size="xs" variant="default" disabled={at === ''} loading={fetching} onClick={() => { void send(); }}>Offer</Button>
    </Group>
  );
}

export function CasesPage() {
  const writes = useMay('sla:write');
  const [parameters] = useSearchParams();
  const [{ data, error }, again] = useQuery({ query: SlaCasesDocument, variables: { first: 20, after: parameters.get('after') } });
  const [setting, setSetting] = useState(false);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Cases" back={{ to: '/sla', label: 'Service levels' }} lead="When adherence falls below the threshold, a case opens and help can be booked; it closes when adherence has recovered, or when somebody closes it.">
        <Button variant="default" onClick={() => { setSetting(true); }}>When help opens</Button>
      </PageHeader>
      {data?.slaThresholds.length === 0 && (
        <Alert mb="md" variant="light" color="gray" title="No threshold is set">Cases open once it is said below which share in target help is needed.</Alert>
      )}
      <Panel title="Cases, newest first" flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : !data ? <Skeleton height={160} aria-busy="true" /> : (
          data.slaCases.nodes.length === 0
            ? <EmptyState icon={IconLifebuoy} title="No case" detail={data.slaThresholds.length === 0 ? 'None can open before a threshold is set.' : 'Service levels were kept above their thresholds.'} />
            : data.slaCases.nodes.map((of) => <CaseCard key={of.id} of={of} data={data} onDone={reload} />)
        )}
        <Pager label="cases" pageInfo={data?.slaCases.pageInfo} />
      </Panel>
      {writes && data && (
        <Panel title="Times that can be booked" detail={plural(data.slaSlots.length, 'free hour')}>
          {data.slaSlots.length > 0 && <ul className={classes.slots} aria-label="Free hours">{data.slaSlots.map(({ id, startsAt }) => <li key={id}><Time at={startsAt} /></li>)}</ul>}
          <AddSlot onDone={reload} />
        </Panel>
      )}
      {data && setting && <ThresholdForm settings={data.slaThresholds} onDone={reload} onClose={() => { setSetting(false); }} />}
    </>
  );
}
