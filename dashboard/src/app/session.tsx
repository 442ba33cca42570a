import type { CombinedError } from '@urql/core';
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { Provider as ClientProvider, useQuery } from 'urql';
import { ErrorState } from '../components/states';
import { graphql } from '../gql';
import type { ViewerQuery } from '../gql/graphql';
import { isUnauthenticated, makeClient, onSessionEnd } from '../lib/client';
import { LayoutSkeleton } from './layout-skeleton';

const ViewerDocument = graphql(`
  query Viewer {
    viewer { id email name role rights tenant { id slug name timeZone } }
  }
`);

export type Viewer = ViewerQuery['viewer'];

const ViewerContext = createContext<Viewer | null>(null);
const RenewContext = createContext<() => void>(() => undefined);

/** Who is signed in; only below {@link RequireSession}. */
export function useViewer(): Viewer {
  const viewer = use(ViewerContext);
  if (!viewer) throw new Error('useViewer needs a session above it');
  return viewer;
}

/** Whether the viewer has that right, as in `leads:write`: a page offers nothing that would be refused. */
export function useMay(right: string): boolean {
  return useViewer().rights.includes(right);
}

/** Roles as people read them. */
export const roleNames: Record<Viewer['role'], string> = {
  OWNER: 'Owner',
  ADMIN: 'Administrator',
  MANAGER: 'Manager',
  AGENT: 'Agent',
  PARTNER: 'Partner',
  SERVICE: 'Service',
};

/** The tenant's time zone, an IANA name. */
export function useZone(): string {
  return useViewer().tenant.timeZone;
}

/** Forgets everything of the former session; after signing in or out. */
export function useRenewSession(): () => void {
  return use(RenewContext);
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const [client, setClient] = useState(makeClient);
  const renew = useCallback(() => {
    setClient(makeClient());
  }, []);
  useEffect(() => onSessionEnd(renew), [renew]);
  return (
    <RenewContext value={renew}>
      <ClientProvider value={client}>{children}</ClientProvider>
    </RenewContext>
  );
}

const probe = { sessionProbe: true };

/** Shows the page to who is signed in, and sends others to sign in and back, or shows them something else. */
export function RequireSession({ children, otherwise }: { children: ReactNode; otherwise?: ReactNode }) {
  const location = useLocation();
  const [{ data, error }, again] = useQuery({ query: ViewerDocument, context: probe });
  const viewer = useMemo(() => data?.viewer ?? null, [data]);
  if (isUnauthenticated(error) && otherwise !== undefined) return otherwise;
  if (isUnauthenticated(error)) {
    const next = `${location.pathname}${location.search}`;
    return <Navigate to={next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`} replace />;
  }
  if (error) return <Unreachable error={error} again={again} />;
  if (!viewer) return <LayoutSkeleton />;
  return <ViewerContext value={viewer}>{children}</ViewerContext>;
}

function Unreachable({ error, again }: { error: CombinedError; again: (options: { requestPolicy: 'network-only' }) => void }) {
  return (
    <main>
      <ErrorState error={error} onRetry={() => { again({ requestPolicy: 'network-only' }); }} />
    </main>
  );
}
