import { ActionIcon, Button, MultiSelect, Select, TextInput } from '@mantine/core';
import { DatePickerInput } from '@mantine/dates';
import { IconCalendar, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { useZone } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { graphql } from '../../gql';
import type { LinkPage, Role } from '../../gql/graphql';
import { roleOptions } from '../../lib/roles';
import { dayAfter, startOfDay } from '../../lib/zone';
import { linkPages } from './links-page';
import classes from './settings.module.css';

const CreateResourceLinkDocument = graphql(`
  mutation CreateResourceLink($input: CreateResourceLinkInput!) {
    createResourceLink(input: $input) {
      link { id name url }
      error { field code message }
    }
  }
`);

interface Props {
  onClose: () => void;
  onMade: (id: string) => void;
}

interface Filter {
  name: string;
  value: string;
}

export function CreateLink({ onClose, onMade }: Props) {
  const zone = useZone();
  const [name, setName] = useState('');
  const [page, setPage] = useState<LinkPage>('LEADS');
  const [filters, setFilters] = useState<Filter[]>([]);
  const [roles, setRoles] = useState<string[]>([]);
  const [lastDay, setLastDay] = useState<string | null>(null);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateResourceLinkDocument);

  const setFilter = (index: number, change: Partial<Filter>) => {
    setFilters((former) => former.map((filter, at) => (at === index ? { ...filter, ...change } : filter)));
  };

  async function submit() {
    setProblem(null);
    const answer = await create({
      input: {
        name: name.trim(), page, roles: roles as Role[], expiresAt: lastDay === null ? null : startOfDay(dayAfter(lastDay), zone),
        filters: filters.map((filter) => ({ name: filter.name.trim(), value: filter.value.trim() })).filter((filter) => filter.name !== ''),
      },
    }, { additionalTypenames: ['ResourceLink'] });
    const payload = succeeded(answer, (data) => data.createResourceLink, setProblem);
    if (!payload) return;
    notifyDone(`The link ${payload.link?.name ?? name} is ready.`);
    onClose();
    if (payload.link) onMade(payload.link.id);
  }

  return (
    <FormDrawer opened title="New link" action="Create the link" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'filters', 'expiresAt']} />
      <TextInput label="Name" description="For you, as in “Leads tab in Bonzo”" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <Select
        label="Page" allowDeselect={false} value={page} data={Object.entries(linkPages).map(([value, label]) => ({ value, label }))}
        onChange={(value) => { if (value) setPage(value as LinkPage); }}
      />
      <fieldset className={classes.rows}>
        <legend>Filters, named as in the page’s own address (status, source, …)</legend>
        {filters.map((filter, index) => (
          // Filters have no identity but their place.
          <div key={index} className={classes.row}>
            <TextInput label="Filter" value={filter.name} spellCheck={false} onChange={(event) => { setFilter(index, { name: event.currentTarget.value }); }} />
            <TextInput label="Value" value={filter.value} spellCheck={false} onChange={(event) => { setFilter(index, { value: event.currentTarget.value }); }} />
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Remove filter ${index + 1}`} onClick={() => { setFilters((former) => former.filter((_, at) => at !== index)); }}>
              <IconX size={16} />
            </ActionIcon>
          </div>
        ))}
        <div><Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden="true" />} onClick={() => { setFilters([...filters, { name: '', value: '' }]); }}>Add a filter</Button></div>
        {messageFor(problem, 'filters') && <div role="alert">{messageFor(problem, 'filters')}</div>}
      </fieldset>
      <MultiSelect label="Who may open it" placeholder={roles.length === 0 ? 'Every role' : ''} data={roleOptions()} value={roles} onChange={setRoles} />
      <DatePickerInput
        label="Last day" description="Without one, the link lives until it is revoked." clearable leftSection={<IconCalendar size={16} aria-hidden="true" />}
        value={lastDay} onChange={setLastDay} error={messageFor(problem, 'expiresAt')}
      />
    </FormDrawer>
  );
}
