import { Button, Skeleton, TagsInput } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { useMutation, useQuery } from 'urql';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { graphql } from '../../gql';
import type { EmbeddingQuery, FrameProofKind } from '../../gql/graphql';
import { EditProof } from './edit-proof';
import classes from './settings.module.css';

const EmbeddingDocument = graphql(`
  query Embedding { embedding { ancestors proofs { kind audience } } }
`);

const SetFrameAncestorsDocument = graphql(`
  mutation SetFrameAncestors($ancestors: [String!]!) {
    setFrameAncestors(ancestors: $ancestors) { embedding { ancestors } error { field code message } }
  }
`);

export interface CrmWords {
  name: string;
  secret: string;
  account: string;
}

/** CRMs that sign their frames, and what they call things. */
export const crms: Readonly<Record<FrameProofKind, CrmWords>> = {
  HUBSPOT: { name: 'HubSpot', secret: 'Client secret of the app', account: 'Portal id' },
  HIGHLEVEL: { name: 'HighLevel', secret: 'Shared secret of the app', account: 'Location id, or company id for an agency' },
  SALESFORCE: { name: 'Salesforce Canvas', secret: 'Consumer secret of the connected app', account: 'Organization id' },
  ZENDESK: { name: 'Zendesk', secret: 'Public key of the app (PEM)', account: 'Address of the installation' },
};

interface Row {
  kind: FrameProofKind;
  audience: string | null;
  taken: boolean;
}

function rowsOf(data: EmbeddingQuery): Row[] {
  return (Object.keys(crms) as FrameProofKind[]).map((kind) => {
    const proof = data.embedding.proofs.find((candidate) => candidate.kind === kind);
    return { kind, audience: proof?.audience ?? null, taken: proof !== undefined };
  });
}

function columnsWith(open: (row: Row) => void): readonly Column<Row>[] {
  return [
    { key: 'crm', header: 'CRM', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(row); }}>{crms[row.kind].name}</button> },
    { key: 'account', header: 'Account', card: 'plain', cell: (row) => <span className="mono">{row.audience}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status label={row.taken ? 'Accepted' : 'Not accepted'} tone={row.taken ? 'good' : 'calm'} /> },
  ];
}

/** Which sites may show Baton's pages, and whose word counts on who looks at them. */
export function EmbeddingPage() {
  const [{ data, error }, again] = useQuery({ query: EmbeddingDocument });
  const [edited, setEdited] = useState<Row | null>(null);
  if (error && !data) return <Panel><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></Panel>;
  return (
    <>
      <Panel title="Sites that may show Baton" detail="A browser refuses to show resource links on any other site.">
        {!data && <Skeleton height={86} aria-busy="true" />}
        {data && <Ancestors key={data.embedding.ancestors.join(' ')} ancestors={data.embedding.ancestors} />}
      </Panel>
      <Panel flush title="CRMs that say who looks" detail="A CRM that signs its frames can vouch for the person: whoever has an account here with that e-mail address is signed in without asking.">
        <DataTable caption="CRMs that sign their frames" columns={columnsWith(setEdited)} rows={data ? rowsOf(data) : undefined} rowKey={({ kind }) => kind} empty={null} />
      </Panel>
      {edited && <EditProof kind={edited.kind} audience={edited.audience} taken={edited.taken} onClose={() => { setEdited(null); }} />}
    </>
  );
}

function Ancestors({ ancestors }: { ancestors: readonly string[] }) {
  const [origins, setOrigins] = useState<string[]>([...ancestors]);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, set] = useMutation(SetFrameAncestorsDocument);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setProblem(null);
    const { data, error } = await set({ ancestors: origins });
    if (error) notifyError(error);
    const refusal = data?.setFrameAncestors.error;
    if (refusal) setProblem(refusal);
    else if (data) notifyDone('The list of sites was saved.');
  }

  return (
    <form className={classes.rows} onSubmit={submit} noValidate>
      <OtherMessage error={problem} fields={['ancestors']} />
      <TagsInput
        label="Origins" description="As in https://app.getbonzo.com, or https://*.getbonzo.com for every site below it" value={origins} onChange={setOrigins}
        error={messageFor(problem, 'ancestors')} placeholder={origins.length === 0 ? 'https://app.example.com' : ''}
      />
      <div><Button type="submit" loading={fetching}>Save the list</Button></div>
    </form>
  );
}
