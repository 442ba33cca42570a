import { Button, Select, TextInput } from '@mantine/core';
import { IconListSearch, IconSearch } from '@tabler/icons-react';
import { DataTable, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { EmptyState } from '../../components/states';
import { Status, type Tone } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { BillLineFate, BillLinePartsFragment } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import classes from './billing.module.css';
import { formatMoney } from './money';

graphql(`
  fragment BillLineParts on BillLine {
    line email product leadType actionType level occurredAt amount billed overCap fate reason ownPeriod action
  }
`);

type Line = BillLinePartsFragment;

export const fates: Readonly<Record<BillLineFate, { label: string; tone: Tone }>> = {
  BILLED: { label: 'Billed', tone: 'good' },
  DUPLICATE: { label: 'Duplicate', tone: 'soft' },
  OVER_CAP: { label: 'Over the cap', tone: 'wait' },
  NOT_BILLABLE: { label: 'Not billable', tone: 'calm' },
};

export const linesAtOnce = 50;

export interface LineChoice {
  fate: BillLineFate | null;
  email: string;
  offset: number;
}

export const allLines: LineChoice = { fate: null, email: '', offset: 0 };

interface Props {
  lines: readonly Line[] | undefined;
  /** Of all pages; not known while the first one is on its way. */
  total: number | undefined;
  currency: string;
  choice: LineChoice;
  onChoice: (choice: LineChoice) => void;
}

function columns(currency: string): readonly Column<Line>[] {
  return [
    { key: 'email', header: 'Lead user', fit: 'cut', cell: (line) => line.email },
    { key: 'what', header: 'Action', card: 'plain', cell: (line) => <span>{line.leadType} · {line.actionType} · {line.level} <span className="quiet">on {line.product}</span></span> },
    { key: 'at', header: 'When', fit: 'line', from: 'medium', cell: (line) => <Time at={line.occurredAt} /> },
    { key: 'fate', header: 'Status', fit: 'line', card: 'corner', cell: (line) => <Status {...fates[line.fate]} /> },
    { key: 'why', header: 'Remark', from: 'wide', cell: (line) => line.ownPeriod ? `Adjustment of ${line.ownPeriod}` : line.reason ?? '' },
    { key: 'amount', header: 'Amount', align: 'end', fit: 'line', cell: (line) => formatMoney(line.amount, currency) },
    { key: 'billed', header: 'Billed', align: 'end', fit: 'line', cell: (line) => <strong>{formatMoney(line.billed, currency)}</strong> },
  ];
}

/** The lines of a report, a page at a time, by status and lead user. */
export function ReportLines({ lines, total: known, currency, choice, onChoice }: Props) {
  const total = known ?? 0;
  const last = Math.min(choice.offset + linesAtOnce, total);
  return (
    <Panel title="Lines" detail={known === undefined ? null : `${formatCount(known)} found`} flush>
      <search className={classes.filters} aria-label="Filter of lines">
        <TextInput
          aria-label="Lead user" placeholder="Lead user’s e-mail" leftSection={<IconSearch size={15} aria-hidden="true" />} value={choice.email}
          onChange={(event) => { onChoice({ ...choice, email: event.currentTarget.value, offset: 0 }); }}
        />
        <Select
          aria-label="Status" placeholder="Any status" clearable clearButtonProps={{ 'aria-label': 'Any status' }} value={choice.fate}
          data={Object.entries(fates).map(([value, { label }]) => ({ value, label }))}
          onChange={(fate) => { onChoice({ ...choice, fate: fate as BillLineFate | null, offset: 0 }); }}
        />
      </search>
      <DataTable
        caption="Lines of the report" columns={columns(currency)} rows={lines} rowKey={({ line }) => String(line)}
        empty={<EmptyState icon={IconListSearch} title="No such line" detail="Choose another status or lead user." />}
      />
      {total > linesAtOnce && (
        <nav className={classes.more} aria-label="Pages of lines">
          <span className="quiet">{formatCount(choice.offset + 1)} to {formatCount(last)} of {formatCount(total)}</span>
          <Button.Group>
            <Button variant="default" size="xs" disabled={choice.offset === 0} onClick={() => { onChoice({ ...choice, offset: Math.max(0, choice.offset - linesAtOnce) }); }}>Back</Button>
            <Button variant="default" size="xs" disabled={last >= total} onClick={() => { onChoice({ ...choice, offset: choice.offset + linesAtOnce }); }}>Further</Button>
          </Button.Group>
        </nav>
      )}
    </Panel>
  );
}
