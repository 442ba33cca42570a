import { Button, Select, Switch, TextInput } from '@mantine/core';
import { IconDownload, IconPlus, IconReceipt, IconTags } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay, useViewer } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { notifyDone, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { graphql } from '../../gql';
import type { BillingOverviewQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { formatMoney, periodName, recentMonths } from './money';

const BillingOverviewDocument = graphql(`
  query BillingOverview($period: String!) {
    billingOverview(period: $period) {
      partner { id slug name email timeZone }
      currency over problem
      report { id version }
      totals { ...BillingTotalParts }
    }
  }
`);

type Row = BillingOverviewQuery['billingOverview'][number];

function standing({ report, problem, over }: Row) {
  if (report) return <Status label={report.version > 1 ? `Closed, version ${report.version}` : 'Closed'} tone="good" />;
  if (problem) return <Status label="Cannot be rated" tone="bad" />;
  return over ? <Status label="To be closed" tone="wait" /> : <Status label="Open" tone="busy" />;
}

function columns(period: string): readonly Column<Row>[] {
  return [
    {
      key: 'partner', header: 'Partner', cell: ({ partner, report }) => (
        <Link className={tableClasses.rowLink} to={report ? `/billing/reports/${report.id}` : `/billing/partners/${partner.id}?period=${period}`}>{partner.name}</Link>
      ),
    },
    { key: 'state', header: 'Period', card: 'corner', fit: 'line', cell: standing },
    { key: 'actions', header: 'Actions', align: 'end', fit: 'line', cell: ({ totals }) => formatCount(totals.actions) },
    { key: 'gross', header: 'Gross', align: 'end', fit: 'line', cell: ({ totals, currency }) => formatMoney(totals.gross, currency) },
    { key: 'savings', header: 'Saved', align: 'end', fit: 'line', from: 'medium', cell: ({ totals, currency }) => formatMoney(totals.savings, currency) },
    { key: 'billed', header: 'Billed', align: 'end', fit: 'line', cell: ({ totals, currency }) => <strong>{formatMoney(totals.billed, currency)}</strong> },
  ];
}

export function BillingPage() {
  const admin = useMay('billing:write');
  const partner = useViewer().role === 'PARTNER';
  const [parameters, setParameters] = useSearchParams();
  const period = parameters.get('period') ?? recentMonths(2)[1] ?? '';
  const [{ data, error }, again] = useQuery({ query: BillingOverviewDocument, variables: { period } });
  const [adding, setAdding] = useState(false);
  const rows = data?.billingOverview;
  const months = recentMonths(24);

  return (
    <>
      <PageHeader title="Billing" lead={partner ? 'What you pay for your lead users’ actions, every cent with its line.' : 'What each partner pays for its lead users’ actions, every cent with its line.'}>
        <Select
          aria-label="Period" allowDeselect={false} w={170} value={period} data={[...new Set([period, ...months])].map((value) => ({ value, label: periodName(value) }))}
          onChange={(value) => { if (value) setParameters({ period: value }, { replace: true }); }}
        />
        {!partner && <Button variant="default" component={Link} to="/billing/plans" leftSection={<IconTags size={16} aria-hidden="true" />}>Rate plans</Button>}
        {admin && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setAdding(true); }}>New partner</Button>}
      </PageHeader>
      <Panel
        title={periodName(period)} flush
        actions={<Button component="a" href={`/exports/billing/partners.csv?period=${period}`} download variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden="true" />}>CSV</Button>}
      >
        {error && !data ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption={`Partners in ${periodName(period)}`} columns={columns(period)} rows={rows} rowKey={({ partner }) => partner.id}
            empty={<EmptyState icon={IconReceipt} title="No partner yet" detail={admin ? 'Make a rate plan, then add the company that pays for its leads.' : 'An administrator adds them.'} />}
          />
        )}
      </Panel>
      {adding && <AddPartner onClose={() => { setAdding(false); }} onDone={() => { again({ requestPolicy: 'network-only' }); }} />}
    </>
  );
}

const PlanChoicesDocument = graphql(`
  query PlanChoices { ratePlans { id name versions { version } } }
`);

const CreatePartnerDocument = graphql(`
  mutation CreatePartner($input: CreatePartnerInput!) {
    createPartner(input: $input) { partner { id slug name email timeZone } error { field code message } }
  }
`);

function AddPartner({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [{ data }] = useQuery({ query: PlanChoicesDocument });
  const [{ fetching }, create] = useMutation(CreatePartnerDocument);
  const [slug, setSlug] = useState('');
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [plan, setPlan] = useState<string | null>(null);
  const [closesItself, setClosesItself] = useState(false);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const plans = data?.ratePlans ?? [];

  async function submit() {
    if (!plan) {
      setProblem({ field: 'ratePlan', message: 'Choose a rate plan.' });
      return;
    }
    setProblem(null);
    const payload = succeeded(await create({ input: { slug: slug.trim(), name: name.trim() || null, email: email.trim(), ratePlan: plan, closesItself } }), (data) => data.createPartner, setProblem);
    if (!payload) return;
    notifyDone(`The partner ${payload.partner?.name ?? slug} can be billed.`);
    onDone();
    onClose();
  }

  return (
    <FormDrawer opened title="New partner" action="Add the partner" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name', 'email', 'ratePlan']} />
      <TextInput
        label="Short name" description="In addresses and commands; it cannot be changed later." required data-autofocus autoCapitalize="none" spellCheck={false}
        value={slug} onChange={(event) => { setSlug(event.currentTarget.value); }} error={messageFor(problem, 'slug')}
      />
      <TextInput label="Name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
      <TextInput label="E-mail" description="Where its reports are announced" type="email" required value={email} onChange={(event) => { setEmail(event.currentTarget.value); }} error={messageFor(problem, 'email')} />
      <Select
        label="Rate plan" description={plans.length === 0 ? 'There is none yet: make one under “Rate plans” first.' : 'What its actions cost'} required value={plan} onChange={setPlan}
        data={plans.map(({ id, name: label }) => ({ value: id, label }))} error={messageFor(problem, 'ratePlan')}
      />
      <Switch
        label="Close each period by itself" description="Once it is over in the partner’s time zone" checked={closesItself}
        onChange={(event) => { setClosesItself(event.currentTarget.checked); }}
      />
    </FormDrawer>
  );
}
