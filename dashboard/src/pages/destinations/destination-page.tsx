import { Alert, Button, Group, SegmentedControl, Skeleton, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconEdit, IconHandStop, IconKey, IconPlayerPlay, IconPlugConnectedX, IconTarget, IconUsersGroup } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { useChoice } from '../../components/filters';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Facts, Panel, panelClasses } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { DestinationQuery } from '../../gql/graphql';
import { plural } from '../../lib/format';
import { spanNames, spans, Statistics } from '../deliveries/statistics';
import { destinationKinds, Flow } from './destinations-page';
import { DryRun } from './dry-run';
import { EditDestination } from './edit-destination';

const DestinationDocument = graphql(`
  query Destination($id: ID!) {
    destination(id: $id) {
      id slug name kind enabled urlMasked firstNameFallback createdAt
      breaker breakerReason breakerSince probeAt settings kindProfile credentialNames olderSecretSignsUntil
      pending delivered failed held unknown rejected
    }
  }
`);

const HoldDestinationDocument = graphql(`
  mutation HoldDestination($id: ID!) {
    holdDestination(id: $id) { destination { id breaker breakerReason breakerSince probeAt } error { field code message } }
  }
`);

const ResumeDestinationDocument = graphql(`
  mutation ResumeDestination($id: ID!) {
    resumeDestination(id: $id) {
      destination { id breaker breakerReason breakerSince probeAt pending delivered failed held unknown }
      released
      error { field code message }
    }
  }
`);

const RotateSigningSecretDocument = graphql(`
  mutation RotateSigningSecret($id: ID!) {
    rotateSigningSecret(id: $id, overlapHours: 24) { destination { id olderSecretSignsUntil } signingSecret error { field code message } }
  }
`);

export type DestinationDetail = NonNullable<DestinationQuery['destination']>;

export function DestinationPage() {
  const { id = '' } = useParams();
  const [{ data, error, fetching }, again] = useQuery({ query: DestinationDocument, variables: { id } });
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  const destination = data?.destination;
  if (!destination) {
    return (
      <>
        <PageHeader title="Destination" back={back} />
        {error ? <Panel><ErrorState error={error} onRetry={reload} /></Panel>
          : fetching ? <Skeleton height={320} aria-busy="true" />
            : <Panel><EmptyState icon={IconTarget} title="No such destination" detail="It does not exist, or it belongs to another tenant." /></Panel>}
      </>
    );
  }
  return <Content key={destination.id} destination={destination} onChange={reload} />;
}

const back = { to: '/destinations', label: 'Destinations' };

function Content({ destination, onChange }: { destination: DestinationDetail; onChange: () => void }) {
  const writes = useMay('destinations:write');
  const navigate = useNavigate();
  const [span, setSpan] = useChoice('span', spanNames);
  const [editing, edit] = useDisclosure(false);
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <>
      <PageHeader
        title={destination.name} back={back} badge={<Flow {...destination} />}
        lead={<>{destinationKinds[destination.kind]} at <span className="mono">{destination.urlMasked}</span></>}
      >
        <Button variant="default" component={Link} to={`/destinations/${destination.id}/crm`} leftSection={<IconUsersGroup size={16} aria-hidden="true" />}>Users and campaigns</Button>
        {writes && destination.kind === 'WEBHOOK' && <Rotate destination={destination} onSecret={setSecret} />}
        {writes && destination.breaker !== 'HELD' && <Hold destination={destination} />}
        <Button variant="default" leftSection={<IconEdit size={16} aria-hidden="true" />} onClick={edit.open}>{writes ? 'Edit' : 'Settings'}</Button>
        <SegmentedControl
          aria-label="Span of the figures" value={span} onChange={setSpan}
          data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
        />
      </PageHeader>
      <Closed destination={destination} writes={writes} onChange={onChange} />
      <Statistics span={span} destination={destination.id} state="" httpStatus="" onState={(state) => { void navigate(`/deliveries?destination=${destination.id}&state=${state ?? ''}`); }} />
      <div className={panelClasses.halves}>
        <Panel title="What it is">
          <Facts
            entries={[
              { label: 'Short name', value: <span className="mono">{destination.slug}</span> },
              { label: 'Kind', value: destinationKinds[destination.kind] },
              { label: 'Created', value: <Time at={destination.createdAt} /> },
              { label: 'First name when it is missing', value: destination.firstNameFallback ?? 'Such a lead is held' },
              { label: 'After an unknown outcome', value: afterUnknown(destination) },
              { label: 'Credentials', value: destination.credentialNames.length > 0 ? destination.credentialNames.join(', ') : 'None' },
              ...(destination.olderSecretSignsUntil ? [{ label: 'Older signing secret until', value: <Time at={destination.olderSecretSignsUntil} /> }] : []),
            ]}
          />
        </Panel>
        <DryRun destination={destination.id} />
      </div>
      {editing && <EditDestination destination={destination} onClose={() => { edit.close(); onChange(); }} />}
      <SecretOnce
        secret={secret} title="Signing secret" onClose={() => { setSecret(null); }}
        use="The receiver checks each delivery’s signature with it. For 24 hours the former one signs too."
      />
    </>
  );
}

