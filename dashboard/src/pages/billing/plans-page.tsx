import { Button, Group, NumberInput, Select, Stack, Switch, TextInput } from '@mantine/core';
import { IconPlus, IconTags } from '@tabler/icons-react';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { JsonEditor, jsonProblem } from '../../components/json-editor';
import { notifyDone, notifyError, succeeded } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import type { RatePlansQuery } from '../../gql/graphql';
import { formatCalendarDay } from '../../lib/zone';
import classes from './billing.module.css';
import { formatMoney } from './money';
import { readPlan, standardPlan, type PlanSpec } from './plan';
import { WhatIf } from './what-if';

const RatePlansDocument = graphql(`
  query RatePlans {
    ratePlans { id slug name versions { version effectiveFrom spec createdAt createdBy } }
    products { id slug name description }
  }
`);

type Plan = RatePlansQuery['ratePlans'][number];
type Product = RatePlansQuery['products'][number];

/** "High $10.00 · Low $2.00". */
function pricesOf(spec: unknown): string {
  const plan = readPlan(spec);
  return plan?.levels.map(({ name, price }) => `${name} ${formatMoney(price, plan.currency)}`).join(' · ') ?? '';
}

function planColumns(open: (plan: Plan) => void): readonly Column<Plan>[] {
  const newest = (plan: Plan) => plan.versions[0];
  return [
    { key: 'name', header: 'Name', cell: (plan) => <button type="button" className={tableClasses.rowLink} onClick={() => { open(plan); }}>{plan.name}</button> },
    { key: 'slug', header: 'Short name', card: 'plain', cell: ({ slug }) => <span className="mono">{slug}</span> },
    { key: 'version', header: 'Newest version', align: 'end', cell: (plan) => newest(plan)?.version ?? '–' },
    { key: 'from', header: 'In force from', align: 'end', fit: 'line', cell: (plan) => (plan.versions[0] ? formatCalendarDay(plan.versions[0].effectiveFrom) : '–') },
    { key: 'levels', header: 'Prices', from: 'medium', card: 'plain', cell: (plan) => pricesOf(newest(plan)?.spec) },
  ];
}

const productColumns: readonly Column<Product>[] = [
  { key: 'slug', header: 'Short name', cell: ({ slug }) => <span className="mono">{slug}</span> },
  { key: 'name', header: 'Name', cell: ({ name }) => name },
  { key: 'description', header: 'Description', from: 'medium', cell: ({ description }) => description ?? '' },
];

export function PlansPage() {
  const admin = useMay('billing:write');
  const [{ data, error }, again] = useQuery({ query: RatePlansDocument });
  const [edited, setEdited] = useState<Plan | 'new' | null>(null);
  const [adding, setAdding] = useState(false);
  const reload = () => { again({ requestPolicy: 'network-only' }); };
  return (
    <>
      <PageHeader title="Rate plans" back={{ to: '/billing', label: 'Billing' }} lead="What actions cost. A version is never changed; a new one takes effect with the first period that begins on its day or later.">
        {admin && <Button variant="default" leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setAdding(true); }}>New product</Button>}
        {admin && <Button leftSection={<IconPlus size={16} aria-hidden="true" />} onClick={() => { setEdited('new'); }}>New rate plan</Button>}
      </PageHeader>
      <Panel title="Rate plans" flush>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Rate plans" columns={planColumns(setEdited)} rows={data?.ratePlans} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconTags} title="No rate plan yet" detail={admin ? 'Make the first one; partners are billed by it.' : 'An administrator makes them.'} />}
          />
        )}
      </Panel>
      {!(error && !data) && (
        <Panel title="Products" detail="Actions name what they are about" flush>
          <DataTable
            caption="Products" columns={productColumns} rows={data?.products} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconTags} title="No product yet" detail="An action on a product that is not here is refused." />}
          />
        </Panel>
      )}
      {edited && <EditPlan key={edited === 'new' ? 'new' : edited.id} plan={edited === 'new' ? null : edited} readOnly={!admin} onDone={reload} onClose={() => { setEdited(null); }} />}
      {adding && <AddProduct onDone={reload} onClose={() => { setAdding(false); }} />}
    </>
  );
}

const CreateProductDocument = graphql(`
  mutation CreateProduct($input: CreateProductInput!) { createProduct(input: $input) { product { id } error { field code message } } }
`);

function AddProduct({ onDone, onClose }: { onDone: () => void; onClose: () => void }) {
  const [slug, setSlug] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, create] = useMutation(CreateProductDocument);
  async function submit() {
    const { data, error } = await create({ input: { slug: slug.trim(), name: name.trim() || null } });
    if (error) notifyError(error);
    if (!data) return;
    if (data.createProduct.error) {
      setProblem(data.createProduct.error);
      return;
    }
    onDone();
    onClose();
  }
  return (
    <FormDrawer opened title="New product" action="Add the product" readOnly={false} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name']} />
      <TextInput label="Short name" description="As actions name it" required data-autofocus spellCheck={false} value={slug} onChange={(event) => { setSlug(event.currentTarget.value); }} error={messageFor(problem, 'slug')} />
      <TextInput label="Name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
    </FormDrawer>
  );
}

const CreateRatePlanDocument = graphql(`
  mutation CreateRatePlan($input: CreateRatePlanInput!) { createRatePlan(input: $input) { ratePlan { id } error { field code message } } }
`);

