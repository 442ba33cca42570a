import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export interface Running {
  url: string;
  close: () => Promise<void>;
}

/** A server on a free port of loopback; `host` is the name in its address. */
async function listen(host: string, listener: (url: string) => RequestListener): Promise<Running> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  server.on('request', listener(url));
  return { url, close: () => new Promise((resolve) => { server.close(() => { resolve(); }); server.closeAllConnections(); }) };
}

/** A site of its own that shows an address in a frame, as a CRM does. */
export function startCrm(framed: () => string): Promise<Running> {
  return listen('localhost', () => (_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><title>CRM</title><h1>CRM</h1><iframe title="Baton" src="${framed()}" width="1000" height="700"></iframe>`);
  });
}

/** A CRM's webhook that takes every lead. */
export function startWebhook(): Promise<Running> {
  return listen('127.0.0.1', () => (_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"1"}');
  });
}

/** A webhook that takes the first lead and says nothing; later ones it answers. */
export function startSilentWebhook(): Promise<Running & { received: () => number }> {
  let received = 0;
  const running = listen('127.0.0.1', () => (request, response) => {
    received += 1;
    if (received === 1) request.socket.destroy();
    else response.setHeader('content-type', 'application/json').end('{"id":"1"}');
  });
  return running.then((started) => ({ ...started, received: () => received }));
}

export const client = { id: 'baton', secret: 'a secret of this client' };

/** A certified OpenID provider. Whoever signs in has the address that is typed; `unverified…` is not vouched for. */
export function startIdentityProvider(redirectUrl: string): Promise<Running> {
  return listen('127.0.0.1', (issuer) => provider(issuer, redirectUrl, 'client_secret_basic').callback());
}

/** The same as plain OAuth 2.0: nothing is told of itself, so its endpoints must be entered by hand, and who the person is says user-info alone. */
export function startPlainProvider(redirectUrl: string): Promise<Running & { asked: string[] }> {
  const asked: string[] = [];
  const running = listen('127.0.0.1', (issuer) => {
    const handle = provider(issuer, redirectUrl, 'client_secret_post').callback();
    return (request, response) => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      asked.push(path);
      if (path.startsWith('/.well-known/') || path === '/jwks') {
        response.writeHead(404).end();
        return;
      }
      handle(request, response);
    };
  });
  return running.then((started) => ({ ...started, asked }));
}

function provider(issuer: string, redirectUrl: string, authentication: string): Provider {
  return new Provider(issuer, {
    clients: [{ client_id: client.id, client_secret: client.secret, token_endpoint_auth_method: authentication, redirect_uris: [redirectUrl], response_types: ['code'], grant_types: ['authorization_code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    cookies: { keys: ['keys of this test'] },
    findAccount: (_context: unknown, accountId: string) => ({
      accountId,
      claims: () => ({ sub: accountId, email: accountId, email_verified: !accountId.startsWith('unverified'), name: 'Grace Hopper' }),
    }),
  });
}
