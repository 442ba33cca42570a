// The contract over the data of data.mjs, as far as the pages use it.

import {
  deliveries, destinations, failedRecords, id, imports, leads, makeFailed, makeImport, makeLead, missingContact, now, page, random, rawRow, sources, users,
} from './data.mjs';

const byId = (list) => ({ id: wanted }) => list.find((entry) => entry.id === wanted) ?? null;
const within = (values, value) => !values?.length || values.includes(value);

function matches(lead, text) {
  const digits = text.replaceAll(/\D/g, '');
  const needle = text.toLowerCase();
  return `${lead.firstName ?? ''} ${lead.lastName ?? ''}`.toLowerCase().includes(needle) || (lead.email ?? '').startsWith(needle) || (digits.length > 2 && (lead.phone ?? '').includes(digits));
}

function filterLeads({ sourceIds, states, statuses, importId, receivedFrom, receivedBefore, warned, search } = {}) {
  return leads.filter((lead) => within(sourceIds, lead.source.id) && within(states, lead.state) && within(statuses, lead.status)
    && (!importId || lead.import?.id === importId) && (!receivedFrom || lead.receivedAt >= receivedFrom) && (!receivedBefore || lead.receivedAt < receivedBefore)
    && (warned == null || lead.warnings.length > 0 === warned) && (!search || matches(lead, search)));
}

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null;
}

function statistics({ since, until, destination }) {
  const from = Date.parse(since);
  const to = until ? Date.parse(until) : now;
  const chosen = deliveries.filter((delivery) => (!destination || delivery.destination.id === destination) && Date.parse(delivery.createdAt) >= from);
  const attempts = chosen.flatMap((delivery) => delivery.attempts);
  const step = (to - from) / 24;
  const statuses = new Map();
  for (const { httpStatus, errorKind } of attempts) {
    const key = `${httpStatus}|${errorKind}`;
    statuses.set(key, { httpStatus, errorKind, count: (statuses.get(key)?.count ?? 0) + 1 });
  }
  return {
    total: chosen.length,
    byState: ['PENDING', 'SENDING', 'DELIVERED', 'FAILED', 'HELD'].map((state) => ({ state, count: chosen.filter((delivery) => delivery.state === state).length })),
    byHttpStatus: [...statuses.values()].sort((a, b) => b.count - a.count),
    series: Array.from({ length: 24 }, (_, index) => {
      const inside = attempts.filter(({ startedAt }) => Math.floor((Date.parse(startedAt) - from) / step) === index);
      const durations = inside.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
      const delivered = inside.filter(({ outcome }) => outcome === 'DELIVERED').length;
      return { at: new Date(from + index * step).toISOString(), attempts: inside.length, delivered, failed: inside.length - delivered, p50Ms: quantile(durations, 0.5), p95Ms: quantile(durations, 0.95) };
    }),
  };
}

function refused(code, message, field = null) {
  return { error: { field, code, message } };
}

function retry(delivery) {
  delivery.attempts.push({ id: id('attempt'), number: delivery.attempts.length + 1, startedAt: new Date().toISOString(), durationMs: 112.4, outcome: 'DELIVERED', httpStatus: 200, errorKind: null, responseHeaders: { 'content-type': 'application/json' }, responseBody: '{"status":"received"}' });
  Object.assign(delivery, { state: 'PENDING', reason: null });
  setTimeout(() => Object.assign(delivery, { state: 'DELIVERED', finishedAt: new Date().toISOString() }), 1500);
  delivery.lead.events.push({ id: id('event'), kind: 'RETRIED', at: new Date().toISOString(), summary: `Sent again to ${delivery.destination.name}`, data: null, actor: 'demo@acme.example' });
}

