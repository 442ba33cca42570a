/** Which columns of a refused record does a reason speak of? */

export interface Reason {
  field: string;
  code: string;
  message: string;
  value?: string | null;
}

/** Words in a column's header that tell which field it feeds. */
const hints: Readonly<Record<string, RegExp>> = {
  phone: /phone|tel(?!l)|mobile|cell/i,
  email: /e-?mail/i,
  first_name: /first|fname|given/i,
  last_name: /last|surname|lname|family/i,
  zip: /zip|postal/i,
  state: /^state$|_state$/i,
  credit_score: /fico|score/i,
};

const contactFields = ['phone', 'email'];

function speaksOf(column: string, value: string, reason: Reason): boolean {
  if (reason.value && value.trim() !== '' && value.trim() === reason.value.trim()) return true;
  const fields = reason.code === 'MISSING_CONTACT' ? contactFields : [reason.field];
  return fields.some((field) => {
    const hint = hints[field];
    if (hint) return hint.test(column);
    const normalised = column.trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
    return normalised === field;
  });
}

/**
 * The first reason for each faulty column, by the column's index (headers can repeat), and the
 * reasons that fit no column.
 */
export function assignReasons(
  values: readonly { column: string; value: string }[],
  reasons: readonly Reason[],
): { byColumn: Map<number, Reason>; others: Reason[] } {
  const byColumn = new Map<number, Reason>();
  const others: Reason[] = [];
  for (const reason of reasons) {
    const faulty = [...values.keys()].filter((index) => {
      const entry = values[index];
      return entry !== undefined && speaksOf(entry.column, entry.value, reason);
    });
    if (faulty.length === 0) others.push(reason);
    for (const index of faulty) {
      if (!byColumn.has(index)) byColumn.set(index, reason);
    }
  }
  return { byColumn, others };
}
