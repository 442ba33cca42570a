import type { Exchange, Operation } from 'urql';
import { filter, makeSubject, merge, pipe, tap } from 'wonka';

/**
 * Asks once more what was asked before a change and is answered after it: the answer may be from before. A page cannot do that by
 * itself, since the client drops a request whose like is under way.
 */
export const currentExchange: Exchange = ({ forward }) => (operations) => {
  const again = makeSubject<Operation>();
  const underWay = new Map<number, Operation>();
  const outdated = new Set<number>();

  const asked = pipe(merge([operations, again.source]), tap((operation) => {
    outdated.delete(operation.key);
    if (operation.kind === 'query') underWay.set(operation.key, operation);
    else underWay.delete(operation.key);
  }));
  return pipe(forward(asked), filter(({ operation: { key, kind } }) => {
    if (kind === 'mutation') for (const query of underWay.keys()) outdated.add(query);
    const query = underWay.get(key);
    underWay.delete(key);
    if (!query || !outdated.has(key)) return true;
    again.next(query);
    return false;
  }));
};
