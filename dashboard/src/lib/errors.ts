import type { CombinedError } from '@urql/core';
import { errorCode } from './client';

export interface Explained {
  title: string;
  /** What the person can do. */
  detail: string;
  requestId?: string;
}

const explanations: Readonly<Record<string, Explained>> = {
  UNAUTHENTICATED: { title: 'You are signed out', detail: 'Sign in again to go on.' },
  FORBIDDEN: { title: 'Not allowed', detail: 'Your role does not include this. An administrator can do it.' },
  NOT_FOUND: { title: 'Not found', detail: 'It does not exist, or it belongs to another tenant.' },
  CONFLICT: { title: 'Changed meanwhile', detail: 'Somebody else changed it first. Reload and try again.' },
  LIMIT_EXCEEDED: { title: 'Too much at once', detail: 'Narrow the filters, or wait a minute and try again.' },
  UNAVAILABLE: { title: 'Baton is not available right now', detail: 'Nothing was lost. Try again in a moment.' },
  INTERNAL: { title: 'Something went wrong on our side', detail: 'Try again. If it stays, give the request id to your operator.' },
};

/** An error in words that say what to do. */
export function explain(error: CombinedError): Explained {
  if (error.networkError && error.graphQLErrors.length === 0) {
    const status = (error.response as Response | undefined)?.status;
    return status === undefined
      ? { title: 'No connection to Baton', detail: 'Check the network, then try again.' }
      : { title: 'Baton did not answer as expected', detail: `The server answered with HTTP status ${status}.` };
  }
  const first = error.graphQLErrors[0];
  const code = errorCode(error);
  const requestId = first?.extensions.request_id;
  const known = code === undefined ? undefined : explanations[code];
  return {
    ...(known ?? { title: 'The request was refused', detail: first?.message ?? error.message }),
    ...(code === 'BAD_USER_INPUT' && first ? { detail: first.message } : {}),
    ...(typeof requestId === 'string' ? { requestId } : {}),
  };
}
