import { ActionIcon, Button, Select, TagsInput, TextInput } from '@mantine/core';
import { IconCalendarTime, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay, useZone } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SlaCalendarsQuery } from '../../gql/graphql';
import { plural } from '../../lib/format';
import classes from './sla.module.css';
import { weekdays, weekHours } from './words';

const SlaCalendarsDocument = graphql(`
  query SlaCalendars { slaCalendars { id name timeZone windows { weekday from until } holidays updatedAt } }
`);

const CreateSlaCalendarDocument = graphql(`
  mutation CreateSlaCalendar($input: SlaCalendarInput!) { createSlaCalendar(input: $input) { calendar { id } error { field code message } } }
`);

const UpdateSlaCalendarDocument = graphql(`
  mutation UpdateSlaCalendar($id: ID!, $input: SlaCalendarInput!) { updateSlaCalendar(id: $id, input: $input) { calendar { id } error { field code message } } }
`);

type Row = SlaCalendarsQuery['slaCalendars'][number];

function columnsWith(open: (row: Row) => void): readonly Column<Row>[] {
  return [
    { key: 'name', header: 'Name', fit: 'line', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'zone', header: 'Time zone', card: 'plain', cell: (row) => <span>{row.timeZone}</span> },
    { key: 'hours', header: 'Hours', from: 'medium', card: 'plain', cell: (row) => <span className={classes.reason}>{weekHours(row.windows)}</span> },
    { key: 'holidays', header: 'Holidays', align: 'end', cell: (row) => plural(row.holidays.length, 'day') },
    { key: 'updated', header: 'Changed', align: 'end', from: 'wide', card: 'plain', cell: (row) => <Time at={row.updatedAt} /> },
  ];
}

export function CalendarsPage() {
  const writes = useMay('sla:write');
  const [{ data, error }, again] = useQuery({ query: SlaCalendarsDocument });
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<Row | null>(null);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Calendars" back={{ to: '/sla', label: 'Service levels' }} lead="When somebody works. Policies in business time count these hours only; a change is a new version of each policy that uses the calendar.">
        {writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New calendar</Button>}
      </PageHeader>
      <Panel flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Calendars" columns={columnsWith(setEdited)} rows={data?.slaCalendars} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconCalendarTime} title="No calendar yet" detail="Without one, policies count every hour of the day and night." />}
          />
        )}
      </Panel>
      {creating && <CalendarForm onDone={reload} onClose={() => { setCreating(false); }} />}
      {edited && <CalendarForm key={edited.id} calendar={edited} onDone={reload} onClose={() => { setEdited(null); }} />}
    </>
  );
}

interface Hours { key: number; weekday: number; from: string; until: string }

const office: readonly Hours[] = [1, 2, 3, 4, 5].map((weekday) => ({ key: weekday, weekday, from: '09:00', until: '17:00' }));

function CalendarForm({ calendar, onDone, onClose }: { calendar?: Row; onDone: () => void; onClose: () => void }) {
  const writes = useMay('sla:write');
  const zone = useZone();
  const [name, setName] = useState(calendar?.name ?? '');
  const [timeZone, setTimeZone] = useState(calendar?.timeZone ?? zone);
  const [windows, setWindows] = useState<readonly Hours[]>(calendar ? calendar.windows.map((window, key) => ({ key, ...window })) : office);
  const [holidays, setHolidays] = useState([...(calendar?.holidays ?? [])]);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching: creating }, create] = useMutation(CreateSlaCalendarDocument);
  const [{ fetching: updating }, update] = useMutation(UpdateSlaCalendarDocument);

  function change(key: number, part: Partial<Hours>) {
    setWindows(windows.map((window) => (window.key === key ? { ...window, ...part } : window)));
  }

  async function save() {
    setProblem(null);
    const input = { name, timeZone, windows: windows.map(({ weekday, from, until }) => ({ weekday, from, until })), holidays };
    const payload = calendar
      ? succeeded(await update({ id: calendar.id, input }), (data) => data.updateSlaCalendar, setProblem)
      : succeeded(await create({ input }), (data) => data.createSlaCalendar, setProblem);
    if (!payload) return;
    notifyDone(`The calendar ${name} is saved.`);
    onDone();
    onClose();
  }

  return (
    <FormDrawer opened title={calendar ? calendar.name : 'New calendar'} action={calendar ? 'Save' : 'Create the calendar'} readOnly={!writes} busy={creating || updating} onSubmit={save} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'timeZone']} />
      <TextInput label="Name" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Select label="Time zone" searchable allowDeselect={false} value={timeZone} data={Intl.supportedValuesOf('timeZone').concat(Intl.supportedValuesOf('timeZone').includes('UTC') ? [] : ['UTC'])} onChange={(value) => { if (value) setTimeZone(value); }} error={messageFor(problem, 'timeZone')} />
      <fieldset className={classes.windows}>
        <legend>Hours <span className="quiet">– several a day if need be; what ends before it begins goes on into the next day</span></legend>
        {windows.map((window) => (
          <div key={window.key} className={classes.windowRow}>
            <Select aria-label="Weekday" allowDeselect={false} value={String(window.weekday)} data={weekdays.map((label, index) => ({ value: String(index + 1), label }))} onChange={(value) => { change(window.key, { weekday: Number(value) }); }} />
            <TextInput aria-label="From" placeholder="09:00" value={window.from} onChange={(event) => { change(window.key, { from: event.currentTarget.value }); }} />
            <TextInput aria-label="Until" placeholder="17:00" value={window.until} onChange={(event) => { change(window.key, { until: event.currentTarget.value }); }} />
            <ActionIcon variant="subtle" color="gray" aria-label={`Remove the hours of ${weekdays[window.weekday - 1] ?? ''}`} onClick={() => { setWindows(windows.filter(({ key }) => key !== window.key)); }}>
              <IconTrash size={16} aria-hidden="true" />
            </ActionIcon>
          </div>
        ))}
        <Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden="true" />} onClick={() => { setWindows([...windows, { key: Math.max(0, ...windows.map(({ key }) => key)) + 1, weekday: 1, from: '09:00', until: '17:00' }]); }}>
          Add hours
        </Button>
      </fieldset>
      <TagsInput label="Holidays" description="Days on which nobody works, as in 2026-12-25" placeholder={holidays.length > 0 ? '' : 'None'} value={holidays} onChange={(days) => { setHolidays(days.filter((day) => /^\d{4}-\d{2}-\d{2}$/.test(day))); }} />
    </FormDrawer>
  );
}
