import { Drawer, NumberInput, PasswordInput, Select, Skeleton, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { FormDrawer, messageFor, OtherMessage, type FieldError } from '../../components/form-drawer';
import { JsonEditor } from '../../components/json-editor';
import { notifyDone, succeeded } from '../../components/notify';
import { ErrorState } from '../../components/states';
import { graphql } from '../../gql';
import type { ReconciliationPlanQuery } from '../../gql/graphql';
import type { Destination } from './start-panel';

const PlanDocument = graphql(`
  query ReconciliationPlan($destinationId: ID!) {
    reconciliationPlan(destinationId: $destinationId) { destinationId mapping apiUrl hasApiToken nightlyHour autoResendMax }
  }
`);

const ChangePlanDocument = graphql(`
  mutation ChangeReconciliationPlan($input: ChangeReconciliationPlanInput!) {
    changeReconciliationPlan(input: $input) {
      plan { destinationId mapping apiUrl hasApiToken nightlyHour autoResendMax }
      error { field code message }
    }
  }
`);

type Plan = NonNullable<ReconciliationPlanQuery['reconciliationPlan']>;

export function PlanDrawer({ destinations, onClose }: { destinations: readonly Destination[]; onClose: () => void }) {
  const [chosen, setChosen] = useState(destinations[0]?.id ?? '');
  const [{ data, error }, ask] = useQuery({ query: PlanDocument, variables: { destinationId: chosen }, requestPolicy: 'network-only' });
  const plan = data?.reconciliationPlan?.destinationId === chosen ? data.reconciliationPlan : null;
  const choice = (
    <Select
      label="Destination" value={chosen} allowDeselect={false} onChange={(value) => { setChosen(value ?? chosen); }}
      data={destinations.map(({ id, name }) => ({ value: id, label: name }))}
    />
  );
  if (!plan) {
    return (
      <Drawer opened onClose={onClose} size="lg" title="How it is compared" closeButtonProps={{ 'aria-label': 'Close' }}>
        {choice}
        {error ? <ErrorState error={error} onRetry={() => { ask({ requestPolicy: 'network-only' }); }} /> : <Skeleton height={240} mt="md" aria-busy="true" />}
      </Drawer>
    );
  }
  return <PlanForm key={chosen} plan={plan} onClose={onClose}>{choice}</PlanForm>;
}

const hours = [
  { value: '', label: 'On demand only' },
  ...Array.from({ length: 24 }, (_, hour) => ({ value: String(hour), label: `Every night at ${String(hour).padStart(2, '0')}:00` })),
];

function PlanForm({ plan, onClose, children }: { plan: Plan; onClose: () => void; children: React.ReactNode }) {
  const writes = useMay('reconciliation:write');
  const [mapping, setMapping] = useState(JSON.stringify(plan.mapping, null, 2));
  const [apiUrl, setApiUrl] = useState(plan.apiUrl ?? '');
  const [apiToken, setApiToken] = useState('');
  const [hour, setHour] = useState(plan.nightlyHour === null ? '' : String(plan.nightlyHour));
  const [resendMax, setResendMax] = useState(plan.autoResendMax);
  const [problem, setProblem] = useState<FieldError | null>(null);
  const [{ fetching }, change] = useMutation(ChangePlanDocument);

  async function submit() {
    setProblem(null);
    let read: unknown;
    try {
      read = JSON.parse(mapping);
    } catch {
      setProblem({ field: 'mapping', message: 'This is not JSON.' });
      return;
    }
    const answer = await change({
      input: {
        destinationId: plan.destinationId, mapping: read, apiUrl: apiUrl.trim() || null, apiToken: apiToken || null,
        nightlyHour: hour === '' ? null : Number(hour), autoResendMax: resendMax,
      },
    });
    const payload = succeeded(answer, (data) => data.changeReconciliationPlan, setProblem);
    if (!payload) return;
    notifyDone('The settings were saved.');
    onClose();
  }

  return (
    <FormDrawer opened title="How it is compared" action="Save" readOnly={!writes} busy={fetching} onSubmit={submit} onClose={onClose}>
      <OtherMessage error={problem} fields={['mapping', 'apiUrl', 'nightlyHour', 'autoResendMax']} />
      {children}
      <TextInput
        label="Address of its API" description="As in https://app.getbonzo.com/api/v3; left empty, lists come as files." type="url" spellCheck={false}
        value={apiUrl} readOnly={!writes} onChange={(event) => { setApiUrl(event.currentTarget.value); }} error={messageFor(problem, 'apiUrl')}
      />
      <PasswordInput
        label="Token of its API" description={plan.hasApiToken ? 'There is one; left empty, it stays.' : 'There is none yet.'} autoComplete="off"
        value={apiToken} readOnly={!writes} onChange={(event) => { setApiToken(event.currentTarget.value); }}
      />
      <Select label="When" data={hours} value={hour} allowDeselect={false} disabled={!writes} onChange={(value) => { setHour(value ?? ''); }} error={messageFor(problem, 'nightlyHour')} />
      <NumberInput
        label="Missing leads that a run sends again by itself" min={0} max={1_000_000} value={resendMax} readOnly={!writes}
        description="0: a person decides. A file sends nothing again by itself unless it is said when it was made."
        onChange={(value) => { setResendMax(Number(value) || 0); }} error={messageFor(problem, 'autoResendMax')}
      />
      <JsonEditor
        label="How its list is read" description='As in {"columns": {"phone": "Tel"}, "our_sources": ["webhook"]}; usual names are found without it.'
        value={mapping} onChange={setMapping} readOnly={!writes} serverError={messageFor(problem, 'mapping')}
      />
    </FormDrawer>
  );
}
