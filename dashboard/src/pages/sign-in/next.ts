/** Where to go after signing in: a path of this dashboard and never another site. */
export function safeNext(next: string | null): string {
  if (!next?.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/leads';
  return next;
}
