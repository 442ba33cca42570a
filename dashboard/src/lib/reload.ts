import { useCallback, useEffect, useRef } from 'react';
import type { UseQueryExecute } from 'urql';

/**
 * Asks the server for what the page shows when it is called, not for what it showed when the function was handed out: a change may
 * take a while, and the filters may be others when it is done.
 */
export function useReload(again: UseQueryExecute): () => void {
  const latest = useRef(again);
  useEffect(() => { latest.current = again; }, [again]);
  return useCallback(() => { latest.current({ requestPolicy: 'network-only' }); }, []);
}
