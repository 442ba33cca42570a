import { Button, Code, Drawer, Group, Select, Skeleton, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { Confirm } from '../../components/confirm';
import { OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, notifyError } from '../../components/notify';
import { Facts } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { graphql } from '../../gql';
import type { InboundEndpointQuery, InboundKind } from '../../gql/graphql';

const InboundEndpointDocument = graphql(`
  query InboundEndpoint($destination: ID!) {
    inboundEndpoint(destination: $destination) { destinationId kind enabled url words createdAt }
    reconciliationPlan(destinationId: $destination) { destinationId hasApi }
  }
`);

const OpenInboundEndpointDocument = graphql(`
  mutation OpenInboundEndpoint($destination: ID!, $kind: InboundKind!) {
    openInboundEndpoint(destination: $destination, kind: $kind) { secret url error { field code message } }
  }
`);

const CloseInboundEndpointDocument = graphql(`
  mutation CloseInboundEndpoint($destination: ID!) { closeInboundEndpoint(destination: $destination) { done error { field code message } } }
`);

const SetInboundWordsDocument = graphql(`
  mutation SetInboundWords($destination: ID!, $words: JSON!) { setInboundWords(destination: $destination, words: $words) { done error { field code message } } }
`);

type Endpoint = NonNullable<InboundEndpointQuery['inboundEndpoint']>;

const kinds: Readonly<Record<InboundKind, { label: string; header: string }>> = {
  BONZO: { label: 'Bonzo’s event hooks', header: 'x-bonzo-code' },
  NPA: { label: 'NPA’s status of a lead', header: 'x-webhook-code' },
  STANDARD: { label: 'Standard Webhooks', header: 'webhook-signature' },
};

interface Props {
  destinations: readonly { id: string; name: string }[];
  onClose: () => void;
}

/** Which destinations may report, where they post to, and what their words mean. */
export function EndpointDrawer({ destinations, onClose }: Props) {
  const [destination, setDestination] = useState<string | null>(destinations[0]?.id ?? null);
  return (
    <Drawer opened onClose={onClose} size="lg" title="Who reports" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Select
          label="Destination" data-autofocus allowDeselect={false} value={destination} onChange={setDestination}
          data={destinations.map(({ id, name }) => ({ value: id, label: name }))}
        />
        {destination && <One key={destination} destination={destination} />}
      </Stack>
    </Drawer>
  );
}

function One({ destination }: { destination: string }) {
  const [{ data, error, fetching }, again] = useQuery({ query: InboundEndpointDocument, variables: { destination } });
  const [{ fetching: opening }, open] = useMutation(OpenInboundEndpointDocument);
  const [{ fetching: closing }, shut] = useMutation(CloseInboundEndpointDocument);
  const [kind, setKind] = useState<InboundKind>('BONZO');
  const [secret, setSecret] = useState<string | null>(null);
  const [asking, setAsking] = useState<'rotate' | 'close' | null>(null);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  if (error && !data) return <ErrorState error={error} onRetry={reload} />;
  if (!data && fetching) return <Skeleton height={180} aria-busy="true" />;
  const endpoint = data?.inboundEndpoint;
  const reports = endpoint?.enabled === true;

  async function letReport(of: InboundKind) {
    setAsking(null);
    const { data: done, error: fault } = await open({ destination, kind: of });
    if (fault) notifyError(fault);
    if (!done) return;
    setProblem(done.openInboundEndpoint.error ?? null);
    if (done.openInboundEndpoint.secret) setSecret(done.openInboundEndpoint.secret);
    reload();
  }

  async function close() {
    setAsking(null);
    const { data: done, error: fault } = await shut({ destination });
    if (fault) notifyError(fault);
    if (!done?.closeInboundEndpoint.done) return;
    notifyDone('Its reports are refused from now on.');
    reload();
  }

  return (
    <Stack>
      <OtherMessage error={problem} fields={[]} />
      {!reports && (
        <>
          <Text c="dimmed">{endpoint ? 'Its reports are refused now.' : 'It does not report yet.'}</Text>
          <Select
            label="It proves itself by" allowDeselect={false} value={kind} onChange={(value) => { setKind(value as InboundKind); }}
            data={Object.entries(kinds).map(([value, { label, header }]) => ({ value, label: `${label} (${header})` }))}
          />
          <Button loading={opening} onClick={() => { void letReport(kind); }}>Let it report</Button>
        </>
      )}
      {endpoint && reports && (
        <>
          <Facts
            entries={[
              { label: 'State', value: <Status label="Reports are taken" tone="good" /> },
              { label: 'Posts to', value: <Code style={{ overflowWrap: 'anywhere' }}>{endpoint.url}</Code> },
              { label: 'Proves itself by', value: `${kinds[endpoint.kind].label}, header ${kinds[endpoint.kind].header}` },
              ...(endpoint.kind === 'BONZO' ? [{ label: 'What it claims is', value: data.reconciliationPlan?.hasApi ? 'read again through its API before it counts' : 'believed: there is no API to ask. Set its address and token under Reconciliation.' }] : []),
            ]}
          />
          <Group>
            <Button variant="default" loading={opening} onClick={() => { setAsking('rotate'); }}>New secret</Button>
            <Button variant="default" color="red" loading={closing} onClick={() => { setAsking('close'); }}>Take no more reports</Button>
          </Group>
          <Words key={JSON.stringify(endpoint.words)} endpoint={endpoint} onDone={reload} />
        </>
      )}
      <Confirm opened={asking === 'rotate'} title="A new secret?" action="Make a new secret" onConfirm={() => { if (endpoint) void letReport(endpoint.kind); }} onClose={() => { setAsking(null); }}>
        The one in use goes on being taken until the next new one, so that the sender can change over.
      </Confirm>
      <Confirm opened={asking === 'close'} danger title="Take no more reports?" action="Take no more" onConfirm={() => { void close(); }} onClose={() => { setAsking(null); }}>
        Leads of this destination no longer move by themselves, and its opt-outs do not arrive.
      </Confirm>
      <SecretOnce secret={secret} title="Secret of the reports" onClose={() => { setSecret(null); }} use="Give it to the sender: it stands in the header of each report, or signs it." />
    </Stack>
  );
}

/** `word = meaning`, one a line. */
function written(words: unknown): string {
  return Object.entries(words as Record<string, string>).map(([word, meaning]) => `${word} = ${meaning}`).join('\n');
}

function Words({ endpoint, onDone }: { endpoint: Endpoint; onDone: () => void }) {
  const [text, setText] = useState(written(endpoint.words));
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, set] = useMutation(SetInboundWordsDocument);

  async function save() {
    setProblem(null);
    const words: Record<string, string> = {};
    for (const line of text.split('\n').filter((one) => one.trim())) {
      const at = line.lastIndexOf('=');
      if (at < 1) { setProblem(`“${line.trim()}” has no “=”: write word = meaning.`); return; }
      words[line.slice(0, at).trim()] = line.slice(at + 1).trim();
    }
    const { data, error } = await set({ destination: endpoint.destinationId, words });
    if (error) notifyError(error);
    if (data?.setInboundWords.error) setProblem(data.setInboundWords.error.message);
    if (!data?.setInboundWords.done) return;
    notifyDone('Reports are read with these words from now on.');
    onDone();
  }

  return (
    <>
      <Textarea
        label="Its own words" autosize minRows={3} maxRows={12} value={text} error={problem} onChange={(event) => { setText(event.currentTarget.value); }}
        description="One a line, as in: In Escrow = qualified. They mean submitted, contacted, qualified, sold, lost, opted_out or ignored, and go before the usual words."
      />
      <Group justify="flex-end"><Button variant="default" loading={fetching} disabled={text === written(endpoint.words)} onClick={() => { void save(); }}>Save the words</Button></Group>
    </>
  );
}
