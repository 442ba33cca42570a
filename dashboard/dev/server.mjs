// A stand-in for `baton serve` while working on the pages: the built dashboard, the contract over
// made-up data, uploads and subscriptions, under the same content security policy.
// Sign in: acme · demo@acme.example (or member@acme.example) · correct horse

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { buildSchema, execute, parse, subscribe, validate } from 'graphql';
import { failedRecords, imports, users } from './data.mjs';
import { receive, resolvers } from './resolvers.mjs';

const here = import.meta.dirname;
const port = Number(process.env.PORT ?? 8080);
const schema = buildSchema(await readFile(join(here, '../../schema.graphql'), 'utf8'));
const trusted = JSON.parse(await readFile(join(here, '../src/gql/persisted-documents.json'), 'utf8'));
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const headers = { 'content-security-policy': "default-src 'self'; frame-ancestors *", 'x-content-type-options': 'nosniff' };

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function send(response, status, body, type = 'application/json') {
  response.writeHead(status, { ...headers, 'content-type': type });
  response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function sessionOf(request) {
  const cookies = Object.fromEntries((request.headers.cookie ?? '').split('; ').map((part) => part.split('=')));
  return cookies.baton_session ? users[decodeURIComponent(cookies.baton_session)] : undefined;
}

function problem(code, message, extensions = {}) {
  return { errors: [{ message, extensions: { code, ...extensions } }] };
}

async function graphqlRoute(request, response) {
  const { query, variables, operationName, extensions } = JSON.parse(await bodyOf(request));
  const text = query ?? (process.env.MANIFEST === 'off' ? undefined : trusted[extensions?.persistedQuery?.sha256Hash]);
  // As a server that knows no manifest answers.
  if (!text && process.env.MANIFEST === 'off') return send(response, 400, problem('BAD_USER_INPUT', 'The query is missing.'));
  if (!text) return send(response, 200, problem('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound'));
  const document = parse(text);
  const faults = validate(schema, document);
  if (faults.length > 0) return send(response, 400, { errors: faults });
  const viewer = sessionOf(request);
  const operation = document.definitions.find(({ kind }) => kind === 'OperationDefinition');
  const open = operation.selectionSet.selections.every(({ name }) => ['signIn', 'signOut', '__typename'].includes(name?.value));
  if (!viewer && !open) return send(response, 401, problem('UNAUTHENTICATED', 'Sign in first.'));
  if (viewer && !open && request.headers['x-baton-csrf'] !== 'csrf-mock') return send(response, 403, problem('FORBIDDEN', 'The CSRF token is missing.'));
  const contextValue = {
    viewer,
    setSession(person) {
      const value = person ? encodeURIComponent(person.email) : '';
      const age = person ? '' : '; Max-Age=0';
      response.setHeader('set-cookie', [`baton_session=${value}; HttpOnly; SameSite=Lax; Path=/${age}`, `baton_csrf=csrf-mock; SameSite=Lax; Path=/${age}`]);
    },
  };
  const args = { schema, document, variableValues: variables, operationName, contextValue };
  if (operation.operation !== 'subscription') return send(response, 200, await execute({ ...args, rootValue: resolvers }));
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const stream = await subscribe({ ...args, rootValue: { importProgress: resolvers.importProgress } });
  for await (const result of stream) {
    if (response.destroyed) return undefined;
    response.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  }
  return response.end('event: complete\ndata: \n\n');
}

async function ingestRoute(request, response, slug) {
  const body = await bodyOf(request);
  if (!sessionOf(request)) return send(response, 401, { title: 'Sign in first', code: 'UNAUTHENTICATED' }, 'application/problem+json');
  if (body.length === 0) return send(response, 400, { title: 'The file is empty', detail: 'Choose a file with at least one record.', code: 'BAD_USER_INPUT' }, 'application/problem+json');
  const made = receive(slug, decodeURIComponent(request.headers['x-baton-file-name'] ?? 'upload'), body.length);
  if (!made) return send(response, 404, { title: 'Unknown source', detail: `There is no source ${slug}.`, code: 'NOT_FOUND' }, 'application/problem+json');
  return send(response, 202, { import_id: made.id });
}

function failedCsv(response, wanted) {
  const origin = imports.find(({ id }) => id === wanted);
  const lines = failedRecords.filter((record) => record.import === origin).map((record) => `${record.record},${record.raw},${record.reasons.map(({ code }) => code).join(' ')}`);
  return send(response, 200, ['record,raw,reasons', ...lines].join('\n'), 'text/csv');
}

async function fileRoute(response, path) {
  const wanted = extname(path) ? path : '/index.html';
  try {
    send(response, 200, await readFile(join(here, '../dist', normalize(wanted))), types[extname(wanted)] ?? 'application/octet-stream');
  } catch {
    send(response, 404, 'Not found', 'text/plain');
  }
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://mock');
  const ingest = /^\/ingest\/([^/]+)$/.exec(pathname);
  const csv = /^\/imports\/([^/]+)\/failed\.csv$/.exec(pathname);
  try {
    if (pathname === '/graphql') await graphqlRoute(request, response);
    else if (ingest) await ingestRoute(request, response, ingest[1]);
    else if (csv) failedCsv(response, csv[1]);
    else await fileRoute(response, pathname);
  } catch (error) {
    console.error(error);
    if (!response.headersSent) send(response, 500, problem('INTERNAL', 'Something went wrong.', { request_id: 'req_mock_1' }));
  }
});
server.listen(port, '127.0.0.1', () => { console.log(`http://127.0.0.1:${port}`); });
