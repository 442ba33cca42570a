/** Which columns of a refused record does a reason speak of? The server says so; here it is turned round. */

export interface Reason {
  field: string;
  code: string;
  message: string;
  value?: string | null;
  columns?: readonly string[] | null;
}

/**
 * The first reason for each faulty column, by the column's index, and the reasons that speak of
 * no column.
 */
export function assignReasons(
  values: readonly { column: string }[],
  reasons: readonly Reason[],
): { byColumn: Map<number, Reason>; others: Reason[] } {
  const byColumn = new Map<number, Reason>();
  const others: Reason[] = [];
  for (const reason of reasons) {
    const faulty = [...values.keys()].filter((index) => reason.columns?.includes(values[index]?.column ?? ''));
    if (faulty.length === 0) others.push(reason);
    for (const index of faulty) {
      if (!byColumn.has(index)) byColumn.set(index, reason);
    }
  }
  return { byColumn, others };
}
