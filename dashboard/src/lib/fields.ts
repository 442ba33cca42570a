import { humanise } from './format';
import { formatCalendarDay } from './zone';

/** How a detail of a lead is shown; units as the field catalogue of the intake rules has them. */
interface Field {
  label: string;
  group: Group;
  unit?: 'money' | 'percent' | 'date' | 'months';
}

export type Group = 'Credit' | 'Current loan' | 'Request' | 'Property' | 'Vehicle' | 'Other details';

export const groups: readonly Group[] = ['Credit', 'Current loan', 'Request', 'Property', 'Vehicle', 'Other details'];

const catalogue: Readonly<Record<string, Field>> = {
  credit_score: { label: 'Credit score', group: 'Credit' },
  credit_rating: { label: 'Credit rating', group: 'Credit' },
  trigger_date: { label: 'Trigger date', group: 'Credit', unit: 'date' },
  bankruptcy: { label: 'Bankruptcy', group: 'Credit' },
  mortgage_balance: { label: 'First mortgage balance', group: 'Current loan', unit: 'money' },
  mortgage_rate: { label: 'First mortgage rate', group: 'Current loan', unit: 'percent' },
  mortgage_payment: { label: 'Monthly payment', group: 'Current loan', unit: 'money' },
  mortgage_open_date: { label: 'Mortgage opened', group: 'Current loan', unit: 'date' },
  second_mortgage: { label: 'Second mortgage', group: 'Current loan' },
  second_balance: { label: 'Second mortgage balance', group: 'Current loan', unit: 'money' },
  second_rate: { label: 'Second mortgage rate', group: 'Current loan', unit: 'percent' },
  ltv: { label: 'Loan to value', group: 'Current loan', unit: 'percent' },
  loan_type: { label: 'Loan type', group: 'Request' },
  loan_purpose: { label: 'Loan purpose', group: 'Request' },
  loan_amount: { label: 'Loan amount', group: 'Request', unit: 'money' },
  cash_out: { label: 'Cash out', group: 'Request' },
  cash_out_amount: { label: 'Cash out amount', group: 'Request', unit: 'money' },
  down_payment: { label: 'Down payment', group: 'Request', unit: 'money' },
  va_eligible: { label: 'VA eligible', group: 'Request' },
  property_value: { label: 'Estimated value', group: 'Property', unit: 'money' },
  property_type: { label: 'Property type', group: 'Property' },
  property_use: { label: 'Property use', group: 'Property' },
  property_purpose: { label: 'Property purpose', group: 'Property' },
  found_home: { label: 'Home found', group: 'Property' },
  year: { label: 'Model year', group: 'Vehicle' },
  make: { label: 'Make', group: 'Vehicle' },
  model: { label: 'Model', group: 'Vehicle' },
  vin: { label: 'VIN', group: 'Vehicle' },
  asking_price: { label: 'Asking price', group: 'Vehicle', unit: 'money' },
};

/** Names of contact fields, for issues that speak of them. */
const contact: Readonly<Record<string, string>> = {
  phone: 'Phone', email: 'E-mail', first_name: 'First name', last_name: 'Last name', zip: 'ZIP code',
  phone_ext: 'Extension', external_id: 'External id', record: 'Whole record', state: 'State', address: 'Address',
};

/** The label of a field of a lead, as people call it. */
export function fieldLabel(name: string): string {
  return catalogue[name]?.label ?? contact[name] ?? humanise(name);
}

const money = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' });
const percent = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 });

/** The value with its unit. Decimals come as text so that no digit is lost; they are shown to the cent. */
export function fieldText(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'Yes' : 'No';
  if (value === null || value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const number = Number(text);
  const unit = catalogue[name]?.unit;
  if (unit === 'money' && Number.isFinite(number)) return money.format(number);
  if (unit === 'percent' && Number.isFinite(number)) return `${percent.format(number)} %`;
  if (unit === 'date' && /^\d{4}-\d{2}-\d{2}$/.test(text)) return formatCalendarDay(text);
  return text;
}

export interface Detail {
  name: string;
  label: string;
  text: string;
}

/** The details of a lead by group, in the catalogue's order of groups; empty groups are left out. */
export function groupDetails(details: unknown): { group: Group; entries: Detail[] }[] {
  if (typeof details !== 'object' || details === null) return [];
  const all = Object.entries(details as Record<string, unknown>);
  return groups
    .map((group) => ({
      group,
      entries: all
        .filter(([name]) => (catalogue[name]?.group ?? 'Other details') === group)
        .map(([name, value]) => ({ name, label: fieldLabel(name), text: fieldText(name, value) })),
    }))
    .filter(({ entries }) => entries.length > 0);
}