interface Profile { lookup?: unknown; unknown?: string }

function afterUnknown({ settings, kindProfile }: DestinationDetail): string {
  const profile = { ...kindProfile as Profile, ...settings as Profile };
  if (profile.lookup) return 'looked up, then sent again';
  return profile.unknown === 'resend' ? 'sent again under the same id' : 'a person decides';
}

/** Why leads do not flow, and the way out. */
function Closed({ destination, writes, onChange }: { destination: DestinationDetail; writes: boolean; onChange: () => void }) {
  const [{ fetching }, resume] = useMutation(ResumeDestinationDocument);
  if (destination.breaker === 'CLOSED') return null;
  const held = destination.breaker === 'HELD';
  async function release() {
    const payload = succeeded(await resume({ id: destination.id }), (data) => data.resumeDestination);
    if (!payload) return;
    notifyDone(payload.released === 0 ? 'Leads flow again.' : `${plural(payload.released, 'delivery', 'deliveries')} on the way again.`);
    onChange();
  }
  return (
    <Alert
      mb="md" role="status" color={held ? 'yellow' : 'red'} variant="light" icon={held ? <IconHandStop aria-hidden="true" /> : <IconPlugConnectedX aria-hidden="true" />}
      title={held ? 'Leads wait until somebody resumes this destination' : 'This destination does not answer'}
    >
      <Text size="sm">{destination.breakerReason}</Text>
      <Text size="sm" c="dimmed">
        Since {destination.breakerSince && <Time at={destination.breakerSince} />}.{' '}
        {plural(destination.pending, 'lead')} waiting; none is lost.{' '}
        {!held && destination.probeAt && <>It is tried again <Time at={destination.probeAt} />, and everything follows by itself.</>}
      </Text>
      {writes && (
        <Group mt="sm">
          <Button size="sm" loading={fetching} leftSection={<IconPlayerPlay size={16} aria-hidden="true" />} onClick={release}>
            {held ? 'Resume and retry all' : 'Try all now'}
          </Button>
        </Group>
      )}
    </Alert>
  );
}

function Hold({ destination }: { destination: DestinationDetail }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching }, hold] = useMutation(HoldDestinationDocument);
  async function confirm() {
    const payload = succeeded(await hold({ id: destination.id }), (data) => data.holdDestination);
    close();
    if (payload) notifyDone(`${destination.name} is held.`);
  }
  return (
    <>
      <Button variant="default" leftSection={<IconHandStop size={16} aria-hidden="true" />} onClick={open}>Hold</Button>
      <Confirm opened={asking} onClose={close} onConfirm={confirm} busy={fetching} title={`Hold ${destination.name}?`} action="Hold it">
        <Text size="sm">Nothing is sent there until somebody resumes it. New leads are accepted and wait.</Text>
      </Confirm>
    </>
  );
}

function Rotate({ destination, onSecret }: { destination: DestinationDetail; onSecret: (secret: string) => void }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching }, rotate] = useMutation(RotateSigningSecretDocument);
  async function confirm() {
    const payload = succeeded(await rotate({ id: destination.id }), (data) => data.rotateSigningSecret);
    close();
    if (payload?.signingSecret) onSecret(payload.signingSecret);
  }
  return (
    <>
      <Button variant="default" leftSection={<IconKey size={16} aria-hidden="true" />} onClick={open}>New signing secret</Button>
      <Confirm opened={asking} onClose={close} onConfirm={confirm} busy={fetching} title="Make a new signing secret?" action="Make a new one">
        <Text size="sm">For 24 hours messages are signed with both, so that the receiver can change over without losing one.</Text>
      </Confirm>
    </>
  );
}
