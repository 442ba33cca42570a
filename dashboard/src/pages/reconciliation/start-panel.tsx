import { Alert, Button, FileButton, Select, TextInput } from '@mantine/core';
import { IconAlertCircle, IconCloudSearch, IconFileUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay, useZone } from '../../app/session';
import { succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { graphql } from '../../gql';
import { instantOf } from '../../lib/zone';
import classes from './reconciliation.module.css';
import { sendList } from './send-list';

const StartReconciliationDocument = graphql(`
  mutation StartReconciliation($input: StartReconciliationInput!) {
    startReconciliation(input: $input) { reconciliation { id } error { field code message } }
  }
`);

const HasApiDocument = graphql(`
  query HasApi($destinationId: ID!) { reconciliationPlan(destinationId: $destinationId) { destinationId hasApi } }
`);

export interface Destination {
  id: string;
  slug: string;
  name: string;
  enabled: boolean;
}

const periods = [
  { value: 'all', label: 'All leads' },
  { value: '1', label: 'The last 24 hours' },
  { value: '7', label: 'The last 7 days' },
  { value: '30', label: 'The last 30 days' },
];

function beginning(period: string): string | null {
  return period === 'all' ? null : new Date(Date.now() - Number(period) * 86_400_000).toISOString();
}

/** Begins a run, by a file or by their API. */
export function StartPanel({ destinations }: { destinations: readonly Destination[] }) {
  const writes = useMay('reconciliation:write');
  const navigate = useNavigate();
  const zone = useZone();
  const [chosen, setChosen] = useState<string | null>(null);
  const [period, setPeriod] = useState('all');
  const [madeAt, setMadeAt] = useState('');
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, start] = useMutation(StartReconciliationDocument);
  const destination = destinations.find(({ id }) => id === chosen) ?? destinations.find(({ enabled }) => enabled) ?? destinations[0];
  const [{ data }] = useQuery({ query: HasApiDocument, variables: { destinationId: destination?.id ?? '' }, pause: !destination });
  const plan = data?.reconciliationPlan;
  const api = plan?.hasApi === true;
  if (!destination || !writes) return null;

  async function send(file: File | null) {
    if (!file || !destination) return;
    setProblem(null);
    setSending(true);
    try {
      await navigate(`/reconciliation/${await sendList(destination.slug, file, { since: beginning(period), as_of: madeAt === '' ? null : instantOf(madeAt, zone) })}`);
    } catch (reason) {
      setProblem(reason instanceof Error ? reason.message : 'The list could not be sent.');
    } finally {
      setSending(false);
    }
  }

  async function ask() {
    if (!destination) return;
    const payload = succeeded(await start({ input: { destinationId: destination.id, since: beginning(period) } }), (answer) => answer.startReconciliation);
    if (payload?.reconciliation) await navigate(`/reconciliation/${payload.reconciliation.id}`);
  }

  return (
    <Panel title="Compare" detail="CSV, XLSX or JSON as the destination exports it. Comparing changes nothing there.">
      <div className={classes.start}>
        <Select
          label="Destination" value={destination.id} allowDeselect={false} onChange={setChosen}
          data={destinations.map(({ id, name }) => ({ value: id, label: name }))}
        />
        <Select label="Handed over in" value={period} allowDeselect={false} data={periods} onChange={(value) => { setPeriod(value ?? 'all'); }} />
        <TextInput
          type="datetime-local" label={`File made at, ${zone}`} value={madeAt} onChange={(event) => { setMadeAt(event.currentTarget.value); }}
          description="Without it nothing is sent again by itself"
        />
        <div className={classes.ways}>
          {api && (
            <Button variant="default" loading={fetching} leftSection={<IconCloudSearch size={16} aria-hidden="true" />} onClick={ask}>Ask its API</Button>
          )}
          <FileButton onChange={send} inputProps={{ 'aria-label': 'Their list' }} accept=".csv,.xlsx,.json,.ndjson,.gz,text/csv,application/json">
            {(properties) => <Button {...properties} loading={sending} leftSection={<IconFileUpload size={16} aria-hidden="true" />}>Send their list</Button>}
          </FileButton>
        </div>
      </div>
      {problem && <Alert mt="md" role="alert" color="red" variant="light" icon={<IconAlertCircle aria-hidden="true" />}>{problem}</Alert>}
    </Panel>
  );
}
