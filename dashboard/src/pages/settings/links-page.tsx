import { Button } from '@mantine/core';
import { IconLink, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { LinkPage, ResourceLinksQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { CreateLink } from './create-link';
import { LinkDrawer } from './link-drawer';

const ResourceLinksDocument = graphql(`
  query ResourceLinks {
    resourceLinks { id name page filters { name value } roles url live createdAt expiresAt revokedAt openings lastOpenedAt }
  }
`);

export type LinkRow = ResourceLinksQuery['resourceLinks'][number];

export const linkPages: Readonly<Record<LinkPage, string>> = {
  LEADS: 'Leads', LEAD: 'One lead, by the CRM’s prospect id', IMPORTS: 'Imports', REFUSED: 'Refused records', DELIVERIES: 'Deliveries',
  SLA: 'Service levels', BILLING: 'Billing', RECONCILIATION: 'Reconciliation',
};

function State({ link }: { link: LinkRow }) {
  if (link.live) return <Status label="Live" tone="good" />;
  return <Status label={link.revokedAt ? 'Revoked' : 'Expired'} tone="calm" />;
}

function columnsWith(open: (row: LinkRow) => void): readonly Column<LinkRow>[] {
  return [
    { key: 'name', header: 'Name', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{row.name}</button> },
    { key: 'page', header: 'Page', card: 'plain', cell: (row) => <span>{linkPages[row.page]}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <State link={row} /> },
    { key: 'openings', header: 'Opened', align: 'end', cell: (row) => formatCount(row.openings) },
    { key: 'last', header: 'Last opened', align: 'end', fit: 'line', from: 'medium', cell: (row) => <Time at={row.lastOpenedAt} /> },
  ];
}

/** Links that open a page of Baton inside a CRM. */
export function LinksPage() {
  const [{ data, error }, again] = useQuery({ query: ResourceLinksDocument });
  const [creating, setCreating] = useState(false);
  const [shown, setShown] = useState<string | null>(null);
  const link = data?.resourceLinks.find(({ id }) => id === shown);
  return (
    <>
      <Panel
        flush title="Resource links" detail="A page of Baton inside your CRM. The link itself opens nothing: whoever follows it signs in, and sees what the person’s role allows."
        actions={<Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New link</Button>}
      >
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Resource links, newest first" columns={columnsWith(({ id }) => { setShown(id); })} rows={data?.resourceLinks} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconLink} title="No link yet" detail="Make one, then enter its address in your CRM as a custom tab, card or menu link." />}
          />
        )}
      </Panel>
      {creating && <CreateLink onClose={() => { setCreating(false); }} onMade={(id) => { setShown(id); again({ requestPolicy: 'network-only' }); }} />}
      {link && <LinkDrawer key={link.id} link={link} onClose={() => { setShown(null); }} />}
    </>
  );
}
