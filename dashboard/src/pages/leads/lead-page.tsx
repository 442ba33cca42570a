import { Skeleton, Stack } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { MissingPage } from '../../app/fallback-pages';
import { DeliveryCard } from '../../components/delivery-card';
import { PageHeader } from '../../components/page-header';
import { Facts, Panel, panelClasses } from '../../components/panel';
import { EmptyState, ErrorState } from '../../components/states';
import { leadStatuses, Status } from '../../components/status';
import { Time } from '../../components/time';
import { graphql } from '../../gql';
import type { LeadQuery } from '../../gql/graphql';
import { fieldLabel, groupDetails } from '../../lib/fields';
import { formatName, formatPhone, humanise } from '../../lib/format';
import { LeadClocks } from '../sla/lead-clocks';
import { Journey } from './journey';
import classes from './lead.module.css';

const LeadDocument = graphql(`
  query Lead($id: ID!) {
    lead(id: $id) {
      id status externalId leadType channel firstName lastName
      phone phoneE164 phoneExtension alternatePhones email alternateEmails
      address city state zip zip4 details extra receivedAt record
      warnings { field code message value }
      source { id name }
      import { id fileName }
      events { id kind at summary data actor }
      deliveries { ...DeliveryCard }
    }
    leadCrmLinks(leadId: $id) { destinationId kind remoteId name since }
  }
`);

type Lead = NonNullable<LeadQuery['lead']>;

export function LeadPage() {
  const { id = '' } = useParams();
  const [{ data, error, fetching }, again] = useQuery({ query: LeadDocument, variables: { id } });
  const lead = data?.lead;
  if (error && !lead) return <><Heading title="Lead" /><ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} /></>;
  if (!lead && !fetching) return <MissingPage />;
  if (!lead) return <><Heading title="Lead" /><Stack aria-busy="true"><Skeleton height={170} /><Skeleton height={240} /></Stack></>;
  return (
    <>
      <Heading title={formatName(lead)} badge={<Status {...leadStatuses[lead.status]} />}>
        From {lead.source.name}, received <Time at={lead.receivedAt} />
        {lead.import && <> in <Link to={`/imports/${lead.import.id}`}>{lead.import.fileName}</Link>{lead.record && `, record ${lead.record}`}</>}
      </Heading>
      <div className={panelClasses.columns}>
        <div className={panelClasses.stack}>
          {lead.warnings.length > 0 && <Warnings lead={lead} />}
          <Contact lead={lead} />
          <AtCrm links={data.leadCrmLinks} />
          <LeadClocks lead={lead.id} onChange={() => { again({ requestPolicy: 'network-only' }); }} />
          <Details lead={lead} />
          <Panel title="Deliveries" detail="Each destination, and each attempt to hand the lead over.">
            {lead.deliveries.length === 0
              ? <EmptyState icon={IconSend} title="No destination wants this lead" detail="It is kept here. Add a destination to hand leads over." />
              : <Stack gap="sm">{lead.deliveries.map((delivery) => <DeliveryCard key={delivery.id} delivery={delivery} onChange={() => { again({ requestPolicy: 'network-only' }); }} />)}</Stack>}
          </Panel>
          <Extra extra={lead.extra} />
        </div>
        <Panel title="Journey" detail="What happened to the lead, in order."><Journey events={lead.events} /></Panel>
      </div>
    </>
  );
}

function Heading({ title, badge, children }: { title: string; badge?: ReactNode; children?: ReactNode }) {
  return <PageHeader title={title} tab="Lead" back={{ to: '/leads', label: 'Leads' }} badge={badge} lead={children} />;
}

function Warnings({ lead }: { lead: Lead }) {
  return (
    <Panel title="Warnings" detail="The lead was accepted; these values were left out or changed.">
      <ul className={classes.warnings}>
        {lead.warnings.map((warning) => (
          <li key={`${warning.field} ${warning.code}`}>
            <strong>{fieldLabel(warning.field)}</strong> {warning.message}
            {warning.value && <> Sent as <span className="mono">{warning.value}</span>.</>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Contact({ lead }: { lead: Lead }) {
  const phone = lead.phone && (
    <a href={`tel:${lead.phoneE164 ?? lead.phone}`}>
      {formatPhone(lead.phone)}{lead.phoneExtension && ` ext. ${lead.phoneExtension}`}
    </a>
  );
  const zip = [lead.zip, lead.zip4].filter(Boolean).join('-');
  const place = [lead.city, [lead.state, zip].filter(Boolean).join(' ')].filter(Boolean).join(', ');
  const others = [...lead.alternatePhones.map(formatPhone), ...lead.alternateEmails];
  return (
    <Panel title="Contact">
      <Facts
        entries={[
          { label: 'Phone', value: phone },
          { label: 'E-mail', value: lead.email && <a href={`mailto:${lead.email}`}>{lead.email}</a> },
          { label: 'Address', value: lead.address ?? place ? <>{lead.address}{lead.address && <br />}{place}</> : null },
          ...(others.length > 0 ? [{ label: 'Also reachable at', value: others.join(', ') }] : []),
          { label: 'Lead type', value: lead.leadType },
          { label: 'Source’s own id', value: lead.externalId && <span className="mono">{lead.externalId}</span> },
          { label: 'Came by', value: humanise(lead.channel) },
          { label: 'Baton’s id', value: <span className="mono">{lead.id}</span> },
        ]}
      />
    </Panel>
  );
}

/** Whose it is at the CRM, and in which campaigns. */
function AtCrm({ links }: { links: LeadQuery['leadCrmLinks'] }) {
  if (links.length === 0) return null;
  const of = (wanted: LeadQuery['leadCrmLinks'][number]['kind']) => links.filter(({ kind }) => kind === wanted).map(({ destinationId, kind, remoteId, name }, index) => (
    <span key={`${destinationId} ${remoteId}`}>{index > 0 && ', '}<Link to={`/leads?crm=${encodeURIComponent(`${destinationId}:${kind}:${remoteId}`)}`}>{name}</Link></span>
  ));
  return (
    <Panel title="At the CRM" detail="As it was last reported.">
      <Facts entries={[{ label: 'Belongs to', value: of('USER').length > 0 ? of('USER') : null }, { label: 'Campaigns', value: of('CAMPAIGN').length > 0 ? of('CAMPAIGN') : null }]} />
    </Panel>
  );
}

function Details({ lead }: { lead: Lead }) {
  const grouped = groupDetails(lead.details);
  if (grouped.length === 0) return null;
  return (
    <Panel title="Details">
      <div className={classes.groups}>
        {grouped.map(({ group, entries }) => (
          <div key={group} className={classes.groupRow}>
            <h3 className={classes.group}>{group}</h3>
            <Facts entries={entries.map(({ label, text }) => ({ label, value: text }))} />
          </div>
        ))}
      </div>
    </Panel>
  );
}

/** Columns that nobody mapped: kept as they came, folded away. */
function Extra({ extra }: { extra: unknown }) {
  const entries = Object.entries((extra ?? {}) as Record<string, unknown>);
  if (entries.length === 0) return null;
  return (
    <details className={classes.extra}>
      <summary>Further columns as the source sent them ({entries.length})</summary>
      <dl>
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono">{typeof value === 'string' ? value || <span className="quiet">empty</span> : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
