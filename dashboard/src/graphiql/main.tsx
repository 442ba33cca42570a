import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './graphiql.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { csrfToken } from '../lib/client';

/** What the editor shows at first: the page's own help. */
const welcome = `# This runs as whoever is signed in at the dashboard.
# With a program's token, put into Headers below:
# { "Authorization": "Bearer …" }

query Newest {
  leads(first: 5) {
    nodes { id firstName lastName status receivedAt }
  }
}
`;

const root = document.getElementById('root');
if (!root) throw new Error('graphiql.html has no element with the id root');

const socket = new URL('/graphql', window.location.href);
socket.protocol = socket.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({
  url: '/graphql',
  subscriptionUrl: socket.href,
  fetch: (input, init) => {
    const headers = new Headers(init?.headers);
    // A session needs it; with a token of one's own it means nothing.
    if (!headers.has('authorization')) headers.set('x-baton-csrf', csrfToken());
    return fetch(input, { ...init, headers, credentials: 'same-origin' });
  },
});

createRoot(root).render(
  <StrictMode>
    <GraphiQL fetcher={fetcher} defaultQuery={welcome} shouldPersistHeaders={false} />
  </StrictMode>,
);
