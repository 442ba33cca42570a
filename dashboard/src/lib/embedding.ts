/** Below `/r/{link}` the dashboard is a page inside another site's frame. */

// Unit tests have no window.
const match = /^\/r\/([^/?#]+)/.exec(typeof window === 'undefined' ? '' : window.location.pathname);

/** The link whose frame this is; null in a window of its own. */
export const frameLink: string | null = match?.[1] ?? null;

/** What stands before each path of the router. */
export const basename = frameLink === null ? '/' : `/r/${frameLink}`;

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export interface Handshake {
  /** Stays in the frame. */
  verifier: string;
  /** Its SHA-256, which the window of the sign-in gets. */
  challenge: string;
}

/** What ties a sign-in in a window of its own to this frame. */
export async function newHandshake(): Promise<Handshake> {
  const verifier = base64Url(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  return { verifier, challenge: base64Url(new Uint8Array(digest)) };
}

/** The message with which the window hands its code to the frame that opened it. */
export const codeMessage = 'baton.frame-code';

/** The code in a message of our own window, or null. */
export function codeOf(event: MessageEvent<unknown>, origin: string): string | null {
  const data = event.data as { type?: unknown; code?: unknown } | null;
  if (event.origin !== origin || data?.type !== codeMessage || typeof data.code !== 'string') return null;
  return data.code;
}
