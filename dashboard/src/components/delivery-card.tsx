import { Button, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCheck, IconRefresh } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation } from 'urql';
import { graphql } from '../gql';
import type { DeliveryCardFragment } from '../gql/graphql';
import { formatDuration, humanise, plural } from '../lib/format';
import { Confirm } from './confirm';
import classes from './delivery-card.module.css';
import { notifyDone, succeeded } from './notify';
import { attemptOutcomes, deliveryStates, Status } from './status';
import { Time } from './time';

graphql(`
  fragment DeliveryCard on Delivery {
    id state reason code attemptCount nextAttemptAt createdAt finishedAt remoteId
    destination { id name }
    attempts { id number startedAt durationMs outcome httpStatus errorKind responseHeaders responseBody lookedUp }
  }
`);

const RetryDeliveryDocument = graphql(`
  mutation RetryDelivery($id: ID!) {
    retryDelivery(id: $id) {
      delivery { id state reason nextAttemptAt lead { id status } }
      error { field code message }
    }
  }
`);

const ConfirmDeliveryDocument = graphql(`
  mutation ConfirmDelivery($id: ID!, $remoteId: String) {
    confirmDelivery(id: $id, remoteId: $remoteId) {
      delivery { id state reason code remoteId finishedAt lead { id status } }
      error { field code message }
    }
  }
`);

/** Sends one delivery again and says so; answers whether it was accepted. */
export function useRetryDelivery() {
  const [{ fetching }, mutate] = useMutation(RetryDeliveryDocument);
  const retry = async (id: string): Promise<boolean> => {
    const payload = succeeded(await mutate({ id }), (data) => data.retryDelivery);
    if (payload) notifyDone('The delivery is on its way again.');
    return payload !== null;
  };
  return { fetching, retry };
}

export function isRetryable(state: DeliveryCardFragment['state']): boolean {
  return state === 'FAILED' || state === 'HELD' || state === 'UNKNOWN';
}

/** One destination's delivery of a lead with every attempt. */
export function DeliveryCard({ delivery, onChange }: { delivery: DeliveryCardFragment; onChange?: () => void }) {
  const { fetching, retry } = useRetryDelivery();
  return (
    <article className={classes.card} aria-label={`Delivery to ${delivery.destination.name}`}>
      <header className={classes.head}>
        <span className={classes.name}>{delivery.destination.name}</span>
        <Status {...deliveryStates[delivery.state]} />
        <span className="quiet">{plural(delivery.attemptCount, 'attempt')}</span>
        {isRetryable(delivery.state) && (
          <Button
            size="xs" variant="default" ml="auto" loading={fetching} leftSection={<IconRefresh size={14} aria-hidden="true" />}
            onClick={async () => { if (await retry(delivery.id)) onChange?.(); }}
          >
            {delivery.state === 'UNKNOWN' ? 'Send again' : 'Retry'}
          </Button>
        )}
        {delivery.state === 'UNKNOWN' && <Confirmation id={delivery.id} destination={delivery.destination.name} onChange={onChange} />}
      </header>
      {delivery.reason && <p className={classes.reason} data-tone={delivery.state === 'FAILED' ? 'bad' : 'wait'}>{delivery.reason}</p>}
      {delivery.nextAttemptAt && <p className={classes.next}>Next attempt <Time at={delivery.nextAttemptAt} /></p>}
      {delivery.remoteId && <p className={classes.next}>Known there as <span className="mono">{delivery.remoteId}</span></p>}
      {delivery.attempts.length > 0 && (
        <ol className={classes.attempts}>
          {delivery.attempts.map((attempt) => <Attempt key={attempt.id} attempt={attempt} />)}
        </ol>
      )}
    </article>
  );
}

/** For who has looked: the destination has it. */
function Confirmation({ id, destination, onChange }: { id: string; destination: string; onChange: (() => void) | undefined }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [remoteId, setRemoteId] = useState('');
  const [{ fetching }, confirm] = useMutation(ConfirmDeliveryDocument);
  async function done() {
    const payload = succeeded(await confirm({ id, remoteId: remoteId.trim() || null }), (data) => data.confirmDelivery);
    close();
    if (!payload) return;
    notifyDone('The delivery is confirmed.');
    onChange?.();
  }
  return (
    <>
      <Button size="xs" variant="default" leftSection={<IconCheck size={14} aria-hidden="true" />} onClick={open}>It arrived</Button>
      <Confirm opened={asking} onClose={close} onConfirm={done} busy={fetching} title={`Does ${destination} have this lead?`} action="Yes, it arrived">
        <TextInput
          label="Its id there" description="When you know it, reconciliation finds the lead by it." value={remoteId} maxLength={200}
          onChange={(event) => { setRemoteId(event.currentTarget.value); }}
        />
      </Confirm>
    </>
  );
}

function headersOf(headers: unknown): [string, string][] {
  if (typeof headers !== 'object' || headers === null) return [];
  return Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
}

function Attempt({ attempt }: { attempt: DeliveryCardFragment['attempts'][number] }) {
  const headers = headersOf(attempt.responseHeaders);
  const answer = attempt.httpStatus ? `HTTP ${attempt.httpStatus}` : humanise(attempt.errorKind ?? 'no answer');
  return (
    <li>
      <div className={classes.line}>
        <span className={classes.number}>{attempt.number}</span>
        <Status {...attemptOutcomes[attempt.outcome]} />
        <span>{attempt.lookedUp === 'found' ? 'Found there when asked' : answer}</span>
        {attempt.lookedUp === 'absent' && <span className="quiet">not there when asked, sent again</span>}
        <span className="quiet">{formatDuration(attempt.durationMs)}</span>
        <span className={classes.at}><Time at={attempt.startedAt} /></span>
      </div>
      {(headers.length > 0 || attempt.responseBody) && (
        <details className={classes.answer}>
          <summary>Answer of attempt {attempt.number}</summary>
          {headers.length > 0 && <pre className="mono">{headers.map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>}
          {attempt.responseBody && <pre className="mono">{attempt.responseBody}</pre>}
        </details>
      )}
    </li>
  );
}
