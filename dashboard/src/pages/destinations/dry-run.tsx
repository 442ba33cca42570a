import { Alert, Button, Group, Select, Text } from '@mantine/core';
import { IconFlask } from '@tabler/icons-react';
import { useState } from 'react';
import { useQuery } from 'urql';
import { Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { graphql } from '../../gql';
import type { DestinationDryRunQuery, DryRunVerdict } from '../../gql/graphql';
import { formatName } from '../../lib/format';
import classes from './destinations.module.css';

const DryRunLeadsDocument = graphql(`
  query DryRunLeads { leads(first: 25) { nodes { id firstName lastName externalId } } }
`);

const DestinationDryRunDocument = graphql(`
  query DestinationDryRun($destination: ID!, $lead: ID!) {
    destinationDryRun(destination: $destination, lead: $lead) {
      verdict code reason
      request { method url headers { name value } body }
      lookups { method url body }
    }
  }
`);

const verdicts: Readonly<Record<DryRunVerdict, { label: string; tone: Tone }>> = {
  SEND: { label: 'It would be sent', tone: 'good' },
  REJECTED: { label: 'A rule would stop it', tone: 'soft' },
  HELD: { label: 'It would be held', tone: 'wait' },
};

/** The exact request for a lead. Nothing is sent. */
export function DryRun({ destination }: { destination: string }) {
  const [lead, setLead] = useState<string | null>(null);
  const [asked, setAsked] = useState<string | null>(null);
  const [{ data: leads }] = useQuery({ query: DryRunLeadsDocument });
  const [{ data, error, fetching }, again] = useQuery({
    query: DestinationDryRunDocument, variables: { destination, lead: asked ?? '' }, pause: asked === null, requestPolicy: 'network-only',
  });
  const run = asked === null ? null : data?.destinationDryRun;
  const options = (leads?.leads.nodes ?? []).map((node) => ({
    value: node.id, label: node.externalId ? `${formatName(node)} (${node.externalId})` : formatName(node),
  }));
  return (
    <Panel title="Dry run" detail="The exact request for a lead, secrets masked. Nothing is sent.">
      <Group align="end" wrap="nowrap">
        <Select
          label="Lead" placeholder={options.length > 0 ? 'One of the newest' : 'There is no lead yet'} searchable flex={1} value={lead} data={options}
          onChange={setLead} disabled={options.length === 0}
        />
        <Button
          variant="default" disabled={lead === null} loading={fetching} leftSection={<IconFlask size={16} aria-hidden="true" />}
          onClick={() => { setAsked(lead); if (asked === lead) again({ requestPolicy: 'network-only' }); }}
        >
          Show
        </Button>
      </Group>
      {error && <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} />}
      {run && <Shown run={run} />}
      {asked !== null && !fetching && !error && run === null && <Alert mt="md" color="gray" variant="light">This lead is no longer there.</Alert>}
    </Panel>
  );
}

/** JSON with indents; anything else as it is. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Shown({ run }: { run: NonNullable<DestinationDryRunQuery['destinationDryRun']> }) {
  return (
    <div className={classes.run} aria-live="polite">
      <Group gap="xs">
        <Status {...verdicts[run.verdict]} />
        {run.code && <span className="mono">{run.code}</span>}
        {run.reason && <Text size="sm" c="dimmed">{run.reason}</Text>}
      </Group>
      {run.request && (
        // Scrollable content has to be reachable by keyboard.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <pre className={classes.request} tabIndex={0} role="region" aria-label="Request">
          {`${run.request.method} ${run.request.url}\n${run.request.headers.map(({ name, value }) => `${name}: ${value}`).join('\n')}\n\n${readable(run.request.body)}`}
        </pre>
      )}
      {run.lookups.length > 0 && (
        <details>
          <summary>Asked before it is sent a second time</summary>
          <pre className={classes.request}>{run.lookups.map(({ method, url, body }) => `${method} ${url}?${body}`).join('\n')}</pre>
        </details>
      )}
    </div>
  );
}
