import { Alert as Notice, Button, Group, SegmentedControl, Select, Text } from '@mantine/core';
import { IconBell, IconBellCheck, IconMailOff, IconPlus, IconRuler2 } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { useChoice } from '../../components/filters';
import { notifyDone, notifyError } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { EmptyState, ErrorState } from '../../components/states';
import { Enabled, Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { AlertRuleKind, AlertsQuery, AlertSetupQuery } from '../../gql/graphql';
import { formatDuration, plural } from '../../lib/format';
import { ChannelForm } from './channel-form';
import classes from './alerts.module.css';
import { RuleForm } from './rule-form';

const AlertsDocument = graphql(`
  query Alerts($openOnly: Boolean!) {
    alerts(first: 100, openOnly: $openOnly) { id kind title detail raisedAt clearedAt notices { channel state error sentAt } }
  }
`);

export const AlertSetupDocument = graphql(`
  query AlertSetup {
    alertRules { id name kind destinationId sourceId threshold windowMinutes channelIds enabled }
    alertChannels { id name kind target dailySummary enabled }
    alertSettings { summaryHour timeZone mailSetUp }
    destinations { id name }
    sources { id name }
  }
`);

const SetSummaryHourDocument = graphql(`
  mutation SetAlertSummaryHour($hour: Int!) { setAlertSummaryHour(hour: $hour) { done error { field code message } } }
`);

type AlertRow = AlertsQuery['alerts'][number];
export type Setup = AlertSetupQuery;
export type RuleRow = AlertSetupQuery['alertRules'][number];
export type ChannelRow = AlertSetupQuery['alertChannels'][number];

export const ruleKinds: Readonly<Record<AlertRuleKind, string>> = {
  FAILED_LEADS: 'Failed leads', SUCCESS_RATE: 'Success rate', DESTINATION_HELD: 'Held destination', RECONCILIATION: 'Reconciliation', SILENT_SOURCE: 'Silent source',
};

/** A rule in a sentence. */
export function ruleSentence(rule: RuleRow, setup: Setup): string {
  const destination = setup.destinations.find(({ id }) => id === rule.destinationId)?.name;
  const to = destination ? ` to ${destination}` : '';
  switch (rule.kind) {
    case 'FAILED_LEADS': return `More than ${plural(rule.threshold, 'lead')}${to} ${rule.threshold === 1 ? 'waits' : 'wait'} for a person`;
    case 'SUCCESS_RATE': return `Below ${rule.threshold} % of the leads${to} of the last ${formatDuration((rule.windowMinutes ?? 0) * 60_000)} are delivered`;
    case 'DESTINATION_HELD': return `${destination ?? 'A destination'} is held, or has not answered for 15 minutes`;
    case 'RECONCILIATION': return `A reconciliation finds more than ${plural(rule.threshold, 'difference')}`;
    case 'SILENT_SOURCE': return `${setup.sources.find(({ id }) => id === rule.sourceId)?.name ?? 'A source'} sends nothing for ${plural(rule.threshold, 'hour')}`;
  }
}

function Told({ row }: { row: AlertRow }) {
  if (row.notices.length === 0) return <span className="quiet">Nobody: there is no channel</span>;
  return (
    <Group gap={6}>
      {row.notices.map((notice) => (
        <span key={notice.channel} title={notice.error ?? undefined}>
          <Status label={`${notice.channel}${notice.state === 'FAILED' ? ': not reached' : notice.state === 'SENT' ? '' : ': on its way'}`} tone={notice.state === 'SENT' ? 'good' : notice.state === 'FAILED' ? 'bad' : 'busy'} />
        </span>
      ))}
    </Group>
  );
}

const alertColumns: readonly Column<AlertRow>[] = [
  {
    key: 'title', header: 'Alert',
    cell: (row) => <div><Text component="span" fw={600}>{row.title}</Text><Text size="sm" c="dimmed" className={classes.detail}>{row.detail}</Text></div>,
  },
  { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status label={row.clearedAt ? 'Cleared' : 'Open'} tone={row.clearedAt ? 'calm' : 'bad'} /> },
  { key: 'told', header: 'Told', from: 'medium', cell: (row) => <Told row={row} /> },
  { key: 'raised', header: 'Since', align: 'end', cell: (row) => <Time at={row.raisedAt} /> },
  { key: 'cleared', header: 'Cleared', align: 'end', from: 'wide', cell: (row) => row.clearedAt && <Time at={row.clearedAt} /> },
];

const shows = ['open', 'all'] as const;

export function AlertsPage() {
  const writes = useMay('alerts:write');
  const [show, setShow] = useChoice('show', shows);
  const openOnly = show === 'open';
  const [{ data, error, fetching }, again] = useQuery({ query: AlertsDocument, variables: { openOnly } });
  const [{ data: setup, error: setupError }, setupAgain] = useQuery({ query: AlertSetupDocument, pause: !writes });
  const [rule, setRule] = useState<RuleRow | 'new' | null>(null);
  const [channel, setChannel] = useState<ChannelRow | 'new' | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const reload = () => { setupAgain({ requestPolicy: 'network-only' }); again({ requestPolicy: 'network-only' }); };

  const ruleColumns: readonly Column<RuleRow>[] = [
    { key: 'name', header: 'Rule', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { setRule(row); }}>{row.name}</button> },
    { key: 'says', header: 'An alert when', card: 'plain', cell: (row) => <span>{setup ? ruleSentence(row, setup) : ''}</span> },
    { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Enabled on={row.enabled} /> },
  ];
  const channelColumns: readonly Column<ChannelRow>[] = [
    { key: 'name', header: 'Channel', cell: (row) => <button type="button" className={tableClasses.rowLink} onClick={() => { setChannel(row); }}>{row.name}</button> },
    { key: 'kind', header: 'Kind', card: 'plain', cell: (row) => <span>{row.kind === 'EMAIL' ? 'Mail' : 'Webhook'}</span> },
    { key: 'target', header: 'Reaches', card: 'plain', cell: (row) => <span className="mono">{row.target}</span> },
    { key: 'daily', header: 'Daily summary', cell: (row) => (row.dailySummary ? 'Yes' : <span className="quiet">No</span>) },
    { key: 'enabled', header: 'State', card: 'corner', cell: (row) => <Enabled on={row.enabled} /> },
  ];

  return (
    <>
      <PageHeader title="Alerts" lead="What a person should know of. Each condition is told once, until it clears.">
        <SegmentedControl
          aria-label="Which alerts" value={show} onChange={setShow}
          data={[{ value: 'open', label: 'Open' }, { value: 'all', label: 'All' }]}
        />
      </PageHeader>
      <Panel flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Alerts, newest first" columns={alertColumns} rows={fetching && !data ? undefined : data?.alerts} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconBellCheck} title={openOnly ? 'Nothing is wrong' : 'There was no alert yet'} detail={writes ? 'Rules below say what is watched, channels who is told.' : 'An administrator says what is watched and who is told.'} />}
          />
        )}
      </Panel>
      {writes && setupError && !setup && <Panel><ErrorState error={setupError} onRetry={reload} /></Panel>}
      {writes && setup && (
        <>
          <Panel
            title="Rules" detail="Measured every minute." flush
            actions={<Button size="xs" leftSection={<IconPlus size={14} aria-hidden="true" />} onClick={() => { setRule('new'); }}>New rule</Button>}
          >
            <DataTable
              caption="Rules" columns={ruleColumns} rows={setup.alertRules} rowKey={({ id }) => id}
              empty={<EmptyState icon={IconRuler2} title="Nothing is watched yet" detail="A rule tells you of failed leads, a falling success rate, a held destination or a silent source." />}
            />
          </Panel>
          <Panel
            title="Channels" flush detail={<SummaryHour setup={setup} onDone={reload} />}
            actions={<Button size="xs" leftSection={<IconPlus size={14} aria-hidden="true" />} onClick={() => { setChannel('new'); }}>New channel</Button>}
          >
            {!setup.alertSettings.mailSetUp && setup.alertChannels.some(({ kind }) => kind === 'EMAIL') && (
              <Notice m="md" variant="light" color="yellow" icon={<IconMailOff aria-hidden="true" />}>
                Mail is not set up on this installation, so channels of kind mail tell nobody. Whoever runs it sets mail.host in the configuration.
              </Notice>
            )}
            <DataTable
              caption="Channels" columns={channelColumns} rows={setup.alertChannels} rowKey={({ id }) => id}
              empty={<EmptyState icon={IconBell} title="Nobody is told yet" detail="A channel is a mail address or a webhook; a text message gateway is one." />}
            />
          </Panel>
          {rule && <RuleForm key={rule === 'new' ? 'new' : rule.id} rule={rule === 'new' ? null : rule} setup={setup} onClose={() => { setRule(null); reload(); }} />}
          {channel && <ChannelForm key={channel === 'new' ? 'new' : channel.id} channel={channel === 'new' ? null : channel} onSecret={setSecret} onClose={() => { setChannel(null); reload(); }} />}
        </>
      )}
      <SecretOnce secret={secret} title="Signing secret" onClose={() => { setSecret(null); }} use="The receiver checks each request’s signature with it, as Standard Webhooks describes." />
    </>
  );
}

function SummaryHour({ setup, onDone }: { setup: Setup; onDone: () => void }) {
  const [{ fetching }, mutate] = useMutation(SetSummaryHourDocument);
  const { summaryHour, timeZone } = setup.alertSettings;
  async function change(value: string | null) {
    if (value === null) return;
    const { data, error } = await mutate({ hour: Number(value) });
    if (error) notifyError(error);
    if (!data?.setAlertSummaryHour.done) return;
    notifyDone(`Summaries come at ${value}:00.`);
    onDone();
  }
  return (
    <Group gap="xs" mt={4}>
      <Text size="sm" c="dimmed" id="summary-hour">Daily summaries at</Text>
      <Select
        size="xs" w={92} aria-labelledby="summary-hour" allowDeselect={false} disabled={fetching} value={String(summaryHour)} onChange={(value) => { void change(value); }}
        data={Array.from({ length: 24 }, (_, hour) => ({ value: String(hour), label: `${String(hour).padStart(2, '0')}:00` }))}
      />
      <Text size="sm" c="dimmed">{timeZone}</Text>
    </Group>
  );
}
