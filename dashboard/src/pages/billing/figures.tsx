import { BarChart } from '@mantine/charts';
import { Button } from '@mantine/core';
import { IconDownload, IconReceipt } from '@tabler/icons-react';
import { useMemo, type ReactNode } from 'react';
import { ChartTable, Legend, type Series } from '../../components/chart';
import { DataTable, type Column } from '../../components/data-table';
import { Panel, panelClasses } from '../../components/panel';
import { EmptyState } from '../../components/states';
import { graphql } from '../../gql';
import type { BillingFigurePartsFragment, BillingTotalPartsFragment } from '../../gql/graphql';
import { formatCount, plural } from '../../lib/format';
import classes from './billing.module.css';
import { formatMoney } from './money';

graphql(`
  fragment BillingTotalParts on BillingTotals {
    actions duplicateActions cappedActions unbilledActions gross billed savings duplicates overCap notBillable
  }
`);

graphql(`
  fragment BillingFigureParts on BillingFigures {
    currency leadUsers
    totals { ...BillingTotalParts }
    adjustments { ...BillingTotalParts }
    products { slug name totals { ...BillingTotalParts } }
    leadTypes { name totals { ...BillingTotalParts } }
    days { name totals { ...BillingTotalParts } }
    largest { name totals { ...BillingTotalParts } }
    refusals { name totals { ...BillingTotalParts } }
    repeats { product leadType actionType level actions amount }
  }
`);

type Figures = BillingFigurePartsFragment;
type Totals = BillingTotalPartsFragment;

/** A closed report, or a partner's period as it stands. */
type Of = Record<string, string>;

interface Props {
  figures: Figures;
  /** What the downloads are of. */
  of: Of;
}

/** A read of it as CSV. */
function Csv({ of, read, what }: { of: Of; read: string; what: string }) {
  return (
    <Button
      component="a" href={`/exports/billing/${read}.csv?${new URLSearchParams(of).toString()}`} download variant="default" size="xs"
      leftSection={<IconDownload size={14} aria-hidden="true" />} aria-label={`Download ${what} as CSV`}
    >
      CSV
    </Button>
  );
}

/** What a report adds up to: totals, why it saves, by day, product, lead type. */
export function ReportFigures({ figures, of }: Props) {
  if (figures.totals.actions === 0) {
    return <Panel><EmptyState icon={IconReceipt} title="No action in this period" detail="Actions come in by the API, POST /ingest/actions or `baton billing import`." /></Panel>;
  }
  return (
    <>
      <Tiles figures={figures} />
      <Days figures={figures} of={of} />
      <Products figures={figures} of={of} />
      <div className={panelClasses.halves} style={{ marginTop: 16 }}>
        <Groups title="Lead types" groups={figures.leadTypes} currency={figures.currency} actions={<Csv of={of} read="lead-types" what="lead types" />} />
        <Groups title="Largest lead users" groups={figures.largest} currency={figures.currency} actions={<Csv of={of} read="lead-users" what="all lead users" />} />
      </div>
      <Savings figures={figures} of={of} />
    </>
  );
}

function Tiles({ figures }: { figures: Figures }) {
  const { totals, currency } = figures;
  const tiles = [
    { label: 'Gross', amount: totals.gross, note: plural(totals.actions, 'action'), tone: 'calm' },
    { label: 'Duplicates', amount: totals.duplicates, note: plural(totals.duplicateActions, 'action'), tone: 'soft' },
    { label: 'Over the cap', amount: totals.overCap, note: plural(totals.cappedActions, 'action'), tone: 'wait' },
    { label: 'Not billable', amount: totals.notBillable, note: plural(totals.unbilledActions, 'action'), tone: 'calm' },
    { label: 'Billed', amount: totals.billed, note: `${formatMoney(totals.savings, currency)} saved`, tone: 'good' },
  ];
  return (
    <section aria-label="Totals" className={classes.tiles}>
      {tiles.map(({ label, amount, note, tone }) => (
        <div key={label} className={classes.tile} data-tone={tone}>
          <span className={classes.label}>{label}</span>
          <span className={classes.amount}>{formatMoney(amount, currency)}</span>
          <span className={classes.note}>{note}</span>
        </div>
      ))}
    </section>
  );
}

const series = [
  { name: 'Billed', color: 'var(--good-fill)' }, { name: 'Duplicates', color: 'var(--soft-fill)' },
  { name: 'Over the cap', color: 'var(--wait-fill)' }, { name: 'Not billable', color: 'var(--calm-fill)' },
] as const satisfies Series;

