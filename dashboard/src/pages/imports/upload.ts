import { csrfToken, reportSessionEnd } from '../../lib/client';

/** What the server must know of a file before it reads it. */
export function contentType(fileName: string): string {
  const ending = fileName.toLowerCase().split('.').at(-1);
  if (ending === 'gz') return 'application/gzip';
  if (ending === 'json') return 'application/json';
  if (ending === 'ndjson' || ending === 'jsonl') return 'application/x-ndjson';
  return 'text/csv';
}

/** RFC 9457, as far as it is shown. */
interface Problem {
  title?: string;
  detail?: string;
}

function refusal(status: number, body: string): string {
  try {
    const { title, detail } = JSON.parse(body) as Problem;
    const text = [title, detail].filter(Boolean).join('. ');
    if (text !== '') return text;
  } catch {
    // Not a problem document, as from a proxy in between: the status has to say it.
  }
  return status === 413 ? 'The file is too large.' : `The server answered with HTTP status ${status}. Try again in a moment.`;
}

export interface Upload {
  /** The id of the import once the server has the whole file; rejects with a text for people. */
  done: Promise<string>;
  abort: () => void;
}

/**
 * Streams a file to its source. `fetch` reports no progress of a request's body, hence
 * XMLHttpRequest.
 */
export function upload(sourceSlug: string, file: File, onProgress: (bytesSent: number) => void): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<string>((resolve, reject) => {
    request.open('POST', `/ingest/${encodeURIComponent(sourceSlug)}`);
    request.setRequestHeader('content-type', contentType(file.name));
    request.setRequestHeader('x-baton-file-name', encodeURIComponent(file.name));
    request.setRequestHeader('x-baton-csrf', csrfToken());
    request.upload.addEventListener('progress', (event) => {
      onProgress(event.loaded);
    });
    request.addEventListener('load', () => {
      if (request.status === 401) reportSessionEnd();
      if (request.status < 200 || request.status > 299) {
        reject(new Error(refusal(request.status, request.responseText)));
        return;
      }
      const answer = JSON.parse(request.responseText) as { import_id: string };
      resolve(answer.import_id);
    });
    request.addEventListener('error', () => {
      reject(new Error('The connection broke. Nothing was imported; upload the file again.'));
    });
    request.addEventListener('abort', () => {
      reject(new Error('The upload was stopped. Nothing was imported.'));
    });
    request.send(file);
  });
  return { done, abort: () => { request.abort(); } };
}
