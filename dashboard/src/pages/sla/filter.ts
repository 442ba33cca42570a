import { useMemo, useState } from 'react';
import { useQuery } from 'urql';
import { useFilters } from '../../components/filters';
import type { SlaBucket, SlaFilter } from '../../gql/graphql';
import { SlaChoicesDocument } from './data';
import { clockName } from './words';

const hour = 3_600_000;

export const spans = {
  day: { label: '24 hours', milliseconds: 24 * hour, bucket: 'HOUR' },
  week: { label: '7 days', milliseconds: 7 * 24 * hour, bucket: 'DAY' },
  month: { label: '30 days', milliseconds: 30 * 24 * hour, bucket: 'DAY' },
  quarter: { label: '12 weeks', milliseconds: 84 * 24 * hour, bucket: 'WEEK' },
} as const satisfies Record<string, { label: string; milliseconds: number; bucket: SlaBucket }>;

export type Span = keyof typeof spans;

/** The lists that clocks are filtered by, as the address and the downloads name them. */
export const lists = ['sources', 'leadTypes', 'states', 'campaigns', 'agents', 'teams', 'destinations'] as const;
export type ListName = (typeof lists)[number];

/** The clocks to choose from: the two that everybody has, and those of the tenant's own policies. */
export function useClocks(): { value: string; label: string }[] {
  const [{ data }] = useQuery({ query: SlaChoicesDocument });
  const clocks = new Set(['processing', 'response', ...(data?.slaChoices.clocks ?? [])]);
  return Array.from(clocks, (value) => ({ value, label: clockName(value) }));
}

/** What the board shows, all of it from the address. */
export function useBoard() {
  const { set, text, list } = useFilters();
  // To the minute, so that looking twice asks the same question.
  const [opened] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const given = text('span');
  const span: Span = given in spans ? given as Span : 'week';
  const clock = text('clock') || 'response';
  const since = new Date(opened - spans[span].milliseconds).toISOString();
  const texts = lists.map((name) => text(name)).join('\n');
  const filter = useMemo((): SlaFilter => {
    const [sources, leadTypes, states, campaigns, agents, teams, destinations] =
      texts.split('\n').map((joined) => (joined ? joined.split(',') : null));
    return {
      clock, sourceIds: sources ?? null, leadTypes: leadTypes ?? null, states: states ?? null, campaigns: campaigns ?? null,
      agents: agents ?? null, teams: teams ?? null, destinationIds: destinations ?? null,
    };
  }, [clock, texts]);
  const active = texts.trim() !== '';

  /** The address of a download with the same filters. */
  function download(report: string, more: Record<string, string> = {}): string {
    const query = new URLSearchParams({ clock, since, ...more });
    for (const name of lists) {
      if (text(name)) query.set(name, text(name));
    }
    return `/exports/sla/${report}.csv?${query.toString()}`;
  }

  return { span, clock, since, filter, active, set, list, download };
}

export type Board = ReturnType<typeof useBoard>;
