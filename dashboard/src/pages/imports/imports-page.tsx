import { Button, MultiSelect } from '@mantine/core';
import { IconFileImport, IconFileX } from '@tabler/icons-react';
import { useCallback, useMemo } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { OutcomeBar } from '../../components/counts-bar';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FilterBar, known, useFilters } from '../../components/filters';
import { PageHeader } from '../../components/page-header';
import { Pager, pageOf } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { importStates, Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ImportFilter, ImportsQuery } from '../../gql/graphql';
import { formatBytes, formatCount } from '../../lib/format';
import classes from './imports.module.css';
import { UploadPanel } from './upload-panel';

const ImportsDocument = graphql(`
  query Imports($first: Int, $after: String, $last: Int, $before: String, $filter: ImportFilter) {
    imports(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      nodes { ...ImportProgress }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
    sources { id name }
  }
`);

type Row = ImportsQuery['imports']['nodes'][number];

const columns: readonly Column<Row>[] = [
  { key: 'file', header: 'File', cell: (row) => <Link to={`/imports/${row.id}`} className={tableClasses.rowLink}>{row.fileName}</Link> },
  { key: 'source', header: 'Source', from: 'medium', card: 'plain', cell: (row) => <span>{row.source.name}</span> },
  { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...importStates[row.state]} /> },
  { key: 'size', header: 'Size', align: 'end', from: 'wide', cell: (row) => formatBytes(row.fileBytes) },
  { key: 'records', header: 'Records', align: 'end', cell: (row) => formatCount(row.records) },
  { key: 'refused', header: 'Refused', align: 'end', cell: (row) => (row.rejected > 0 ? <strong className={classes.refused}>{formatCount(row.rejected)}</strong> : '0') },
  { key: 'outcome', header: 'Outcomes', from: 'wide', cell: (row) => <OutcomeBar counts={row} slim /> },
  { key: 'created', header: 'Uploaded', align: 'end', card: 'plain', cell: (row) => <Time at={row.createdAt} /> },
];

export function ImportsPage() {
  const { parameters, set, text, list } = useFilters();
  const sources = text('source');
  const states = text('state');
  const filter = useMemo((): ImportFilter => ({
    sourceIds: sources ? sources.split(',') : null,
    states: states ? known(states.split(','), importStates) : null,
  }), [sources, states]);
  const [{ data, error, fetching, stale }, ask] = useQuery({
    query: ImportsDocument, variables: { ...pageOf(parameters, 20), filter },
  });
  const again = useCallback(() => { ask({ requestPolicy: 'network-only' }); }, [ask]);
  const active = sources !== '' || states !== '';
  return (
    <>
      <PageHeader title="Imports" lead="Files on their way to becoming leads. A record that is refused says why, and can be corrected here.">
        <Button component={Link} to="/imports/refused" variant="default" leftSection={<IconFileX size={16} aria-hidden="true" />}>Refused records</Button>
      </PageHeader>
      <UploadPanel onChange={again} />
      <Panel title="Files" flush>
        <FilterBar label="Filter the imports" active={active} onClear={() => { set({ source: null, state: null }); }}>
          <MultiSelect
            label="Source" placeholder={sources ? '' : 'All'} clearable value={list('source')} onChange={(source) => { set({ source }); }}
            data={(data?.sources ?? []).map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All sources' }}
          />
          <MultiSelect
            label="State" placeholder={states ? '' : 'All'} clearable value={list('state')} onChange={(state) => { set({ state }); }}
            data={Object.entries(importStates).map(([value, { label }]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'All states' }}
          />
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={again} /> : (
          <DataTable
            caption="Imports, newest first" columns={columns} rows={fetching && !stale ? undefined : data?.imports.nodes} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconFileImport} title={active ? 'No import fits these filters' : 'No file yet'} detail={active ? 'Clear a filter to see more.' : 'Choose a source above and drop its file there.'} />}
          />
        )}
        <Pager label="imports" pageInfo={data?.imports.pageInfo} />
      </Panel>
    </>
  );
}
