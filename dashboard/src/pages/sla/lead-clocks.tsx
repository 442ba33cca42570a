import { Button, Select } from '@mantine/core';
import { IconPhoneCheck } from '@tabler/icons-react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { notifyDone, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { Status, type Look } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { SlaOfLeadQuery } from '../../gql/graphql';
import { sentence } from '../../lib/format';
import classes from './sla.module.css';
import { clockName, lasting, standings } from './words';

const SlaOfLeadDocument = graphql(`
  query SlaOfLead($lead: ID!) {
    slaClocks(lead: $lead) { clock policyId version startedAt dueAt standing stoppedAt elapsedSeconds inTarget breachedAt reason pauseReason agent }
    slaPolicies { id pauseReasons }
  }
`);

const RecordContactDocument = graphql(`
  mutation RecordContact($input: RecordContactInput!) { recordContact(input: $input) { first error { field code message } } }
`);

const PauseSlaClockDocument = graphql(`
  mutation PauseSlaClock($lead: ID!, $clock: String!, $reason: String) { pauseSlaClock(lead: $lead, clock: $clock, reason: $reason) { ok error { field code message } } }
`);

type Clock = NonNullable<SlaOfLeadQuery['slaClocks']>[number];

function state(clock: Clock): Look {
  if (clock.standing) return standings[clock.standing];
  return clock.inTarget ? { label: 'Met', tone: 'good' } : { label: 'Missed', tone: 'bad' };
}

/** The clocks of one lead; nothing when no policy is about it. */
export function LeadClocks({ lead, onChange }: { lead: string; onChange: () => void }) {
  const writes = useMay('leads:write');
  const [{ data }, again] = useQuery({ query: SlaOfLeadDocument, variables: { lead } });
  const [{ fetching: recording }, record] = useMutation(RecordContactDocument);
  const [{ fetching: pausing }, pause] = useMutation(PauseSlaClockDocument);
  const clocks = data?.slaClocks ?? [];
  if (clocks.length === 0) return null;
  const reload = () => { again({ requestPolicy: 'network-only' }); onChange(); };

  async function contacted() {
    const payload = succeeded(await record({ input: { leadId: lead } }), (answer) => answer.recordContact);
    if (payload) notifyDone(payload.first ? 'The first contact is recorded.' : 'Somebody had reached this lead before.');
    reload();
  }

  async function setPaused(clock: string, reason: string | null) {
    const payload = succeeded(await pause({ lead, clock, reason }), (answer) => answer.pauseSlaClock);
    if (payload) notifyDone(reason ? 'The clock is paused.' : 'The clock goes on.');
    reload();
  }

  const waiting = clocks.some((clock) => clock.clock === 'response' && !clock.stoppedAt);
  return (
    <Panel
      title="Service levels" detail="How long it may take, and how long it took"
      actions={waiting && writes && <Button size="xs" loading={recording} leftSection={<IconPhoneCheck size={16} aria-hidden="true" />} onClick={() => { void contacted(); }}>I have reached this lead</Button>}
    >
      <ul className={classes.clocks}>
        {clocks.map((clock) => {
          const reasons = data?.slaPolicies.find(({ id }) => id === clock.policyId)?.pauseReasons ?? [];
          return (
            <li key={clock.clock}>
              <Status {...state(clock)} />
              <div>
                <strong>{clockName(clock.clock)}</strong>
                <span className={classes.reason}>
                  {clock.stoppedAt ? <>Took {lasting(clock.elapsedSeconds)}{clock.agent && ` – ${clock.agent}`}</> : clock.dueAt ? <>Due <Time at={clock.dueAt} /></> : `Paused: ${clock.pauseReason ?? 'no reason given'}`}
                </span>
                {clock.reason && <span className={classes.reason}>{sentence(clock.reason)}</span>}
              </div>
              {writes && clock.standing === 'PAUSED' && <Button size="compact-xs" variant="default" loading={pausing} onClick={() => { void setPaused(clock.clock, null); }}>Go on</Button>}
              {writes && (clock.standing === 'RUNNING' || clock.standing === 'AT_RISK') && reasons.length > 0 && (
                <Select size="xs" w={170} aria-label={`Pause ${clockName(clock.clock)} for`} placeholder="Pause for …" value={null} data={[...reasons]} onChange={(reason) => { if (reason) void setPaused(clock.clock, reason); }} />
              )}
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
