import { csrfToken, reportSessionEnd } from '../../lib/client';

export interface ListFacts {
  /** Leads handed over at that time or later. */
  since: string | null;
  /** When the list was made. */
  as_of: string | null;
}

/** Sends a destination's own list; answers the id of the run that compares it. Rejects with a text for people. */
export async function sendList(destinationSlug: string, file: File, facts: ListFacts): Promise<string> {
  const query = new URLSearchParams(Object.entries(facts).filter((fact): fact is [string, string] => fact[1] !== null));
  let response: Response;
  try {
    response = await fetch(`/reconcile/${encodeURIComponent(destinationSlug)}?${query}`, {
      method: 'POST', body: file, credentials: 'same-origin',
      headers: {
        'content-type': 'application/octet-stream', 'x-baton-file-name': encodeURIComponent(file.name), 'x-baton-csrf': csrfToken(),
      },
    });
  } catch {
    throw new Error('The connection broke. Nothing was compared; send the list again.');
  }
  if (response.status === 401) reportSessionEnd();
  const text = await response.text();
  if (!response.ok) throw new Error(refusal(response.status, text));
  return (JSON.parse(text) as { reconciliation_id: string }).reconciliation_id;
}

function refusal(status: number, body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: string };
    if (detail) return detail;
  } catch {
    // Not a problem document, as from a proxy in between: the status has to say it.
  }
  return `The server answered with HTTP status ${status}. Try again in a moment.`;
}
