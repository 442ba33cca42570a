import { Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './data-table.module.css';

export interface Column<Row> {
  key: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end of their cell. */
  align?: 'end';
  /** Kept on one line, whole or cut off at the column's end; otherwise it wraps. */
  fit?: 'line' | 'cut';
  /** Left out where the window is narrower than this; the row's own page shows it. */
  from?: 'medium' | 'wide';
  /** In a card: in front of the name, beside it, below it without its header, or (by default) with it. */
  card?: 'before' | 'corner' | 'plain';
}

interface Props<Row> {
  /** What the table shows, for screen readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[] | undefined;
  rowKey: (row: Row) => string;
  /** What stands in the table's place when there is no row. */
  empty: ReactNode;
}

/**
 * A table that becomes a list of cards in a narrow window. The roles are explicit because a table
 * that is displayed as a grid would lose them. A link of class `rowLink` in a cell covers its row.
 */
export function DataTable<Row>({ caption, columns, rows, rowKey, empty }: Props<Row>) {
  if (rows?.length === 0) return <>{empty}</>;
  return (
    <table className={classes.table} role="table" aria-busy={rows === undefined}>
      <caption className="visually-hidden">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.key} role="columnheader" scope="col" data-align={column.align} data-fit={column.fit} data-from={column.from}>
              {column.header}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows ? rows.map((row) => (
          <tr key={rowKey(row)} role="row">
            {columns.map((column) => (
              <td key={column.key} role="cell" data-label={column.card ? undefined : column.header} data-card={column.card} data-align={column.align} data-fit={column.fit} data-from={column.from}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        )) : <Waiting columns={columns} />}
      </tbody>
    </table>
  );
}

function Waiting<Row>({ columns }: { columns: readonly Column<Row>[] }) {
  return Array.from({ length: 8 }, (_, row) => (
    <tr key={row} role="row">
      {columns.map((column, index) => (
        <td key={column.key} role="cell" data-label={column.card ? undefined : column.header} data-card={column.card} data-align={column.align} data-fit={column.fit} data-from={column.from}>
          <Skeleton height={14} my={4} width={`${50 + ((row * 3 + index * 5) % 4) * 12}%`} />
        </td>
      ))}
    </tr>
  ));
}

export { classes as tableClasses };
