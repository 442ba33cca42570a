import { IconEqual } from '@tabler/icons-react';
import { useQuery } from 'urql';
import { DataTable, type Column } from '../../components/data-table';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { Status } from '../../components/status';
import { graphql } from '../../gql';
import type { BillingDifferenceQuery } from '../../gql/graphql';
import { formatCount } from '../../lib/format';
import { fates } from './lines';
import { formatMoney } from './money';

const BillingDifferenceDocument = graphql(`
  query BillingDifference($before: ID!, $after: ID!) {
    billingDifference(before: $before, after: $after) {
      note amount changed
      before { id version totals { billed } }
      after { id version currency totals { billed } }
      lines { action email product occurredAt billedBefore billedAfter fateBefore fateAfter }
    }
  }
`);

type Change = BillingDifferenceQuery['billingDifference']['lines'][number];

const notes = { NONE: 'Nothing is owed or given back', DEBIT: 'Debit note', CREDIT: 'Credit note' } as const;

function columns(currency: string): readonly Column<Change>[] {
  const side = (fate: Change['fateBefore'], billed: string | null | undefined) =>
    fate ? <span>{formatMoney(billed, currency)} <Status {...fates[fate]} /></span> : <span className="quiet">not in it</span>;
  return [
    { key: 'email', header: 'Lead user', fit: 'cut', cell: ({ email }) => email },
    { key: 'product', header: 'Product', fit: 'line', cell: ({ product }) => <span className="mono">{product}</span> },
    { key: 'before', header: 'Before', align: 'end', cell: ({ fateBefore, billedBefore }) => side(fateBefore, billedBefore) },
    { key: 'after', header: 'After', align: 'end', cell: ({ fateAfter, billedAfter }) => side(fateAfter, billedAfter) },
  ];
}

/** What a new version says otherwise than the one that it replaces, side by side. */
export function ReportDifference({ before, after }: { before: string; after: string }) {
  const [{ data, error }, again] = useQuery({ query: BillingDifferenceDocument, variables: { before, after } });
  const difference = data?.billingDifference;
  const currency = difference?.after.currency ?? 'USD';
  const detail = difference && `${notes[difference.note]}${difference.note === 'NONE' ? '' : ` over ${formatMoney(difference.amount, currency)}`}: `
    + `${formatMoney(difference.before.totals.billed, currency)} in version ${difference.before.version}, ${formatMoney(difference.after.totals.billed, currency)} in version ${difference.after.version}. `
    + `${formatCount(difference.changed)} lines differ.`;
  return (
    <div style={{ marginTop: 16 }}>
      <Panel title="What differs from the former version" detail={detail} flush>
        {error && !difference ? <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /> : (
          <DataTable
            caption="Lines that differ" columns={columns(currency)} rows={difference?.lines} rowKey={({ action }) => action}
            empty={<EmptyState icon={IconEqual} title="Every line is the same" detail="The new version charges what the former one did." />}
          />
        )}
      </Panel>
    </div>
  );
}
