import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { notifyDone, succeeded } from '../../components/notify';
import { formatMoney } from '../billing/money';
import { SetSourceCostDocument, SourceCostsDocument } from './data';
import classes from './sla.module.css';

/** What each new lead of a source costs, from a day on. */
export function SourceCosts({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [{ data }, again] = useQuery({ query: SourceCostsDocument });
  const [{ fetching }, set] = useMutation(SetSourceCostDocument);
  const [source, setSource] = useState<string | null>(null);
  const [effectiveFrom, setEffectiveFrom] = useState(() => new Date().toISOString().slice(0, 10));
  const [currency, setCurrency] = useState('USD');
  const [perLead, setPerLead] = useState('');
  const names = new Map((data?.sources ?? []).map(({ id, name }) => [id, name]));

  async function save() {
    if (!source) return;
    const input = { source, effectiveFrom, currency: currency.trim().toUpperCase(), perLead: perLead.trim() };
    if (!succeeded(await set({ input }), (answer) => answer.setSourceCost)) return;
    notifyDone('The cost counts from that day on.');
    setPerLead('');
    again({ requestPolicy: 'network-only' });
    onDone();
  }

  return (
    <Modal opened onClose={onClose} title="Costs of sources" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        {data && data.sourceCosts.length > 0 && (
          <ul className={classes.history} aria-label="Costs so far">
            {data.sourceCosts.map(({ source: of, effectiveFrom: from, perLead: cost }) => (
              <li key={`${of} ${from}`}>{names.get(of) ?? of}: {formatMoney(cost.amount, cost.currency)} a lead from {from}</li>
            ))}
          </ul>
        )}
        <Select label="Source" required value={source} data={[...names].map(([value, label]) => ({ value, label }))} onChange={setSource} />
        <TextInput label="From" type="date" required value={effectiveFrom} onChange={(event) => { setEffectiveFrom(event.currentTarget.value); }} />
        <Group grow>
          <TextInput label="Cost of a new lead" placeholder="2.50" required inputMode="decimal" value={perLead} onChange={(event) => { setPerLead(event.currentTarget.value); }} />
          <TextInput label="Currency" required maxLength={3} value={currency} onChange={(event) => { setCurrency(event.currentTarget.value); }} />
        </Group>
        <Group justify="flex-end"><Button loading={fetching} disabled={!source || perLead.trim() === ''} onClick={() => void save()}>Set the cost</Button></Group>
      </Stack>
    </Modal>
  );
}
