import { Button, Progress } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconSearch, IconSend } from '@tabler/icons-react';
import { useCallback, useEffect } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { notifyDone, succeeded } from '../../components/notify';
import { Panel } from '../../components/panel';
import { graphql } from '../../gql';
import { formatCount, plural } from '../../lib/format';
import classes from './reconciliation.module.css';

const StandingDocument = graphql(`
  query DifferenceStanding($destinationId: ID!) {
    differenceStanding(destinationId: $destinationId) { open resending resolved accepted }
    missing: differences(first: 1, filter: { destinationId: $destinationId, states: [OPEN], kinds: [MISSING] }) { totalCount }
  }
`);

export const ResendDocument = graphql(`
  mutation ResendDifferences($input: ResendDifferencesInput!) {
    resendDifferences(input: $input) { resent error { field code message } }
  }
`);

const ProveDocument = graphql(`
  mutation ProveDifferences($destinationId: ID!) {
    proveDifferences(destinationId: $destinationId) { found absent waiting error { field code message } }
  }
`);

/** Where the destination's differences stand, live while leads are on their way again. */
export function Repair({ destinationId, onChange }: { destinationId: string; onChange: () => void }) {
  const writes = useMay('reconciliation:write');
  const [{ data }, ask] = useQuery({ query: StandingDocument, variables: { destinationId } });
  const again = useCallback(() => { ask({ requestPolicy: 'network-only' }); }, [ask]);
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching: sending }, resend] = useMutation(ResendDocument);
  const [{ fetching: proving }, prove] = useMutation(ProveDocument);
  const standing = data?.differenceStanding;
  const missing = data?.missing.totalCount ?? 0;
  const resending = standing?.resending ?? 0;
  useEffect(() => {
    if (resending === 0) return undefined;
    const timer = setInterval(again, 2000);
    return () => { clearInterval(timer); };
  }, [resending, again]);

  async function sendAll() {
    const payload = succeeded(await resend({ input: { destinationId } }), (answer) => answer.resendDifferences);
    close();
    if (!payload) return;
    notifyDone(`${plural(payload.resent ?? 0, 'lead')} on the way again.`);
    again();
    onChange();
  }

  async function lookUp() {
    const payload = succeeded(await prove({ destinationId }), (answer) => answer.proveDifferences);
    if (!payload) return;
    notifyDone(`${formatCount(payload.found ?? 0)} found there, ${formatCount(payload.absent ?? 0)} still missing, ${formatCount(payload.waiting ?? 0)} on the way.`);
    again();
    onChange();
  }

  if (!standing) return null;
  const total = standing.open + standing.resending + standing.resolved + standing.accepted;
  if (total === 0) return null;
  const settled = standing.resolved + standing.accepted;
  return (
    <Panel
      title="Repair" detail={`All differences of this destination: ${formatCount(settled)} of ${formatCount(total)} settled.`}
      actions={writes && (
        <>
          {resending > 0 && (
            <Button variant="default" loading={proving} leftSection={<IconSearch size={16} aria-hidden="true" />} onClick={lookUp}>Look them up</Button>
          )}
          {missing > 0 && (
            <Button leftSection={<IconSend size={16} aria-hidden="true" />} onClick={open}>Send the missing again</Button>
          )}
        </>
      )}
    >
      <ul className={classes.tally} aria-label="Differences by state">
        <li data-bad={standing.open > 0}><strong>{formatCount(standing.open)}</strong> Open</li>
        <li><strong>{formatCount(standing.resending)}</strong> Sent again</li>
        <li><strong>{formatCount(standing.resolved)}</strong> Resolved</li>
        <li><strong>{formatCount(standing.accepted)}</strong> Accepted</li>
      </ul>
      <Progress value={(settled / total) * 100} animated={resending > 0} size="lg" aria-label="Part of the differences that is settled" />
      <Confirm opened={asking} onClose={close} onConfirm={sendAll} busy={sending} title="Send the missing leads again?" action="Send again">
        {plural(missing, 'lead')} {missing === 1 ? 'is' : 'are'} missing there. Where two people may have become one, a person decides first: those stay.
      </Confirm>
    </Panel>
  );
}
