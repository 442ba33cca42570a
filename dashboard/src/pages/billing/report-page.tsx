import { Alert, Button, Group, Modal, Select, Stack, Textarea } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconAlertTriangle, IconDownload, IconLink, IconMail, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { useActorName } from '../../components/actor';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Facts, Panel, panelClasses } from '../../components/panel';
import { SecretOnce } from '../../components/secret-once';
import { ErrorState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { BillingReportQuery, BillingReportState, ReportFormat } from '../../gql/graphql';
import { formatBytes, formatCount } from '../../lib/format';
import classes from './billing.module.css';
import { ReportDifference } from './difference';
import { ReportFigures } from './figures';
import { allLines, linesAtOnce, ReportLines } from './lines';
import { periodName } from './money';

const BillingReportDocument = graphql(`
  query BillingReport($id: ID!, $filter: BillLineFilter, $offset: Int!, $first: Int!) {
    billingReport(id: $id) {
      id partner { id slug name }
      period timeZone version state replaces ratePlanVersion currency lineCount inputHash lineHash closedAt closedBy reason voidedAt voidReason
      figures { ...BillingFigureParts }
      lines(filter: $filter, offset: $offset, first: $first) { total lines { ...BillLineParts } }
      files { format url bytes sha256 }
      links { id format createdAt expiresAt revokedAt }
      downloads { at format actor }
      announcement { email state error sentAt }
    }
  }
`);

export const reportStates: Readonly<Record<BillingReportState, { label: string; tone: Tone }>> = {
  CLOSED: { label: 'Closed', tone: 'good' },
  SUPERSEDED: { label: 'Replaced by a newer version', tone: 'calm' },
  VOID: { label: 'Void', tone: 'bad' },
};

type Report = NonNullable<BillingReportQuery['billingReport']>;

export function ReportPage() {
  const { id = '' } = useParams();
  // A reissue leads to the new version's page: its lines begin at the beginning.
  return <OneReport key={id} id={id} />;
}

function OneReport({ id }: { id: string }) {
  const admin = useMay('billing:write');
  const [choice, setChoice] = useState(allLines);
  const [email] = useDebouncedValue(choice.email, 250);
  const [{ data, error }, again] = useQuery({
    query: BillingReportDocument,
    variables: { id, filter: { fate: choice.fate, email: email || null, product: null }, offset: choice.offset, first: linesAtOnce },
  });
  const report = data?.billingReport;
  if (error && !data) return <><PageHeader title="Billing report" back={{ to: '/billing', label: 'Billing' }} /><Panel><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></Panel></>;
  if (data && !report) return <PageHeader title="No such report" back={{ to: '/billing', label: 'Billing' }} />;
  return (
    <>
      <PageHeader
        title={report ? `${report.partner.name}, ${periodName(report.period)}` : 'Billing report'} back={{ to: report ? `/billing?period=${report.period}` : '/billing', label: 'Billing' }}
        badge={report && <Status {...reportStates[report.state]} />} lead={report && `Version ${report.version}, by version ${report.ratePlanVersion} of the rate plan`}
      >
        {admin && report?.state === 'CLOSED' && <Changes report={report} onVoid={() => { again({ requestPolicy: 'network-only' }); }} />}
      </PageHeader>
      {report?.voidReason && <Alert mb="md" variant="light" color="red" icon={<IconAlertTriangle aria-hidden="true" />}>Void: {report.voidReason}</Alert>}
      {report && <ReportFigures figures={report.figures} of={{ report: report.id }} />}
      {report?.replaces && <ReportDifference before={report.replaces} after={report.id} />}
      {report && (
        <div className={panelClasses.halves} style={{ marginTop: 16 }}>
          <Files report={report} admin={admin} onChange={() => { again({ requestPolicy: 'network-only' }); }} />
          <About report={report} admin={admin} onChange={() => { again({ requestPolicy: 'network-only' }); }} />
        </div>
      )}
      <div style={{ marginTop: 16 }}>
        <ReportLines lines={report?.lines.lines} total={report?.lines.total} currency={report?.currency ?? 'USD'} choice={choice} onChoice={setChoice} />
      </div>
    </>
  );
}

const AnnounceDocument = graphql(`
  mutation AnnounceBillingReport($report: ID!) { announceBillingReport(report: $report) { report { id } error { field code message } } }
`);

/** What came of telling the partner, in words. */
function told({ announcement }: Report) {
  if (!announcement) return null;
  const { state, email, sentAt, error } = announcement;
  if (state === 'SENT') return <>{email}, <Time at={sentAt} /></>;
  if (state === 'PENDING') return `${email}, soon${error ? ` (${error})` : ''}`;
  return `${email}: not sent, ${error ?? 'nobody knows why'}`;
}

function About({ report, admin, onChange }: { report: Report; admin: boolean; onChange: () => void }) {
  const [{ fetching }, announce] = useMutation(AnnounceDocument);
  async function tell() {
    if (!succeeded(await announce({ report: report.id }), (answer) => answer.announceBillingReport)) return;
    notifyDone('The partner is told by mail.');
    onChange();
  }
  const actorName = useActorName();
  return (
    <Panel
      title="About this report"
      actions={admin && report.state === 'CLOSED' && (
        <Button variant="default" size="xs" loading={fetching} leftSection={<IconMail size={14} aria-hidden="true" />} onClick={() => void tell()}>Tell the partner again</Button>
      )}
    >
      <Facts entries={[
        { label: 'Closed', value: <Time at={report.closedAt} /> },
        { label: 'By', value: actorName(report.closedBy) },
        { label: 'Days of', value: report.timeZone },
        { label: 'Told by mail', value: told(report) },
        { label: 'Lines', value: formatCount(report.lineCount) },
        { label: 'Issued again because', value: report.reason },
        { label: 'Replaces', value: report.replaces && <Link to={`/billing/reports/${report.replaces}`}>the former version</Link> },
        { label: 'SHA-256 of the CSV', value: <span className={classes.hash}>{report.lineHash}</span> },
        { label: 'SHA-256 of what it was rated from', value: <span className={classes.hash}>{report.inputHash}</span> },
      ].filter(({ value }) => Boolean(value))}
      />
      {report.downloads.length > 0 && (
        <>
          <h3>Fetched</h3>
          <ul className={classes.files}>
            {report.downloads.slice(0, 8).map(({ at, format, actor }) => (
              <li key={`${at} ${format} ${actor}`}><Time at={at} /> <span>{format}</span> <span className="quiet">{actorName(actor)}</span></li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

const CreateReportLinkDocument = graphql(`
  mutation CreateReportLink($report: ID!, $format: ReportFormat!, $minutes: Int!) {
    createReportLink(report: $report, format: $format, minutes: $minutes) { link { id } url error { field code message } }
  }
`);

const RevokeReportLinkDocument = graphql(`
  mutation RevokeReportLink($id: ID!) { revokeReportLink(id: $id) { link { id revokedAt } error { field code message } } }
`);

function Files({ report, admin, onChange }: { report: Report; admin: boolean; onChange: () => void }) {
  const [sharing, setSharing] = useState(false);
  const [, revoke] = useMutation(RevokeReportLinkDocument);
  const [opened] = useState(() => Date.now());
  const valid = report.links.filter(({ revokedAt, expiresAt }) => !revokedAt && Date.parse(expiresAt) > opened);
  async function end(id: string) {
    const done = succeeded(await revoke({ id }), (answer) => answer.revokeReportLink);
    if (!done) return;
    notifyDone('The link does not open anything any more.');
    onChange();
  }
  return (
    <Panel
      title="Files" detail="Fetching one is written down"
      actions={admin && <Button variant="default" size="xs" leftSection={<IconLink size={14} aria-hidden="true" />} onClick={() => { setSharing(true); }}>Share a link</Button>}
    >
      <ul className={classes.files}>
        {report.files.map(({ format, url, bytes }) => (
          <li key={format}>
            <Button component="a" href={url} download variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden="true" />}>{format}</Button>
            <span className="quiet">{bytes ? formatBytes(bytes) : 'made when it is fetched'}</span>
          </li>
        ))}
      </ul>
      {valid.length > 0 && (
        <>
          <h3>Links that hold</h3>
          <ul className={classes.files}>
            {valid.map(({ id, format, expiresAt }) => (
              <li key={id}>
                <span>{format}, until <Time at={expiresAt} /></span>
                {admin && <Button variant="subtle" color="red" size="compact-xs" onClick={() => void end(id)}>Revoke</Button>}
              </li>
            ))}
          </ul>
        </>
      )}
      {sharing && <Share report={report} onClose={() => { setSharing(false); onChange(); }} />}
    </Panel>
  );
}

const lifetimes = [
  { value: '60', label: 'One hour' }, { value: '1440', label: 'One day' }, { value: '10080', label: 'One week' }, { value: '43200', label: '30 days' },
];

function Share({ report, onClose }: { report: Report; onClose: () => void }) {
  const [format, setFormat] = useState<ReportFormat>('PDF');
  const [minutes, setMinutes] = useState('1440');
  const [url, setUrl] = useState<string | null>(null);
  const [{ fetching }, create] = useMutation(CreateReportLinkDocument);
  async function make() {
    const done = succeeded(await create({ report: report.id, format, minutes: Number(minutes) }), (answer) => answer.createReportLink);
    if (done?.url) setUrl(new URL(done.url, location.href).href);
  }
  if (url) return <SecretOnce secret={url} title="Link to the file" use="Whoever has this link can fetch this one file until it expires or is revoked." onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title="Share a link" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Select label="File" allowDeselect={false} value={format} data={report.files.map((file) => file.format)} onChange={(value) => { if (value) setFormat(value as ReportFormat); }} />
        <Select label="It holds for" allowDeselect={false} value={minutes} data={lifetimes} onChange={(value) => { if (value) setMinutes(value); }} />
        <Group justify="flex-end"><Button loading={fetching} onClick={() => void make()}>Make the link</Button></Group>
      </Stack>
    </Modal>
  );
}

const ReissueDocument = graphql(`
  mutation ReissueBillingReport($report: ID!, $reason: String!) {
    reissueBillingReport(report: $report, reason: $reason) { report { id version } error { field code message } }
  }
`);

const VoidDocument = graphql(`
  mutation VoidBillingReport($report: ID!, $reason: String!) {
    voidBillingReport(report: $report, reason: $reason) { report { id state voidReason } error { field code message } }
  }
`);

function Changes({ report, onVoid }: { report: Report; onVoid: () => void }) {
  const navigate = useNavigate();
  const [doing, setDoing] = useState<'reissue' | 'void' | null>(null);
  const [reason, setReason] = useState('');
  const [{ fetching: reissuing }, reissue] = useMutation(ReissueDocument);
  const [{ fetching: voiding }, takeBack] = useMutation(VoidDocument);

  async function go() {
    const variables = { report: report.id, reason };
    if (doing === 'reissue') {
      const done = succeeded(await reissue(variables), (answer) => answer.reissueBillingReport);
      if (!done?.report) return;
      notifyDone(`Version ${done.report.version} takes its place.`);
      await navigate(`/billing/reports/${done.report.id}`);
    } else {
      const done = succeeded(await takeBack(variables), (answer) => answer.voidBillingReport);
      if (!done) return;
      notifyDone('The report is void; its period can be closed anew.');
      onVoid();
    }
    setDoing(null);
  }

  return (
    <>
      <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden="true" />} onClick={() => { setDoing('reissue'); }}>Issue again</Button>
      <Button variant="default" color="red" leftSection={<IconTrash size={16} aria-hidden="true" />} onClick={() => { setDoing('void'); }}>Void</Button>
      <Modal
        opened={doing !== null} onClose={() => { setDoing(null); }} closeButtonProps={{ 'aria-label': 'Close' }}
        title={doing === 'void' ? 'Take this report back?' : 'Issue this report again?'}
      >
        <Stack>
          <span>
            {doing === 'void'
              ? 'It no longer counts and its period can be closed anew. It stays readable, with your reason.'
              : 'What is known now is rated by the plan in force. The new version takes its place and says line by line what differs.'}
          </span>
          <Textarea label="Reason" description="The partner reads it" required data-autofocus maxLength={500} value={reason} onChange={(event) => { setReason(event.currentTarget.value); }} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => { setDoing(null); }}>Keep as it is</Button>
            <Button color={doing === 'void' ? 'red.8' : undefined} disabled={reason.trim() === ''} loading={reissuing || voiding} onClick={() => void go()}>
              {doing === 'void' ? 'Void the report' : 'Issue again'}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
