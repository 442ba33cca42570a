import { cacheExchange, Client, fetchExchange, mapExchange, type CombinedError } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { currentExchange } from './current';
import { frameLink } from './embedding';

declare module '@urql/core' {
  interface OperationContext {
    /** The query that asks whether there is a session: its refusal is an answer, not an expiry. */
    sessionProbe?: boolean;
  }
}

function cookie(name: string): string | null {
  const found = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : null;
}

/** The token that each POST repeats in a header, which another site's page cannot do. A frame has a session of its own. */
export function csrfToken(): string {
  const names = ['baton_csrf', '__Host-baton_frame_csrf'];
  if (frameLink !== null) names.reverse();
  return names.map(cookie).find((token) => token !== null) ?? '';
}

const sessionEnd = new EventTarget();

/** Calls the listener whenever the server says that the session is over. */
export function onSessionEnd(listener: () => void): () => void {
  sessionEnd.addEventListener('end', listener);
  return () => {
    sessionEnd.removeEventListener('end', listener);
  };
}

/** To be called by requests outside GraphQL, such as an upload, that were refused with 401. */
export function reportSessionEnd(): void {
  sessionEnd.dispatchEvent(new Event('end'));
}

/** The stable code of the first GraphQL error, or the one that the HTTP status stands for. */
export function errorCode(error: CombinedError): string | undefined {
  const code = error.graphQLErrors[0]?.extensions.code;
  if (typeof code === 'string') return code;
  const response = error.response as Response | undefined;
  return response?.status === 401 ? 'UNAUTHENTICATED' : undefined;
}

export function isUnauthenticated(error: CombinedError | undefined): boolean {
  return error !== undefined && errorCode(error) === 'UNAUTHENTICATED';
}

function documentHash(document: unknown): string {
  const meta = (document as { __meta__?: { hash?: string } }).__meta__;
  return meta?.hash ?? '';
}

/**
 * A request that names its document by hash only is refused with 400 by a server without the
 * manifest; said in the protocol's words, the client sends the text from then on.
 */
async function fetchDocument(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  const hashOnly = typeof init?.body === 'string' && !init.body.includes('"query":"');
  if (response.status !== 400 || !hashOnly) return response;
  return Response.json({ errors: [{ message: 'PersistedQueryNotSupported' }] });
}

/** One client a session: what the cache holds belongs to the person who is signed in. */
export function makeClient(): Client {
  return new Client({
    url: '/graphql',
    preferGetMethod: false,
    fetchSubscriptions: true,
    requestPolicy: 'cache-and-network',
    fetch: fetchDocument,
    fetchOptions: () => ({ credentials: 'same-origin', headers: { 'x-baton-csrf': csrfToken() } }),
    exchanges: [
      mapExchange({
        onError(error, operation) {
          if (isUnauthenticated(error) && !operation.context.sessionProbe) reportSessionEnd();
        },
      }),
      cacheExchange,
      currentExchange,
      persistedExchange({
        preferGetForPersistedQueries: false,
        enableForMutation: true,
        enableForSubscriptions: true,
        generateHash: (_text, document) => Promise.resolve(documentHash(document)),
      }),
      fetchExchange,
    ],
  });
}
