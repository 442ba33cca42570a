import { Drawer, Skeleton, Stack, Text } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { useQuery } from 'urql';
import { DeliveryCard } from '../../components/delivery-card';
import { EmptyState, ErrorState } from '../../components/states';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import { formatName } from '../../lib/format';

const DeliveryDocument = graphql(`
  query Delivery($id: ID!) {
    delivery(id: $id) { ...DeliveryCard lead { id firstName lastName } }
  }
`);

/** The delivery that the address names (`?delivery=delivery_…`) with its attempts. */
export function DeliveryDrawer({ onChange }: { onChange: () => void }) {
  const [parameters, setParameters] = useSearchParams();
  const id = parameters.get('delivery');
  const close = () => {
    setParameters((former) => {
      former.delete('delivery');
      return former;
    }, { preventScrollReset: true });
  };
  return (
    <Drawer opened={id !== null} onClose={close} size="lg" title="Delivery" closeButtonProps={{ 'aria-label': 'Close' }}>
      {id && <Content key={id} id={id} onChange={onChange} />}
    </Drawer>
  );
}

function Content({ id, onChange }: { id: string; onChange: () => void }) {
  const [{ data, error, fetching }, again] = useQuery({ query: DeliveryDocument, variables: { id } });
  const delivery = data?.delivery;
  if (error && !delivery) return <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} />;
  if (!delivery && fetching) return <Skeleton height={220} aria-busy="true" />;
  if (!delivery) return <EmptyState icon={IconSend} title="No such delivery" detail="It does not exist, or it belongs to another tenant." />;
  return (
    <Stack>
      <Text c="dimmed">
        <Link to={`/leads/${delivery.lead.id}`}>{formatName(delivery.lead)}</Link>, created <Time at={delivery.createdAt} />
      </Text>
      <DeliveryCard delivery={delivery} onChange={() => { again({ requestPolicy: 'network-only' }); onChange(); }} />
    </Stack>
  );
}
