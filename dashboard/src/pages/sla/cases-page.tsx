import { Alert, Button, Group, NumberInput, Select, TextInput } from '@mantine/core';
import { IconExternalLink, IconLifebuoy } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useIsAdmin, useZone } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SlaBookingState, SlaCasesQuery } from '../../gql/graphql';
import { formatShare, plural } from '../../lib/format';
import { formatTime } from '../../lib/zone';
import classes from './sla.module.css';
import { clockName } from './words';

const SlaCasesDocument = graphql(`
  query SlaCases {
    slaCases {
      id clock openedAt closedAt met missed metNow missedNow leadIds
      bookings { id state startsAt note createdAt history { state at actor note } }
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

type Case = SlaCasesQuery['slaCases'][number];
type Slots = SlaCasesQuery['slaSlots'];

const bookingStates: Readonly<Record<SlaBookingState, { label: string; tone: 'good' | 'busy' | 'wait' | 'calm' }>> = {
  REQUESTED: { label: 'Requested', tone: 'wait' }, CONFIRMED: { label: 'Confirmed', tone: 'busy' }, DONE: { label: 'Done', tone: 'good' }, CANCELLED: { label: 'Cancelled', tone: 'calm' },
};

function Bookings({ of, onDone }: { of: Case; onDone: () => void }) {
  const admin = useIsAdmin();
  const zone = useZone();
  const [{ fetching }, move] = useMutation(MoveSlaBookingDocument);
  async function to(id: string, state: SlaBookingState) {
    const { data, error } = await move({ id, state });
    if (error) notifyError(error);
    else if (data?.moveSlaBooking.error) notifyDone(data.moveSlaBooking.error.message);
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
            {admin && booking.state === 'REQUESTED' && <Button size="compact-xs" variant="default" loading={fetching} onClick={() => { void to(booking.id, 'CONFIRMED'); }}>Confirm</Button>}
            {admin && booking.state === 'CONFIRMED' && <Button size="compact-xs" variant="default" loading={fetching} onClick={() => { void to(booking.id, 'DONE'); }}>Done</Button>}
            {admin && (booking.state === 'REQUESTED' || booking.state === 'CONFIRMED') && <Button size="compact-xs" variant="subtle" color="gray" loading={fetching} onClick={() => { void to(booking.id, 'CANCELLED'); }}>Cancel</Button>}
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
    const { data, error } = await book({ case: of.id, slot, note: null });
    if (error) notifyError(error);
    const payload = data?.bookSlaHelp;
    if (payload) notifyDone(payload.error ? payload.error.message : 'Help is booked.');
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

function CaseCard({ of, data, onDone }: { of: Case; data: SlaCasesQuery; onDone: () => void }) {
  const setting = data.slaThresholds.find((one) => one.clock === of.clock);
  const open = !of.closedAt;
  return (
    <article className={classes.case}>
      <div className={classes.caseHead}>
        <Group gap="xs">
          <Status label={open ? 'Open' : 'Recovered'} tone={open ? 'bad' : 'good'} />
          <strong>{clockName(of.clock)}</strong>
        </Group>
        <span className="quiet">Opened <Time at={of.openedAt} />{of.closedAt ? <>, closed <Time at={of.closedAt} /></> : null}</span>
      </div>
      <span>
        {formatShare(of.met, of.met + of.missed)} in target when it opened ({plural(of.missed, 'miss', 'misses')}), {formatShare(of.metNow, of.metNow + of.missedNow)} at the last look.
        {of.leadIds[0] ? <> The latest of its leads: <Link to={`/leads/${of.leadIds[0]}`}>see its journey</Link>.</> : null}
      </span>
      <Bookings of={of} onDone={onDone} />
      {open && <Book of={of} slots={data.slaSlots} url={setting?.bookingUrl} onDone={onDone} />}
    </article>
  );
}

function ThresholdForm({ settings, onDone, onClose }: { settings: SlaCasesQuery['slaThresholds']; onDone: () => void; onClose: () => void }) {
  const admin = useIsAdmin();
  const [clock, setClock] = useState('response');
  const of = settings.find((one) => one.clock === clock);
  return <ThresholdFields key={clock} clock={clock} setClock={setClock} of={of} admin={admin} onDone={onDone} onClose={onClose} />;
}

function ThresholdFields({ clock, setClock, of, admin, onDone, onClose }: {
  clock: string; setClock: (clock: string) => void; of: SlaCasesQuery['slaThresholds'][number] | undefined; admin: boolean; onDone: () => void; onClose: () => void;
}) {
  const [percent, setPercent] = useState(of?.thresholdPercent ?? 90);
  const [hours, setHours] = useState((of?.windowMinutes ?? 1440) / 60);
  const [least, setLeast] = useState(of?.clocksMin ?? 10);
  const [url, setUrl] = useState(of?.bookingUrl ?? '');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, set] = useMutation(SetSlaThresholdDocument);
  async function save() {
    setProblem(null);
    const { data, error } = await set({ input: { clock, thresholdPercent: percent, windowMinutes: Math.round(hours * 60), clocksMin: least, bookingUrl: url.trim() || null } });
    if (error) notifyError(error);
    const payload = data?.setSlaThreshold;
    if (!payload) return;
    if (payload.error) {
      setProblem(payload.error);
      return;
    }
    notifyDone('The threshold is set.');
    onDone();
    onClose();
  }
  return (
    <FormDrawer opened title="When help opens" action="Save" readOnly={!admin} busy={fetching} onSubmit={save} onClose={onClose}>
      <OtherMessage error={problem} fields={['thresholdPercent', 'windowMinutes', 'clocksMin', 'bookingUrl']} />
      <Select label="Clock" allowDeselect={false} value={clock} data={['processing', 'response'].map((value) => ({ value, label: clockName(value) }))} onChange={(value) => { if (value) setClock(value); }} />
      <NumberInput label="Below this share in target" suffix=" %" min={1} max={100} value={percent} onChange={(value) => { setPercent(Number(value)); }} error={messageFor(problem, 'thresholdPercent')} />
      <NumberInput label="Of the clocks of the last hours" suffix=" h" min={1} value={hours} onChange={(value) => { setHours(Number(value)); }} error={messageFor(problem, 'windowMinutes')} />
      <NumberInput label="When at least so many are decided" min={1} value={least} onChange={(value) => { setLeast(Number(value)); }} error={messageFor(problem, 'clocksMin')} />
      <TextInput label="Booking link" description="Where help is booked; empty: the times that are offered here" placeholder="https://" value={url} onChange={(event) => { setUrl(event.currentTarget.value); }} error={messageFor(problem, 'bookingUrl')} />
    </FormDrawer>
  );
}

function AddSlot({ onDone }: { onDone: () => void }) {
  const [at, setAt] = useState('');
  const [{ fetching }, add] = useMutation(AddSlaSlotDocument);
  async function send() {
    const starts = new Date(at);
    if (Number.isNaN(starts.getTime())) return;
    const { data, error } = await add({ startsAt: starts.toISOString(), endsAt: new Date(starts.getTime() + 3_600_000).toISOString() });
    if (error) notifyError(error);
    const payload = data?.addSlaSlot;
    if (payload) notifyDone(payload.error ? payload.error.message : 'The time is offered.');
    setAt('');
    onDone();
  }
  return (
    <Group gap="xs" align="end">
      <TextInput size="xs" type="datetime-local" label="Offer an hour of help" value={at} onChange={(event) => { setAt(event.currentTarget.value); }} />
      <Button size="xs" variant="default" disabled={at === ''} loading={fetching} onClick={() => { void send(); }}>Offer</Button>
    </Group>
  );
}

export function CasesPage() {
  const admin = useIsAdmin();
  const [{ data, error }, again] = useQuery({ query: SlaCasesDocument });
  const [setting, setSetting] = useState(false);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Cases" back={{ to: '/sla', label: 'Service levels' }} lead="When adherence falls below the threshold, a case opens and help can be booked; it closes when adherence has recovered.">
        <Button variant="default" onClick={() => { setSetting(true); }}>When help opens</Button>
      </PageHeader>
      {data?.slaThresholds.length === 0 && (
        <Alert mb="md" variant="light" color="gray" title="No threshold is set">Cases open once it is said below which share in target help is needed.</Alert>
      )}
      <Panel title="Cases, newest first" flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : data && (
          data.slaCases.length === 0
            ? <EmptyState icon={IconLifebuoy} title="No case" detail="Service levels were kept above their thresholds." />
            : data.slaCases.map((of) => <CaseCard key={of.id} of={of} data={data} onDone={reload} />)
        )}
      </Panel>
      {admin && data && (
        <Panel title="Times that can be booked" detail={plural(data.slaSlots.length, 'free hour')}>
          <AddSlot onDone={reload} />
        </Panel>
      )}
      {data && setting && <ThresholdForm settings={data.slaThresholds} onDone={reload} onClose={() => { setSetting(false); }} />}
    </>
  );
}
