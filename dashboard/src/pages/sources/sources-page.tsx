import { Button } from '@mantine/core';
import { IconPlugConnected, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { Enabled } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SourceKind, SourcesQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { CreateSource } from './create-source';
import { EditSource } from './edit-source';

const SourcesDocument = graphql(`
  query Sources { sources { id slug name kind enabled mapping createdAt leadCount } }
`);

export type SourceRow = SourcesQuery['sources'][number];

export const sourceKinds: Readonly<Record<SourceKind, string>> = {
  EXPERIAN: 'Experian', TRANSUNION: 'TransUnion', LEADSOURCE: 'LeadSource', NPA: 'NPA conversations', GENERIC: 'Generic, by mapping',
};

function columnsWith(open: (row: SourceRow) => void): readonly Column<SourceRow>[] {
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'slug', header: 'Short name', card: 'plain', cell: (row) => <span className="mono">{row.slug}</span> },
    { key: 'kind', header: 'Kind', card: 'plain', cell: (row) => <span>{sourceKinds[row.kind]}</span> },
    { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Enabled on={row.enabled} /> },
    { key: 'leads', header: 'Leads', align: 'end', cell: (row) => formatCount(row.leadCount) },
    { key: 'created', header: 'Created', align: 'end', from: 'wide', card: 'plain', cell: (row) => <Time at={row.createdAt} /> },
  ];
}

export function SourcesPage() {
  const writes = useMay('sources:write');
  const [{ data, error }, again] = useQuery({ query: SourcesDocument });
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<SourceRow | null>(null);
  const [token, setToken] = useState<string | null>(null);
  return (
    <>
      <PageHeader title="Sources" lead="Where leads come from. A source’s kind knows its files; a generic one reads any file by a mapping.">
        {writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New source</Button>}
      </PageHeader>
      <Panel flush>
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Sources" columns={columnsWith(setEdited)} rows={data?.sources} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconPlugConnected} title="No source yet" detail={writes ? 'Add the first one; then import its files or let it send leads.' : 'An administrator adds them.'} />}
          />
        )}
      </Panel>
      <CreateSource opened={creating} onClose={() => { setCreating(false); }} onToken={setToken} />
      {edited && <EditSource key={edited.id} source={edited} onClose={() => { setEdited(null); }} onToken={setToken} />}
      <SecretOnce
        secret={token} title="Source token" onClose={() => { setToken(null); }}
        use="The source sends it with each request to POST /ingest, as its bearer token."
      />
    </>
  );
}