function Days({ figures, of }: Props) {
  const { days, currency } = figures;
  const points = useMemo(() => days.map(({ name, totals }) => ({
    day: name, Billed: Number(totals.billed), Duplicates: Number(totals.duplicates),
    'Over the cap': Number(totals.overCap), 'Not billable': Number(totals.notBillable),
  })), [days]);
  const show = (value: number) => formatMoney(String(value), currency);
  return (
    <Panel title="By day" detail="What each day’s actions come to, and where it goes" actions={<Csv of={of} read="days" what="days" />}>
      <div className={classes.chart}>
        <div aria-hidden="true">
          <BarChart
            h={200} data={points} dataKey="day" type="stacked" gridAxis="x" tickLine="none" series={[...series]} valueFormatter={show} maxBarWidth={26}
            yAxisProps={{ width: 76 }} xAxisProps={{ tickFormatter: (day: string) => String(Number(day.slice(8))), minTickGap: 10 }}
          />
          <Legend series={series} />
        </div>
        <ChartTable
          caption="Amounts by day" header={['Day', 'Billed', 'Saved']}
          rows={days.filter(({ totals }) => totals.actions > 0).map(({ name, totals }) => [name, formatMoney(totals.billed, currency), formatMoney(totals.savings, currency)])}
        />
      </div>
    </Panel>
  );
}

type Product = Figures['products'][number];

function moneyColumns<Row extends { totals: Totals }>(currency: string): Column<Row>[] {
  return [
    { key: 'actions', header: 'Actions', align: 'end', fit: 'line', cell: ({ totals }) => formatCount(totals.actions) },
    { key: 'gross', header: 'Gross', align: 'end', fit: 'line', cell: ({ totals }) => formatMoney(totals.gross, currency) },
    { key: 'duplicates', header: 'Duplicates', align: 'end', fit: 'line', from: 'medium', cell: ({ totals }) => formatMoney(totals.duplicates, currency) },
    { key: 'overCap', header: 'Over the cap', align: 'end', fit: 'line', from: 'medium', cell: ({ totals }) => formatMoney(totals.overCap, currency) },
    { key: 'notBillable', header: 'Not billable', align: 'end', fit: 'line', from: 'wide', cell: ({ totals }) => formatMoney(totals.notBillable, currency) },
    { key: 'billed', header: 'Billed', align: 'end', fit: 'line', cell: ({ totals }) => <strong>{formatMoney(totals.billed, currency)}</strong> },
  ];
}

function Products({ figures, of }: Props) {
  const { currency } = figures;
  return (
    <Panel
      title="Products" flush
      actions={<Csv of={of} read="products" what="products" />}
    >
      <DataTable<Product>
        caption="Subtotals by product" rows={figures.products} rowKey={({ slug }) => slug} empty={null}
        columns={[
          { key: 'product', header: 'Product', cell: ({ slug, name: title }) => <span><span className="mono">{slug}</span>{title === slug ? '' : ` ${title}`}</span> },
          ...moneyColumns<Product>(currency),
        ]}
      />
    </Panel>
  );
}

type Group = Figures['leadTypes'][number];

function Groups({ title, groups, currency, actions }: { title: string; groups: readonly Group[]; currency: string; actions?: ReactNode }) {
  return (
    <Panel title={title} flush actions={actions}>
      <DataTable<Group>
        caption={title} rows={groups} rowKey={({ name }) => name} empty={null}
        columns={[
          { key: 'name', header: 'Name', cell: ({ name }) => name },
          { key: 'actions', header: 'Actions', align: 'end', fit: 'line', cell: ({ totals }) => formatCount(totals.actions) },
          { key: 'gross', header: 'Gross', align: 'end', fit: 'line', cell: ({ totals }) => formatMoney(totals.gross, currency) },
          { key: 'billed', header: 'Billed', align: 'end', fit: 'line', cell: ({ totals }) => <strong>{formatMoney(totals.billed, currency)}</strong> },
        ]}
      />
    </Panel>
  );
}

type Repeat = Figures['repeats'][number];

function Savings({ figures, of }: Props) {
  const { currency, repeats, refusals } = figures;
  if (repeats.length === 0 && refusals.length === 0) return null;
  return (
    <div className={refusals.length > 0 ? panelClasses.halves : undefined} style={{ marginTop: 16 }}>
      <Panel title="What is repeated most" detail="Repeats of the same lead user are not charged" flush actions={<Csv of={of} read="duplicates" what="repeats" />}>
        <DataTable<Repeat>
          caption="Top reasons for duplicates" rows={repeats} rowKey={(one) => `${one.product} ${one.leadType} ${one.actionType} ${one.level}`}
          empty={<EmptyState icon={IconReceipt} title="Nothing is repeated" detail="No lead user did the same twice." />}
          columns={[
            { key: 'what', header: 'Action', cell: (one) => <span>{one.leadType} · {one.actionType} · {one.level} <span className="quiet">on {one.product}</span></span> },
            { key: 'actions', header: 'Repeats', align: 'end', fit: 'line', cell: (one) => formatCount(one.actions) },
            { key: 'amount', header: 'Saved', align: 'end', fit: 'line', cell: (one) => formatMoney(one.amount, currency) },
          ]}
        />
      </Panel>
      {refusals.length > 0 && <Groups title="Not billable, and why" groups={refusals} currency={currency} actions={<Csv of={of} read="savings" what="savings by reason" />} />}
    </div>
  );
}