const AddVersionDocument = graphql(`
  mutation AddRatePlanVersion($input: AddRatePlanVersionInput!) { addRatePlanVersion(input: $input) { ratePlan { id } error { field code message } } }
`);

function firstOfNextMonth(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString().slice(0, 10);
}

interface EditProps {
  plan: Plan | null;
  readOnly: boolean;
  onDone: () => void;
  onClose: () => void;
}

function EditPlan({ plan, readOnly, onDone, onClose }: EditProps) {
  const [slug, setSlug] = useState('');
  const [name, setName] = useState('');
  const [from, setFrom] = useState(plan ? firstOfNextMonth() : `${new Date().getUTCFullYear()}-01-01`);
  const [text, setText] = useState(() => JSON.stringify(plan?.versions[0]?.spec ?? standardPlan, null, 2));
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching: creating }, create] = useMutation(CreateRatePlanDocument);
  const [{ fetching: adding }, add] = useMutation(AddVersionDocument);
  const spec = jsonProblem(text) ? null : readPlan(JSON.parse(text));
  const change = (next: PlanSpec) => { setText(JSON.stringify(next, null, 2)); setProblem(null); };

  async function submit() {
    if (jsonProblem(text)) return;
    const content = JSON.parse(text) as unknown;
    setProblem(null);
    const payload = plan
      ? succeeded(await add({ input: { ratePlan: plan.id, effectiveFrom: from, spec: content } }), (data) => data.addRatePlanVersion, setProblem)
      : succeeded(await create({ input: { slug: slug.trim(), name: name.trim() || null, effectiveFrom: from, spec: content } }), (data) => data.createRatePlan, setProblem);
    if (!payload) return;
    notifyDone(plan ? 'The new version is in force from its day on.' : 'The rate plan is ready.');
    onDone();
    onClose();
  }

  return (
    <FormDrawer opened title={plan ? plan.name : 'New rate plan'} action={plan ? 'Add as a new version' : 'Create the rate plan'} readOnly={readOnly} busy={creating || adding} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['slug', 'name', 'effectiveFrom']} />
      {!plan && (
        <Group grow align="start">
          <TextInput label="Short name" required data-autofocus autoCapitalize="none" spellCheck={false} value={slug} onChange={(event) => { setSlug(event.currentTarget.value); }} error={messageFor(problem, 'slug')} />
          <TextInput label="Name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={messageFor(problem, 'name')} />
        </Group>
      )}
      {!readOnly && <TextInput label="In force from" description="It rates the periods that begin on this day or later" type="date" required value={from} onChange={(event) => { setFrom(event.currentTarget.value); }} error={messageFor(problem, 'effectiveFrom')} />}
      {spec && <PlanFields spec={spec} readOnly={readOnly} onChange={change} />}
      <JsonEditor
        label="Everything, as data" description="Overrides, lead types that are not billed, product prices: docs/billing.md" value={text} readOnly={readOnly}
        serverError={null} onChange={(next) => { setText(next); setProblem(null); }}
      />
      {spec && <WhatIf spec={spec} />}
    </FormDrawer>
  );
}

const windows = [{ value: 'period', label: 'In the same period' }, { value: 'days', label: 'Within days' }, { value: 'forever', label: 'At any time' }];

/** The parts of a plan that are changed most: prices by level, the cap, what counts as a repeat. */
function PlanFields({ spec, readOnly, onChange }: { spec: PlanSpec; readOnly: boolean; onChange: (spec: PlanSpec) => void }) {
  const duplicates = spec.duplicates ?? { window: 'period' };
  const window = duplicates.window;
  const kind = typeof window === 'object' ? 'days' : window;
  return (
    <Stack gap="sm">
      <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
        <legend className={classes.label}>Price of an action by level, {spec.currency}</legend>
        <Group grow mt={6}>
          {spec.levels.map((level, at) => (
            <TextInput
              key={level.name} label={level.name} readOnly={readOnly} inputMode="decimal" value={level.price}
              onChange={(event) => { onChange({ ...spec, levels: spec.levels.with(at, { ...level, price: event.currentTarget.value }) }); }}
            />
          ))}
        </Group>
      </fieldset>
      <Group grow align="end">
        <Switch
          label="A cap for each lead user" disabled={readOnly} checked={Boolean(spec.cap)}
          onChange={(event) => { onChange({ ...spec, cap: event.currentTarget.checked ? { amount: '100.00', per: 'period' } : undefined }); }}
        />
        {spec.cap && (
          <TextInput label={spec.cap.per === 'day' ? 'Cap a day' : 'Cap a period'} readOnly={readOnly} inputMode="decimal" value={spec.cap.amount} onChange={(event) => { onChange({ ...spec, cap: { per: 'period', ...spec.cap, amount: event.currentTarget.value } }); }} />
        )}
      </Group>
      <Group grow align="end">
        <Select
          label="The same again is a duplicate" allowDeselect={false} disabled={readOnly} value={kind} data={windows}
          onChange={(value) => { onChange({ ...spec, duplicates: { ...duplicates, window: value === 'days' ? { days: 30 } : value === 'forever' ? 'forever' : 'period' } }); }}
        />
        {typeof window === 'object' && (
          <NumberInput label="Days" min={1} max={3660} allowDecimal={false} readOnly={readOnly} value={window.days} onChange={(value) => { onChange({ ...spec, duplicates: { ...duplicates, window: { days: Number(value) || 1 } } }); }} />
        )}
      </Group>
    </Stack>
  );
}
