import { MultiSelect, Select } from '@mantine/core';
import { useQuery } from 'urql';
import { FilterBar } from '../../components/filters';
import { SlaChoicesDocument } from './data';
import { lists, useClocks, type Board, type ListName } from './filter';
import classes from './sla.module.css';

const labels: Readonly<Record<ListName, string>> = {
  sources: 'Source', leadTypes: 'Lead type', states: 'State', campaigns: 'Campaign', teams: 'Team', agents: 'Agent', destinations: 'Destination',
};

/** Which clocks and leads the board is about; all of it stands in the address. */
export function Filters({ board }: { board: Board }) {
  const [{ data }] = useQuery({ query: SlaChoicesDocument });
  const choices = data?.slaChoices;
  const texts = (values: readonly string[] | undefined) => (values ?? []).map((value) => ({ value, label: value }));
  const named = (values: readonly { id: string; name: string }[] | undefined) => (values ?? []).map(({ id, name }) => ({ value: id, label: name }));
  const many = (name: ListName, options: { value: string; label: string }[]) => (
    <MultiSelect
      key={name} label={labels[name]} placeholder={board.list(name).length > 0 ? '' : 'All'} clearable searchable value={board.list(name)} data={options}
      onChange={(value) => { board.set({ [name]: value }); }} clearButtonProps={{ 'aria-label': `All: ${labels[name].toLowerCase()}` }}
    />
  );
  const clocks = useClocks();
  return (
    <FilterBar label="Filter the board" active={board.active} onClear={() => { board.set({ sources: null, leadTypes: null, states: null, campaigns: null, agents: null, teams: null, destinations: null }); }}>
      <Select label="Clock" allowDeselect={false} value={board.clock} data={clocks} onChange={(clock) => { board.set({ clock }); }} />
      {many('sources', named(data?.sources))}
      {many('leadTypes', texts(choices?.leadTypes))}
      {many('states', texts(choices?.states))}
      {many('campaigns', texts(choices?.campaigns))}
      {many('teams', texts(choices?.teams))}
      {many('agents', texts(choices?.agents))}
      {many('destinations', named(data?.destinations))}
    </FilterBar>
  );
}

/** In words, what the board is narrowed to: paper shows no filters. */
export function Narrowed({ board }: { board: Board }) {
  const [{ data }] = useQuery({ query: SlaChoicesDocument });
  const names = new Map([...(data?.sources ?? []), ...(data?.destinations ?? [])].map(({ id, name }) => [id, name]));
  if (!board.active) return null;
  const said = lists.filter((name) => board.list(name).length > 0)
    .map((name) => `${labels[name].toLowerCase()} ${board.list(name).map((value) => names.get(value) ?? value).join(', ')}`);
  return <p className={classes.narrowed}>Narrowed to {said.join(' · ')}</p>;
}
