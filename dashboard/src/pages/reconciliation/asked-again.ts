import { useEffect, useRef } from 'react';

/** Asks again whenever something else on the page has changed what the answer tells: the cache of answers does not know. */
export function useAskedAgain(changes: number, again: () => void): void {
  const seen = useRef(changes);
  useEffect(() => {
    if (seen.current === changes) return;
    seen.current = changes;
    again();
  }, [changes, again]);
}
