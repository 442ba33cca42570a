/** A rate plan's content, as far as the editor has fields for it; the rest is kept as it stands. */
export interface PlanSpec {
  currency: string;
  levels: { name: string; price: string }[];
  cap?: { amount: string; per?: 'period' | 'day' } | undefined;
  duplicates?: { window: 'period' | 'forever' | { days: number }; key?: string[] };
  [other: string]: unknown;
}

/** The plan, when its shape is one that the editor's fields know. */
export function readPlan(value: unknown): PlanSpec | null {
  if (typeof value !== 'object' || value === null) return null;
  const plan = value as Partial<PlanSpec>;
  const levels = plan.levels;
  if (typeof plan.currency !== 'string' || !Array.isArray(levels)) return null;
  const named = levels.every((level) => typeof level.name === 'string' && typeof level.price === 'string');
  return named ? (plan as PlanSpec) : null;
}

const leadTypes = ['Website Visit', 'Social Media', 'Email Campaign', 'Referral', 'Webinar', 'Event', 'Demo Request', 'Trade Show', 'Conference', 'Newsletter', 'Feedback'];

/** What a new plan starts with. */
export const standardPlan: PlanSpec = {
  currency: 'USD',
  cycle: 'month',
  levels: [{ name: 'High', price: '10.00' }, { name: 'Medium', price: '5.00' }, { name: 'Low', price: '2.00' }],
  lead_types: leadTypes.map((name) => ({ name })),
  action_types: ['Form Submission', 'Like', 'Share', 'Click', 'Signup', 'Registration', 'Attendance', 'Submission', 'Visit'],
  overrides: [],
  cap: { amount: '100.00', per: 'period' },
  duplicates: { window: 'period', key: ['product', 'action_type', 'level'] },
};
