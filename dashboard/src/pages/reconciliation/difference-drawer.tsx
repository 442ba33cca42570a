import { Button, Drawer, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay, useViewer } from '../../app/session';
import { useActorName } from '../../components/actor';
import { notifyDone, succeeded } from '../../components/notify';
import { Facts } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { DifferenceDecision } from '../../gql/graphql';
import { fieldLabel } from '../../lib/fields';
import { formatPhone, humanise } from '../../lib/format';
import { nameOf, type DifferenceRow } from './differences';
import classes from './reconciliation.module.css';
import { ResendDocument } from './repair';
import { differenceKinds, differenceStates } from './words';

const HistoryDocument = graphql(`
  query DifferenceHistory($id: ID!) { differenceHistory(id: $id) { at actor state note } }
`);

const DecideDocument = graphql(`
  mutation DecideDifference($input: DecideDifferenceInput!) {
    decideDifference(input: $input) { difference { id state owner reason } error { field code message } }
  }
`);

/** Fields in the order in which a person compares them; what else a side says follows. */
const order = ['external_id', 'first_name', 'last_name', 'phone', 'email', 'state', 'status', 'source', 'remote_id', 'created_at', 'handed_at', 'delivery_state'];

const labels: Readonly<Record<string, string>> = {
  external_id: 'Our id', remote_id: 'Their id', created_at: 'Made there', handed_at: 'Handed over', delivery_state: 'Delivery', phone_unread: 'Phone as written', email_unread: 'E-mail as written',
};

function values(side: unknown): ReadonlyMap<string, string> {
  if (side === null || typeof side !== 'object') return new Map();
  return new Map(Object.entries(side as Record<string, unknown>).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}

/** A value as people read it: times in the tenant's zone, states without their underscores. */
function Said({ name, value }: { name: string; value: string | undefined }) {
  if (value === undefined) return <span className="quiet">–</span>;
  if (name.endsWith('_at') && !Number.isNaN(Date.parse(value))) return <Time at={value} />;
  if (name === 'phone') return formatPhone(value);
  return name === 'status' || name === 'delivery_state' ? humanise(value) : value;
}

function Sides({ row }: { row: DifferenceRow }) {
  const [ours, theirs] = [values(row.ours), values(row.theirs)];
  const differing = new Set(row.fields.map(({ field }) => field));
  const names = [...new Set([...order, ...ours.keys(), ...theirs.keys()])].filter((name) => name !== 'standing' && (ours.has(name) || theirs.has(name)));
  return (
    <table className={classes.sides}>
      <caption className="visually-hidden">Both sides, field by field</caption>
      <thead><tr><th scope="col">Field</th><th scope="col">Ours</th><th scope="col">Theirs</th></tr></thead>
      <tbody>
        {names.map((name) => (
          <tr key={name} data-differs={differing.has(name)}>
            <th scope="row">{labels[name] ?? fieldLabel(name)}{differing.has(name) && <span className="visually-hidden"> (differs)</span>}</th>
            <td><Said name={name} value={ours.get(name)} /></td>
            <td><Said name={name} value={theirs.get(name)} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function DifferenceDrawer({ row, onClose, onChange }: { row: DifferenceRow; onClose: () => void; onChange: () => void }) {
  const writes = useMay('reconciliation:write');
  const viewer = useViewer();
  const actorName = useActorName();
  const [text, setText] = useState('');
  const [{ data, error }, ask] = useQuery({ query: HistoryDocument, variables: { id: row.id } });
  const [{ fetching }, decide] = useMutation(DecideDocument);
  const [{ fetching: sending }, resend] = useMutation(ResendDocument);
  const kind = differenceKinds[row.kind];

  function done(message: string) {
    notifyDone(message);
    setText('');
    ask({ requestPolicy: 'network-only' });
    onChange();
  }

  async function say(decision: DifferenceDecision, message: string, words: string | null = null) {
    if (succeeded(await decide({ input: { id: row.id, decision, text: words } }), (answer) => answer.decideDifference)) done(message);
  }

  async function send() {
    if (succeeded(await resend({ input: { ids: [row.id] } }), (answer) => answer.resendDifferences)) done('The lead is on its way again.');
  }

  const open = row.state === 'OPEN';
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title={nameOf(row)} closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className={classes.drawer}>
        <div>
          <Title order={3} size="h4">{kind.label}</Title>
          <Text c="dimmed" size="sm">{kind.meaning}{row.mergeSuspected && ' Another lead’s record there has this one’s phone, e-mail or id: two people may have become one.'}</Text>
        </div>
        <Facts
          entries={[
            { label: 'State', value: <Status {...differenceStates[row.state]} /> },
            { label: 'Owner', value: row.owner },
            { label: 'Found first', value: <Time at={row.openedAt} /> },
            { label: 'Lead', value: row.leadId ? <Link to={`/leads/${row.leadId}`}>Its page</Link> : null },
          ]}
        />
        <Sides row={row} />
        {open && (
          <TextInput label="Reason or note" description="Needed to accept or resolve; it stands in the history." value={text} maxLength={500} onChange={(event) => { setText(event.currentTarget.value); }} />
        )}
        <div className={classes.actions}>
          {open && row.kind === 'MISSING' && writes && <Button loading={sending} onClick={send}>Send again</Button>}
          {open && row.kind === 'UNCONFIRMED' && <Button loading={fetching} onClick={() => say('CONFIRM', 'It is called delivered now.')}>It is there: confirm</Button>}
          {open && <Button variant="default" disabled={text.trim() === ''} loading={fetching} onClick={() => say('ACCEPT', 'The difference may stay.', text)}>Accept</Button>}
          {open && <Button variant="default" disabled={text.trim() === ''} loading={fetching} onClick={() => say('RESOLVE', 'It is resolved.', text)}>Resolved by hand</Button>}
          {(row.state === 'ACCEPTED' || row.state === 'RESOLVED') && <Button variant="default" loading={fetching} onClick={() => say('REOPEN', 'It is open again.')}>Open again</Button>}
          {row.owner !== viewer.email && <Button variant="subtle" loading={fetching} onClick={() => say('ASSIGN', 'It is yours.', viewer.email)}>Take it over</Button>}
        </div>
        <section aria-labelledby="difference-history">
          <Title order={3} size="h5" id="difference-history" mb={6}>History</Title>
          {error && !data ? <ErrorState error={error} onRetry={() => { ask({ requestPolicy: 'network-only' }); }} /> : (
            <ol className={classes.steps}>
              {(data?.differenceHistory ?? []).map((step) => (
                <li key={`${step.at} ${step.state} ${step.note ?? ''}`}>
                  <Time at={step.at} /> – <strong>{differenceStates[step.state].label}</strong>{step.note && `: ${step.note}`} <span className="quiet">by {actorName(step.actor)}</span>
                </li>
              ))}
            </ol>
          )}
        </section>
      </div>
    </Drawer>
  );
}
