import { Button, Checkbox, MultiSelect, SegmentedControl, Select, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChartHistogram, IconRefresh, IconSend } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'react-router';
import { useMutation, useQuery } from 'urql';
import { useMay } from '../../app/session';
import { Confirm } from '../../components/confirm';
import { DataTable, tableClasses, type Column } from '../../components/data-table';
import { isRetryable, useRetryDelivery } from '../../components/delivery-card';
import { FilterBar, known, useChoice, useFilters } from '../../components/filters';
import { notifyDone, notifyError } from '../../components/notify';
import { PageHeader } from '../../components/page-header';
import { Pager, pageOf } from '../../components/pager';
import { Panel } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { deliveryStates, Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { DeliveriesQuery, DeliveryFilter } from '../../gql/graphql';
import { formatCount, formatName, plural } from '../../lib/format';
import classes from './deliveries.module.css';
import { DeliveryDrawer } from './delivery-drawer';
import { spanNames, spans, Statistics } from './statistics';

const DeliveriesDocument = graphql(`
  query Deliveries($first: Int, $after: String, $last: Int, $before: String, $filter: DeliveryFilter) {
    deliveries(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      nodes {
        id state reason attemptCount nextAttemptAt createdAt finishedAt
        lead { id firstName lastName }
        destination { id name }
      }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`);

const DeliveryDestinationsDocument = graphql(`
  query DeliveryDestinations { destinations { id name failed held } }
`);

const RetryAllFailedDocument = graphql(`
  mutation RetryAllFailed($destination: ID) { retryAllFailed(destination: $destination) { retried } }
`);

const RetryDeliveriesDocument = graphql(`
  mutation RetryDeliveries($ids: [ID!]!) { retryDeliveries(ids: $ids) { retried left inDoubt } }
`);

type Row = DeliveriesQuery['deliveries']['nodes'][number];

function OpenDelivery({ row }: { row: Row }) {
  const [parameters] = useSearchParams();
  const location = useLocation();
  const target = new URLSearchParams(parameters);
  target.set('delivery', row.id);
  return (
    <Link to={`?${target.toString()}`} state={location.state as unknown} preventScrollReset className={tableClasses.rowLink}>
      {formatName(row.lead)}
    </Link>
  );
}

interface Choice {
  has: (id: string) => boolean;
  toggle: (id: string) => void;
}

/** Choosing and retrying have their columns only where a shown row can be retried. */
function columnsWith(retry: (row: Row) => void, choice: Choice | null): readonly Column<Row>[] {
  return [
    ...(choice ? [{
      key: 'choose', header: 'Choose', card: 'before' as const,
      cell: (row: Row) => isRetryable(row.state) && (
        <Checkbox className={tableClasses.above} aria-label={`Choose the delivery of ${formatName(row.lead)} to ${row.destination.name}`} checked={choice.has(row.id)} onChange={() => { choice.toggle(row.id); }} />
      ),
    }] : []),
    { key: 'lead', header: 'Lead', cell: (row) => <OpenDelivery row={row} /> },
    { key: 'destination', header: 'Destination', card: 'plain', cell: (row) => <span>{row.destination.name}</span> },
    { key: 'state', header: 'State', card: 'corner', cell: (row) => <Status {...deliveryStates[row.state]} /> },
    { key: 'reason', header: 'Reason', from: 'medium', card: 'plain', cell: (row) => <span className={classes.reason}>{row.reason}</span> },
    { key: 'attempts', header: 'Attempts', align: 'end', cell: (row) => formatCount(row.attemptCount) },
    { key: 'created', header: 'Created', align: 'end', from: 'wide', card: 'plain', cell: (row) => <Time at={row.createdAt} /> },
    ...(choice ? [{
      key: 'retry', header: 'Action', align: 'end' as const, card: 'plain' as const,
      cell: (row: Row) => isRetryable(row.state) && (
        <Button size="compact-sm" variant="default" className={tableClasses.above} aria-label={`Retry the delivery of ${formatName(row.lead)} to ${row.destination.name}`} onClick={() => { retry(row); }}>Retry</Button>
      ),
    }] : []),
  ];
}

export function DeliveriesPage() {
  const { parameters, set, text, list } = useFilters();
  const [span, setSpan] = useChoice('span', spanNames);
  const destinations = text('destination');
  const states = text('state');
  const httpStatus = text('http');
  const filter = useMemo((): DeliveryFilter => ({
    destinationIds: destinations ? destinations.split(',') : null,
    states: states ? known(states.split(','), deliveryStates) : null,
    httpStatus: /^\d{3}$/.test(httpStatus) ? Number(httpStatus) : null,
  }), [destinations, states, httpStatus]);
  const [{ data, error, fetching, stale }, again] = useQuery({
    query: DeliveriesDocument, variables: { ...pageOf(parameters, 25), filter },
  });
  const [{ data: destinationData }] = useQuery({ query: DeliveryDestinationsDocument });
  const { retry } = useRetryDelivery();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const retries = useMay('deliveries:retry');
  const writes = useMay('deliveries:write');
  const choice = {
    has: (id: string) => chosen.has(id),
    toggle: (id: string) => { setChosen((former) => (former.has(id) ? new Set([...former].filter((one) => one !== id)) : new Set([...former, id]))); },
  };
  const choosable = retries && (data?.deliveries.nodes.some(({ state }) => isRetryable(state)) ?? false);
  const columns = columnsWith((row) => { void retry(row.id); }, choosable ? choice : null);
  const active = destinations !== '' || states !== '' || httpStatus !== '';
  const all = destinationData?.destinations ?? [];
  const oneDestination = list('destination').length === 1 ? list('destination')[0] : undefined;
  const reload = () => { again({ requestPolicy: 'network-only' }); };

  return (
    <>
      <PageHeader title="Deliveries" lead="Every hand-over of a lead to a destination, with each attempt on record.">
        <Button variant="default" component={Link} to="/deliveries/responses" leftSection={<IconChartHistogram size={16} aria-hidden="true" />}>Responses</Button>
        {chosen.size > 0 && <RetryChosen ids={[...chosen]} onDone={() => { setChosen(new Set()); reload(); }} />}
        {writes && <RetryAll
          destination={all.find(({ id }) => id === oneDestination)}
          count={all.filter(({ id }) => !oneDestination || id === oneDestination).reduce((sum, { failed, held }) => sum + failed + held, 0)}
          onDone={reload}
        />}
        <SegmentedControl
          aria-label="Span of the figures" value={span} onChange={setSpan}
          data={Object.entries(spans).map(([value, { label }]) => ({ value, label }))}
        />
      </PageHeader>
      <Statistics span={span} destination={oneDestination} state={states} httpStatus={httpStatus} onState={(state) => { set({ state }); }} />
      <Panel title="Deliveries, newest first" flush>
        <FilterBar label="Filter the deliveries" active={active} onClear={() => { set({ destination: null, state: null, http: null }); }}>
          <MultiSelect
            label="Destination" placeholder={destinations ? '' : 'All'} clearable value={list('destination')} onChange={(destination) => { set({ destination }); }}
            data={all.map(({ id, name }) => ({ value: id, label: name }))} clearButtonProps={{ 'aria-label': 'All destinations' }}
          />
          <MultiSelect
            label="State" placeholder={states ? '' : 'All'} clearable value={list('state')} onChange={(state) => { set({ state }); }}
            data={Object.entries(deliveryStates).map(([value, { label }]) => ({ value, label }))} clearButtonProps={{ 'aria-label': 'All states' }}
          />
          <Select
            label="HTTP status" placeholder="All" clearable searchable value={httpStatus || null} onChange={(http) => { set({ http }); }}
            data={['200', '201', '202', '204', '400', '401', '403', '404', '409', '422', '429', '500', '502', '503', '504']} clearButtonProps={{ 'aria-label': 'All HTTP statuses' }}
          />
        </FilterBar>
        {error && !data ? <ErrorState error={error} onRetry={reload} /> : (
          <DataTable
            caption="Deliveries, newest first" columns={columns} rows={fetching && !stale ? undefined : data?.deliveries.nodes} rowKey={({ id }) => id}
            empty={<EmptyState icon={IconSend} title={active ? 'No delivery fits these filters' : 'Nothing was handed over yet'} detail={active ? 'Clear a filter to see more.' : <>Deliveries begin as soon as there is a lead and a <Link to="/destinations">destination</Link>.</>} />}
          />
        )}
        <Pager label="deliveries" pageInfo={data?.deliveries.pageInfo} />
      </Panel>
      <DeliveryDrawer onChange={reload} />
    </>
  );
}

function RetryChosen({ ids, onDone }: { ids: readonly string[]; onDone: () => void }) {
  const [{ fetching }, retry] = useMutation(RetryDeliveriesDocument);
  async function send() {
    const { data, error } = await retry({ ids: [...ids] });
    if (error) notifyError(error);
    if (!data) return;
    const { retried, inDoubt } = data.retryDeliveries;
    const left = inDoubt > 0 ? ` ${formatCount(inDoubt)} left, as ${inDoubt === 1 ? 'it' : 'they'} may have arrived already: open each to decide.` : '';
    notifyDone(`${plural(retried, 'delivery', 'deliveries')} on the way again.${left}`);
    onDone();
  }
  return <Button loading={fetching} leftSection={<IconRefresh size={16} aria-hidden="true" />} onClick={send}>Retry {plural(ids.length, 'delivery', 'deliveries')}</Button>;
}

function RetryAll({ destination, count, onDone }: { destination: { id: string; name: string } | undefined; count: number; onDone: () => void }) {
  const [asking, { open, close }] = useDisclosure(false);
  const [{ fetching }, retryAll] = useMutation(RetryAllFailedDocument);
  async function confirm() {
    const { data, error } = await retryAll({ destination: destination?.id ?? null });
    close();
    if (error) notifyError(error);
    if (!data) return;
    notifyDone(`${plural(data.retryAllFailed.retried, 'delivery', 'deliveries')} on the way again.`);
    onDone();
  }
  const where = destination ? `to ${destination.name}` : 'to every destination';
  return (
    <>
      <Button variant="default" disabled={count === 0} leftSection={<IconRefresh size={16} aria-hidden="true" />} onClick={open}>Retry all failed</Button>
      <Confirm opened={asking} onClose={close} onConfirm={confirm} busy={fetching} title="Retry all failed deliveries?" action={`Retry ${plural(count, 'delivery', 'deliveries')}`}>
        <Text size="sm">Every failed or held delivery {where} is sent again. What a destination refused for its content, it will refuse again unless something changed.</Text>
      </Confirm>
    </>
  );
}
