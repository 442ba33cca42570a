import {
  IconAlertTriangle, IconArrowBackUp, IconBan, IconBolt, IconCalendar, IconCheck, IconClock, IconCopy, IconDownload, IconEdit,
  IconHandStop, IconHelpCircle, IconMoodEmpty, IconPencilCheck, IconPhone, IconSend, IconStar, IconTrophy, IconUrgent, IconX, type Icon,
} from '@tabler/icons-react';
import { useActorName } from '../../components/actor';
import type { Look } from '../../components/status';
import { Time } from '../../components/time';
import type { LeadEventKind, LeadQuery } from '../../gql/graphql';
import classes from './lead.module.css';

type Event = NonNullable<LeadQuery['lead']>['events'][number];

const kinds: Readonly<Record<LeadEventKind, Look & { icon: Icon }>> = {
  RECEIVED: { label: 'Received', tone: 'busy', icon: IconDownload },
  UPDATED: { label: 'Updated by its source', tone: 'busy', icon: IconEdit },
  DUPLICATE: { label: 'Sent again', tone: 'soft', icon: IconCopy },
  TRIGGERED: { label: 'Triggered', tone: 'busy', icon: IconBolt },
  CORRECTED: { label: 'Corrected', tone: 'good', icon: IconPencilCheck },
  DELIVERED: { label: 'Delivered', tone: 'good', icon: IconCheck },
  REFUSED: { label: 'Refused by the destination', tone: 'bad', icon: IconX },
  HELD: { label: 'Held', tone: 'wait', icon: IconHandStop },
  RETRIED: { label: 'Retried', tone: 'busy', icon: IconArrowBackUp },
  EXHAUSTED: { label: 'Attempts used up', tone: 'bad', icon: IconAlertTriangle },
  SUBMITTED: { label: 'Submitted', tone: 'busy', icon: IconSend },
  CONTACTED: { label: 'Contacted', tone: 'good', icon: IconPhone },
  QUALIFIED: { label: 'Qualified', tone: 'good', icon: IconStar },
  SOLD: { label: 'Sold', tone: 'good', icon: IconTrophy },
  LOST: { label: 'Lost', tone: 'soft', icon: IconMoodEmpty },
  OPTED_OUT: { label: 'Opted out', tone: 'wait', icon: IconBan },
  SUPPRESSED: { label: 'Suppressed', tone: 'wait', icon: IconBan },
  AT_RISK: { label: 'At risk of being late', tone: 'wait', icon: IconClock },
  BREACHED: { label: 'Late', tone: 'bad', icon: IconClock },
  PAUSED: { label: 'Clock paused', tone: 'soft', icon: IconClock },
  RESUMED: { label: 'Clock goes on', tone: 'soft', icon: IconClock },
  ESCALATED: { label: 'Escalated', tone: 'bad', icon: IconUrgent },
  BOOKED: { label: 'Help booked', tone: 'busy', icon: IconCalendar },
  RESENT: { label: 'Sent again', tone: 'busy', icon: IconSend },
  CONFIRMED: { label: 'Arrival confirmed', tone: 'good', icon: IconCheck },
  UNKNOWN: { label: 'Outcome unknown', tone: 'wait', icon: IconHelpCircle },
  REJECTED: { label: 'Not sent', tone: 'soft', icon: IconBan },
};

export function Journey({ events }: { events: readonly Event[] }) {
  const nameOf = useActorName();
  return (
    <ol className={classes.journey}>
      {events.map((event) => {
        const { label, tone, icon: KindIcon } = kinds[event.kind];
        return (
          <li key={event.id}>
            <span className={classes.dot} data-tone={tone}><KindIcon size={14} stroke={2} aria-hidden="true" /></span>
            <div>
              <div className={classes.kind}>{label}</div>
              {event.summary && event.summary !== label && <div>{event.summary}</div>}
              <div className={classes.when}><Time at={event.at} />{event.actor && ` · ${nameOf(event.actor)}`}</div>
            </div>
          </li>
        );
      })}
    </ol>
  );
}
