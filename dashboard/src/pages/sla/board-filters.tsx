import { MultiSelect, Select } from '@mantine/core';
import { useQuery } from 'urql';
import { FilterBar } from '../../components/filters';
import { SlaChoicesDocument } from './data';
import { useClocks, type Board, type ListName } from './filter';

/** Which clocks and leads the board is about; all of it stands in the address. */
export function Filters({ board }: { board: Board }) {
  const [{ data }] = useQuery({ query: SlaChoicesDocument });
  const choices = data?.slaChoices;
  const texts = (values: readonly string[] | undefined) => (values ?? []).map((value) => ({ value, label: value }));
  const named = (values: readonly { id: string; name: string }[] | undefined) => (values ?? []).map(({ id, name }) => ({ value: id, label: name }));
  const many = (name: ListName, label: string, options: { value: string; label: string }[]) => (
    <MultiSelect
      key={name} label={label} placeholder={board.list(name).length > 0 ? '' : 'All'} clearable searchable value={board.list(name)} data={options}
      onChange={(value) => { board.set({ [name]: value }); }} clearButtonProps={{ 'aria-label': `All: ${label.toLowerCase()}` }}
    />
  );
  const clocks = useClocks();
  return (
    <FilterBar label="Filter the board" active={board.active} onClear={() => { board.set({ sources: null, leadTypes: null, states: null, campaigns: null, agents: null, teams: null, destinations: null }); }}>
      <Select label="Clock" allowDeselect={false} value={board.clock} data={clocks} onChange={(clock) => { board.set({ clock }); }} />
      {many('sources', 'Source', named(data?.sources))}
      {many('leadTypes', 'Lead type', texts(choices?.leadTypes))}
      {many('states', 'State', texts(choices?.states))}
      {many('campaigns', 'Campaign', texts(choices?.campaigns))}
      {many('teams', 'Team', texts(choices?.teams))}
      {many('agents', 'Agent', texts(choices?.agents))}
      {many('destinations', 'Destination', named(data?.destinations))}
    </FilterBar>
  );
}