/** Plays an upload: progress four times a second, one refused record, then the end. */
export function receive(slug, fileName, bytes) {
  const of = sources.find((entry) => entry.slug === slug);
  if (!of) return null;
  const made = makeImport(of, fileName, bytes, 'RUNNING', Date.now());
  let step = 0;
  const timer = setInterval(() => {
    step += 1;
    if (made.state !== 'RUNNING') { clearInterval(timer); return; }
    Object.assign(made, { bytesRead: Math.round((bytes * step) / 12), records: Math.round((28 * step) / 12), accepted: Math.round((18 * step) / 12), warned: Math.round(step / 3), rejected: step > 6 ? 1 : 0, duplicates: step > 4 ? 3 : 0, recordsPerSecond: 9.3 });
    if (step < 12) return;
    clearInterval(timer);
    makeFailed(of, made, 7, missingContact, rawRow(['GINA', 'LOPEZ', '100', 'DENVER', 'CO', '80202', '0000000000', '1111111111', '712']));
    for (let n = 0; n < 6; n += 1) makeLead(of, made, Date.now() - n, n + 1);
    Object.assign(made, { state: 'DONE', finishedAt: new Date().toISOString(), bytesRead: bytes, records: 28, accepted: 18, warned: 4, duplicates: 4, rejected: 1, skipped: 1 });
  }, 250);
  return made;
}

const query = {
  viewer: (_args, { viewer }) => viewer,
  leads: ({ filter, ...args }) => page(filterLeads(filter), args),
  lead: byId(leads), source: byId(sources), import: byId(imports), failedRecord: byId(failedRecords), destination: byId(destinations), delivery: byId(deliveries),
  sources: () => sources, destinations: () => destinations,
  imports: ({ filter, ...args }) => page(imports.filter((entry) => within(filter?.sourceIds, entry.source.id) && within(filter?.states, entry.state)), args),
  failedRecords: ({ filter, ...args }) => page(failedRecords.filter((entry) => (!filter?.importId || entry.import?.id === filter.importId) && within(filter?.sourceIds, entry.source.id) && within(filter?.states, entry.state) && (!filter?.code || entry.reasons.some(({ code }) => code === filter.code))), args),
  deliveries: ({ filter, ...args }) => page(deliveries.filter((entry) => within(filter?.destinationIds, entry.destination.id) && within(filter?.states, entry.state) && (!filter?.httpStatus || entry.attempts.at(-1)?.httpStatus === filter.httpStatus) && (!filter?.leadId || entry.lead.id === filter.leadId)), args),
  deliveryStatistics: statistics,
  destinationDryRun: () => ({ verdict: 'SEND', code: null, reason: null, lookups: [], request: { method: 'POST', url: 'https://app.getbonzo.com/…9f3c', headers: [{ name: 'content-type', value: 'application/json' }], body: '{"first_name":"Kara","phone":"9705550101"}' } }),
};

