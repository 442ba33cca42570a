import { useEffect } from 'react';
import { useQuery, useSubscription } from 'urql';
import { graphql } from '../../gql';
import type { ImportProgressFragment, ImportState } from '../../gql/graphql';

graphql(`
  fragment ImportProgress on Import {
    id fileName fileBytes state error encoding format createdAt finishedAt
    bytesRead records accepted warned updated duplicates rejected skipped recordsPerSecond
    source { id slug name }
  }
`);

const ImportDocument = graphql(`
  query Import($id: ID!) { import(id: $id) { ...ImportProgress } }
`);

const WatchImportDocument = graphql(`
  subscription WatchImport($id: ID!) { importProgress(id: $id) { ...ImportProgress } }
`);

export function isOver(state: ImportState): boolean {
  return state === 'DONE' || state === 'FAILED' || state === 'CANCELLED';
}

/** The newer of what a query and what the subscription said of the same import. */
function newer(asked: ImportProgressFragment | null | undefined, told: ImportProgressFragment | undefined) {
  if (!asked || !told) return told ?? asked;
  if (isOver(told.state) && isOver(asked.state)) return asked;
  if (isOver(told.state)) return told;
  return isOver(asked.state) || asked.records > told.records ? asked : told;
}

/**
 * An import, live until it ends. Where the event stream does not get through (a proxy that
 * buffers), it is asked every two seconds instead.
 */
export function useImport(id: string) {
  const [{ data, error, fetching }, again] = useQuery({ query: ImportDocument, variables: { id } });
  const asked = data?.import;
  const [told] = useSubscription({
    query: WatchImportDocument, variables: { id }, pause: !asked || isOver(asked.state),
  });
  const latest = newer(asked, told.data?.importProgress);
  const running = latest !== null && latest !== undefined && !isOver(latest.state);
  const deaf = running && (told.error !== undefined || !told.fetching);
  useEffect(() => {
    if (!deaf) return undefined;
    const timer = setInterval(() => { again({ requestPolicy: 'network-only' }); }, 2000);
    return () => { clearInterval(timer); };
  }, [deaf, again]);
  return { latest, error, fetching, running, again };
}
