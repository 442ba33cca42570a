import { Alert, Button, Group, Select } from '@mantine/core';
import { IconCalculator } from '@tabler/icons-react';
import { useState } from 'react';
import { useClient, useQuery } from 'urql';
import { graphql } from '../../gql';
import type { BillingWhatIfQuery } from '../../gql/graphql';
import { explain } from '../../lib/errors';
import classes from './billing.module.css';
import { formatMoney, periodName, recentMonths } from './money';
import type { PlanSpec } from './plan';

const PartnersDocument = graphql(`
  query BilledPartners { partners { id name } }
`);

const WhatIfDocument = graphql(`
  query BillingWhatIf($partner: ID!, $period: String!, $spec: JSON!) {
    billingWhatIf(partner: $partner, period: $period, spec: $spec) {
      difference
      now { currency totals { gross billed duplicates overCap notBillable } }
      then { totals { gross billed duplicates overCap notBillable } }
    }
  }
`);

type Outcome = BillingWhatIfQuery['billingWhatIf'];

const rows = [
  ['Gross', 'gross'], ['Duplicates', 'duplicates'], ['Over the cap', 'overCap'], ['Not billable', 'notBillable'], ['Billed', 'billed'],
] as const;

/** What the plan as it is being edited would make of a partner's past period. Nothing is stored. */
export function WhatIf({ spec }: { spec: PlanSpec }) {
  const client = useClient();
  const [{ data }] = useQuery({ query: PartnersDocument });
  const partners = data?.partners ?? [];
  const [partner, setPartner] = useState<string | null>(null);
  const [period, setPeriod] = useState(() => recentMonths(2)[1] ?? '');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const chosen = partner ?? partners[0]?.id ?? null;
  if (partners.length === 0) return null;

  async function compute() {
    if (!chosen) return;
    setBusy(true);
    const answer = await client.query(WhatIfDocument, { partner: chosen, period, spec }, { requestPolicy: 'network-only' }).toPromise();
    setBusy(false);
    setProblem(answer.error ? explain(answer.error).detail : null);
    setOutcome(answer.data?.billingWhatIf ?? null);
  }

  return (
    <section aria-label="What if">
      <p className={classes.label}>What if it had been in force already?</p>
      <Group align="end" mt={6}>
        <Select aria-label="Partner" allowDeselect={false} w={180} value={chosen} data={partners.map(({ id, name }) => ({ value: id, label: name }))} onChange={setPartner} />
        <Select aria-label="Past period" allowDeselect={false} w={160} value={period} data={recentMonths(12).map((value) => ({ value, label: periodName(value) }))} onChange={(value) => { if (value) setPeriod(value); }} />
        <Button variant="default" loading={busy} leftSection={<IconCalculator size={16} aria-hidden="true" />} onClick={() => void compute()}>Compute</Button>
      </Group>
      {problem && <Alert role="alert" mt="sm" variant="light" color="red">{problem}</Alert>}
      {outcome && (
        <dl className={classes.sums} aria-live="polite">
          <dt /><dd className={classes.label}>As it was</dd><dd className={classes.label}>By this plan</dd>
          {rows.map(([label, field]) => (
            <Row key={field} label={label} now={formatMoney(outcome.now.totals[field], outcome.now.currency)} then={formatMoney(outcome.then.totals[field], outcome.now.currency)} />
          ))}
          <Row label="Difference" now="" then={formatMoney(outcome.difference, outcome.now.currency)} />
        </dl>
      )}
    </section>
  );
}

function Row({ label, now, then }: { label: string; now: string; then: string }) {
  return <><dt>{label}</dt><dd>{now}</dd><dd>{then}</dd></>;
}