const mutation = {
  signIn: ({ input }, context) => {
    const viewer = input.tenant === 'acme' && input.password === 'correct horse' ? users[input.email] : undefined;
    if (!viewer) return refused('BAD_USER_INPUT', 'The tenant, the e-mail address or the password is wrong.');
    context.setSession(viewer);
    return { viewer, accessToken: null, expiresAt: null, csrfToken: 'csrf-mock', error: null };
  },
  signOut: (_args, context) => { context.setSession(null); return { ok: true }; },
  createSource: ({ input }) => {
    if (!/^[a-z0-9-]+$/.test(input.slug)) return refused('BAD_USER_INPUT', 'A short name has lower-case letters, digits and dashes only.', 'slug');
    if (sources.some(({ slug }) => slug === input.slug)) return refused('CONFLICT', 'There is already a source with this short name.', 'slug');
    if (input.kind === 'GENERIC' && !input.mapping?.fields) return refused('BAD_USER_INPUT', 'mapping.fields is missing: list at least one target field with the columns that feed it.', 'mapping');
    const made = { id: id('source'), enabled: true, createdAt: new Date().toISOString(), leadCount: 0, ...input, name: input.name ?? input.slug, mapping: input.mapping ?? {} };
    sources.push(made);
    return { source: made, token: `bsk_${Math.floor(random() * 1e12).toString(36)}9Qm4Zt7Lx2Va8Rk1`, error: null };
  },
  updateSource: ({ input }) => {
    if (input.mapping && !input.mapping.fields) return refused('BAD_USER_INPUT', 'mapping.fields is missing: list at least one target field with the columns that feed it.', 'mapping');
    const { mapping, ...changes } = input;
    return { source: Object.assign(byId(sources)(input), changes, mapping ? { mapping } : {}), error: null };
  },
  createSourceToken: () => ({ token: `bsk_${Math.floor(random() * 1e12).toString(36)}9Qm4Zt7Lx2Va8Rk1`, error: null }),
  createDestination: ({ input }) => {
    if (!input.url.startsWith('https://')) return refused('BAD_USER_INPUT', 'The address must begin with https://.', 'url');
    const made = { id: id('destination'), enabled: true, urlMasked: `${new URL(input.url).origin}/…`, createdAt: new Date().toISOString(), pending: 0, delivered: 0, failed: 0, held: 0, unknown: 0, rejected: 0, breaker: 'CLOSED', settings: {}, kindProfile: {}, credentialNames: [], ...input, name: input.name ?? input.slug };
    destinations.push(made);
    return { destination: made, signingSecret: input.kind === 'WEBHOOK' ? 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' : null, error: null };
  },
  updateDestination: ({ input: { url, clearFirstNameFallback, ...input } }) => {
    if (url && !url.startsWith('https://')) return refused('BAD_USER_INPUT', 'The address must begin with https://.', 'url');
    return { destination: Object.assign(byId(destinations)(input), input, clearFirstNameFallback ? { firstNameFallback: null } : {}), error: null };
  },
  holdDestination: (args) => ({ destination: Object.assign(byId(destinations)(args), { breaker: 'HELD', breakerReason: 'held by hand', breakerSince: new Date().toISOString() }), error: null }),
  resumeDestination: (args) => ({ destination: Object.assign(byId(destinations)(args), { breaker: 'CLOSED', breakerReason: null, breakerSince: null }), released: 3, error: null }),
  rotateSigningSecret: (args) => ({ destination: byId(destinations)(args), signingSecret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', error: null }),
  confirmDelivery: (args) => ({ delivery: Object.assign(byId(deliveries)(args), { state: 'DELIVERED', reason: null }), error: null }),
  retryDeliveries: ({ ids }) => { ids.forEach((one) => retry(byId(deliveries)({ id: one }))); return { retried: ids.length, left: 0 }; },
  correctFailedRecord: ({ input }) => {
    const record = byId(failedRecords)(input);
    record.values = input.values;
    const phone = input.values.find(({ column, value }) => /phone/i.test(column) && /^\D*1?\D*[2-9]\d{2}\D*[2-9]\d{2}\D*\d{4}\D*$/.test(value));
    if (!phone) return { outcome: 'REJECT', lead: null, failedRecord: record, reasons: missingContact, error: null };
    const lead = makeLead(record.source, record.import, Date.now(), record.record);
    Object.assign(record, { state: 'CORRECTED', resolvedAt: new Date().toISOString(), lead });
    if (record.import) { record.import.rejected -= 1; record.import.accepted += 1; }
    return { outcome: 'ACCEPT', lead, failedRecord: record, reasons: [], error: null };
  },
  dismissFailedRecord: (args) => ({ failedRecord: Object.assign(byId(failedRecords)(args), { state: 'DISMISSED', resolvedAt: new Date().toISOString() }), error: null }),
  cancelImport: (args) => ({ import: Object.assign(byId(imports)(args), { state: 'CANCELLED', finishedAt: new Date().toISOString() }), error: null }),
  retryDelivery: (args) => { const delivery = byId(deliveries)(args); retry(delivery); return { delivery, error: null }; },
  retryAllFailed: ({ destination }) => {
    const chosen = deliveries.filter((delivery) => ['FAILED', 'HELD'].includes(delivery.state) && (!destination || delivery.destination.id === destination));
    chosen.forEach(retry);
    return { retried: chosen.length };
  },
};

const subscription = {
  async *importProgress(args) {
    for (;;) {
      const found = byId(imports)(args);
      yield { importProgress: found };
      if (!found || !['RUNNING', 'RECEIVED'].includes(found.state)) return;
      await new Promise((resolve) => { setTimeout(resolve, 250); });
    }
  },
};

export const resolvers = { ...query, ...mutation, ...subscription };
