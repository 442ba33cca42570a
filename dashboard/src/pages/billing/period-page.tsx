import { Alert, Button, Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconInfoCircle, IconLock } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { graphql } from '../../gql';
import { ReportFigures } from './figures';
import { allLines, linesAtOnce, ReportLines } from './lines';
import { formatMoney, periodName, recentMonths } from './money';

const BillingDraftDocument = graphql(`
  query BillingDraft($partner: ID!, $period: String!, $filter: BillLineFilter, $offset: Int!, $first: Int!) {
    billingDraft(partner: $partner, period: $period, filter: $filter, offset: $offset, first: $first) {
      partner { id slug name }
      period over ratePlanVersion
      report { id version }
      figures { ...BillingFigureParts }
      lines { total lines { ...BillLineParts } }
    }
  }
`);

const CloseBillingPeriodDocument = graphql(`
  mutation CloseBillingPeriod($partner: ID!, $period: String!) {
    closeBillingPeriod(partner: $partner, period: $period) { report { id } error { field code message } }
  }
`);

/** A partner's period as it stands: what its report would say now. */
export function PeriodPage() {
  const { id = '' } = useParams();
  const admin = useMay('billing:write');
  const navigate = useNavigate();
  const [parameters, setParameters] = useSearchParams();
  const period = parameters.get('period') ?? recentMonths(2)[1] ?? '';
  const [choice, setChoice] = useState(allLines);
  const [email] = useDebouncedValue(choice.email, 250);
  const [asking, setAsking] = useState(false);
  const [{ fetching: closing }, close] = useMutation(CloseBillingPeriodDocument);
  const [{ data, error }, again] = useQuery({
    query: BillingDraftDocument,
    variables: { partner: id, period, filter: { fate: choice.fate, email: email || null, product: null }, offset: choice.offset, first: linesAtOnce },
  });
  const draft = data?.billingDraft;

  async function confirm() {
    const done = succeeded(await close({ partner: id, period }), (answer) => answer.closeBillingPeriod);
    setAsking(false);
    if (!done?.report) return;
    notifyDone(`${periodName(period)} is closed.`);
    await navigate(`/billing/reports/${done.report.id}`);
  }

  return (
    <>
      <PageHeader
        title={draft ? `${draft.partner.name}, ${periodName(period)}` : periodName(period)} back={{ to: `/billing?period=${period}`, label: 'Billing' }}
        badge={draft && <Status label={draft.report ? 'Closed' : 'Draft'} tone={draft.report ? 'good' : 'busy'} />}
        lead={draft && `By version ${draft.ratePlanVersion} of the rate plan. Nothing of a draft is stored.`}
      >
        <Select
          aria-label="Period" allowDeselect={false} w={170} value={period} data={[...new Set([period, ...recentMonths(24)])].map((value) => ({ value, label: periodName(value) }))}
          onChange={(value) => { if (value) { setChoice(allLines); setParameters({ period: value }, { replace: true }); } }}
        />
        {admin && draft && !draft.report && (
          <Button disabled={!draft.over} title={draft.over ? undefined : 'The period is not over yet'} leftSection={<IconLock size={16} aria-hidden="true" />} onClick={() => { setAsking(true); }}>
            Close the period
          </Button>
        )}
      </PageHeader>
      {draft?.report && (
        <Alert mb="md" variant="light" color="petrol" icon={<IconInfoCircle aria-hidden="true" />}>
          This period is closed: <Link to={`/billing/reports/${draft.report.id}`}>its report, version {draft.report.version}</Link>, is what counts. Below is what issuing it again would say now.
        </Alert>
      )}
      {error && !draft && <Panel><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></Panel>}
      {draft && <ReportFigures figures={draft.figures} of={{ partner: draft.partner.slug, period }} />}
      {!error && (!draft || draft.figures.totals.actions > 0) && (
        <div style={{ marginTop: 16 }}>
          <ReportLines lines={draft?.lines.lines} total={draft?.lines.total} currency={draft?.figures.currency ?? 'USD'} choice={choice} onChoice={setChoice} />
        </div>
      )}
      <Confirm opened={asking} title={`Close ${periodName(period)}?`} action="Close the period" busy={closing} onConfirm={() => void confirm()} onClose={() => { setAsking(false); }}>
        {draft && (
          <>
            {draft.partner.name} is billed <strong>{formatMoney(draft.figures.totals.billed, draft.figures.currency)}</strong>. The report is never changed again: what
            comes in later is billed with the next period, and a correction is a new version.
          </>
        )}
      </Confirm>
    </>
  );
}
