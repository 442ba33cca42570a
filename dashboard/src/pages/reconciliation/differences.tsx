import { MultiSelect, SegmentedControl } from '@mantine/core';
import { IconChecks } from '@tabler/icons-react';
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { known, useFilters } from '../../components/filters';
import { Pager } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status, Tag } from '../../components/status';
import { graphql } from '../../gql';
import type { DifferenceFilter, DifferencesQuery } from '../../gql/graphql';
import { fieldLabel } from '../../lib/fields';
import { plural } from '../../lib/format';
import { useAskedAgain } from './asked-again';
import { DifferenceDrawer } from './difference-drawer';
import classes from './reconciliation.module.css';
import { differenceKinds, differenceStates, listedKinds } from './words';

const DifferencesDocument = graphql(`
  query Differences($first: Int, $after: String, $filter: DifferenceFilter) {
    differences(first: $first, after: $after, filter: $filter) {
      nodes { id kind state leadId remoteId fields { field ours theirs } ours theirs mergeSuspected owner reason openedAt }
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

export type DifferenceRow = DifferencesQuery['differences']['nodes'][number];

function said(side: unknown, field: string): string {
  const value = side !== null && typeof side === 'object' ? (side as Record<string, unknown>)[field] : null;
  return typeof value === 'string' ? value : '';
}

/** Who it is about: a name of either side, or an id. */
export function nameOf(row: DifferenceRow): string {
  for (const side of [row.ours, row.theirs]) {
    const name = [said(side, 'first_name'), said(side, 'last_name')].filter(Boolean).join(' ');
    if (name !== '') return name;
  }
  return said(row.ours, 'email') || said(row.theirs, 'email') || (row.remoteId ?? 'No name');
}

function Detail({ row }: { row: DifferenceRow }) {
  if (row.fields.length > 0) return <span>{row.fields.map(({ field }) => fieldLabel(field)).join(', ')}</span>;
  if (row.mergeSuspected) return <Tag tone="wait">two may have become one</Tag>;
  return <span className="quiet">{row.reason ?? '–'}</span>;
}

function columnsWith(open: (row: DifferenceRow) => void): readonly Column<DifferenceRow>[] {
  return [
    { key: 'name', header: 'Who', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{nameOf(row)}</button> },
    { key: 'kind', header: 'Difference', card: 'plain', cell: (row) => <span>{differenceKinds[row.kind].label}</span> },
    { key: 'detail', header: 'Differs in', card: 'plain', cell: (row) => <Detail row={row} /> },
    { key: 'external', header: 'Our id', from: 'wide', cell: (row) => <span className="mono">{said(row.ours, 'external_id') || said(row.theirs, 'external_id') || '–'}</span> },
    { key: 'remote', header: 'Their id', from: 'medium', cell: (row) => <span className="mono">{row.remoteId ?? '–'}</span> },
    { key: 'owner', header: 'Owner', from: 'wide', cell: (row) => row.owner ?? <span className="quiet">–</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...differenceStates[row.state]} /> },
  ];
}

/** The differences of a run. What changes one calls `onChange`; `changes` counts what was changed anywhere on the page. */
export function Differences({ run, changes, onChange }: { run: { id: string }; changes: number; onChange: () => void }) {
  const { parameters, set, text, list } = useFilters();
  const everything = text('show') === 'all';
  const kinds = text('kind');
  const filter = useMemo((): DifferenceFilter => ({
    reconciliationId: run.id, states: everything ? null : ['OPEN', 'RESENDING'], kinds: kinds ? known(kinds.split(','), differenceKinds) : null,
  }), [run.id, everything, kinds]);
  const [{ data, error, fetching, stale }, ask] = useQuery({
    query: DifferencesDocument, variables: { first: 25, after: parameters.get('after'), filter },
  });
  // With the rows that are there, until there are others.
  const again = useCallback(() => { ask({ requestPolicy: 'cache-and-network' }); }, [ask]);
  useAskedAgain(changes, again);
  const [, setParameters] = useSearchParams();
  const open = useCallback((id: string | null) => {
    setParameters((former) => {
      const next = new URLSearchParams(former);
      if (id === null) next.delete('difference');
      else next.set('difference', id);
      return next;
    }, { replace: true });
  }, [setParameters]);
  const opened = parameters.get('difference');
  const columns = useMemo(() => columnsWith((row) => { open(row.id); }), [open]);
  const found = data?.differences;
  const row = found?.nodes.find(({ id }) => id === opened) ?? null;
  return (
    <Panel title="Differences" detail="Both sides as this run saw them; open one to compare and decide." flush>
      <div className={classes.toolbar}>
        <SegmentedControl
          aria-label="Which differences" value={everything ? 'all' : 'open'} onChange={(show) => { set({ show: show === 'all' ? 'all' : null }); }}
          data={[{ value: 'open', label: 'To settle' }, { value: 'all', label: 'All' }]}
        />
        <MultiSelect
          aria-label="Kinds of difference" placeholder={list('kind').length === 0 ? 'Every kind' : undefined} clearable value={list('kind')} w={300}
          data={listedKinds.map((kind) => ({ value: kind, label: differenceKinds[kind].label }))} onChange={(kind) => { set({ kind }); }}
        />
        {found?.totalCount !== null && found?.totalCount !== undefined && <span className="quiet">{plural(found.totalCount, 'difference')}</span>}
      </div>
      {error && !found ? <ErrorState error={error} onRetry={again} /> : (
        <DataTable
          caption="Differences with their state" columns={columns} rows={fetching && !stale ? undefined : found?.nodes} rowKey={({ id }) => id}
          empty={<EmptyState icon={IconChecks} title={everything ? 'No difference was found' : 'Nothing to settle'} detail="Every record was matched, or somebody has settled it." />}
        />
      )}
      <Pager label="differences" pageInfo={found?.pageInfo} />
      {row && <DifferenceDrawer row={row} onClose={() => { open(null); }} onChange={onChange} />}
    </Panel>
  );
}
