import { Button, MultiSelect, Select, Switch, TextInput } from '@mantine/core';
import { DatePickerInput } from '@mantine/dates';
import { IconCalendar, IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay, useViewer, useZone } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { DataTable, type Column } from '../../components/data-table';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { ApiKeyKind, ApiKeysQuery, Role } from '../../gql/graphql';
import { roleNames, roleOptions } from '../../lib/roles';
import { dayAfter, startOfDay } from '../../lib/zone';

const ApiKeysDocument = graphql(`
  query ApiKeys { apiKeys { id kind name role scopes createdAt expiresAt lastUsedAt revokedAt } }
`);

const CreateApiKeyDocument = graphql(`
  mutation CreateApiKey($input: CreateApiKeyInput!) { createApiKey(input: $input) { key { id name } secret error { field code message } } }
`);

const RevokeApiKeyDocument = graphql(`
  mutation RevokeApiKey($id: ID!) { revokeApiKey(id: $id) { error { message } } }
`);

type KeyRow = ApiKeysQuery['apiKeys'][number];

const kinds: Readonly<Record<ApiKeyKind, string>> = { API: 'API key', CLIENT: 'OAuth client', SOURCE: 'Source token' };

function State({ row }: { row: KeyRow }) {
  if (row.revokedAt) return <Status label="Revoked" tone="calm" />;
  if (row.expiresAt && new Date(row.expiresAt) <= new Date()) return <Status label="Expired" tone="calm" />;
  return <Status label="Valid" tone="good" />;
}

/** What programs sign in with. */
export function KeysPage() {
  const writes = useMay('keys:write');
  const [{ data, error }, again] = useQuery({ query: ApiKeysDocument });
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [revoked, setRevoked] = useState<KeyRow | null>(null);
  const [{ fetching }, revoke] = useMutation(RevokeApiKeyDocument);
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  async function refuse() {
    if (!revoked) return;
    const done = succeeded(await revoke({ id: revoked.id }), (answer) => answer.revokeApiKey);
    setRevoked(null);
    if (!done) return;
    notifyDone(`${revoked.name} is refused from now on.`);
    reload();
  }

  const columns: readonly Column<KeyRow>[] = [
    { key: 'name', header: 'Name', cell: (row) => <strong>{row.name}</strong> },
    { key: 'kind', header: 'Kind', fit: 'line', card: 'plain', cell: (row) => <span>{kinds[row.kind]}</span> },
    { key: 'scopes', header: 'May', from: 'medium', cell: (row) => <span className="mono">{row.scopes.join(' ')}</span> },
    { key: 'role', header: 'Role', from: 'wide', cell: (row) => <span>{roleNames[row.role]}</span> },
    { key: 'used', header: 'Last used', fit: 'line', align: 'end', cell: (row) => <Time at={row.lastUsedAt} /> },
    { key: 'expires', header: 'Expires', fit: 'line', align: 'end', from: 'medium', cell: (row) => <Time at={row.expiresAt} /> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <State row={row} /> },
    { key: 'revoke', header: 'Action', align: 'end', card: 'plain', cell: (row) => (writes && !row.revokedAt ? <Button variant="subtle" color="red" size="compact-sm" aria-label={`Revoke ${row.name}`} onClick={() => { setRevoked(row); }}>Revoke</Button> : null) },
  ];

  return (
    <>
      <Panel
        flush title="API keys" detail="What programs sign in with. A key can do no more than whoever made it."
        actions={writes && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setCreating(true); }}>New key</Button>}
      >
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable caption="API keys" columns={columns} rows={data?.apiKeys} rowKey={({ id }) => id} empty={<EmptyState icon={IconKey} title="No key yet" detail="A program that reads or changes your data needs one." />} />
        )}
      </Panel>
      {creating && <CreateKey onClose={() => { setCreating(false); }} onSecret={(text) => { setSecret(text); reload(); }} />}
      <SecretOnce secret={secret} title="Key" use="The program sends it in the header Authorization: Bearer; an OAuth client exchanges it for access tokens." onClose={() => { setSecret(null); }} />
      <Confirm opened={revoked !== null} title={`Revoke ${revoked?.name ?? 'the key'}?`} action="Revoke" danger busy={fetching} onConfirm={refuse} onClose={() => { setRevoked(null); }}>
        Whatever program uses it is refused at once. This cannot be taken back.
      </Confirm>
    </>
  );
}

function CreateKey({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const viewer = useViewer();
  const zone = useZone();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('SERVICE');
  const [scopes, setScopes] = useState<string[]>(['leads:read']);
  const [oauthClient, setOauthClient] = useState(false);
  const [lastDay, setLastDay] = useState<string | null>(null);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateApiKeyDocument);

  async function submit() {
    setProblem(null);
    const answer = await create({ input: { name: name.trim(), role, scopes, oauthClient, expiresAt: lastDay === null ? null : startOfDay(dayAfter(lastDay), zone) } });
    const payload = succeeded(answer, (data) => data.createApiKey, setProblem);
    if (!payload) return;
    onClose();
    if (payload.secret) onSecret(payload.secret);
  }

  return (
    <FormDrawer opened title="New key" action="Create the key" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['name', 'role', 'scope', 'scopes', 'expiresAt']} />
      <TextInput label="Name" description="Which program uses it" required data-autofocus value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <MultiSelect
        label="What it may do" description="As little as the program needs; * is everything that its role may." searchable required value={scopes} onChange={setScopes} error={messageFor(problem, 'scopes') ?? messageFor(problem, 'scope')}
        data={['*', ...viewer.rights.filter((right) => right !== 'own')]}
      />
      <Select label="Role" description="Its rights at most" allowDeselect={false} value={role} data={roleOptions(['SERVICE', 'MANAGER', 'ADMIN'])} error={messageFor(problem, 'role')} onChange={(value) => { if (value) setRole(value as Role); }} />
      <DatePickerInput label="Last day" description="Without one, a year from now" clearable leftSection={<IconCalendar size={16} aria-hidden="true" />} value={lastDay} onChange={setLastDay} error={messageFor(problem, 'expiresAt')} />
      <Switch label="OAuth client" description="Exchanged for access tokens of 15 minutes instead of being sent with each request." checked={oauthClient} onChange={(event) => { setOauthClient(event.currentTarget.checked); }} />
    </FormDrawer>
  );
}
