// Believable synthetic data for looking at the pages without a backend. Phones are from the
// fictional range NXX-555-01xx, e-mail addresses are at example.com.

let seed = 20261120;
export function random() {
  seed = (seed * 1664525 + 1013904223) % 4294967296;
  return seed / 4294967296;
}
const pick = (list) => list[Math.floor(random() * list.length)];
const iso = (milliseconds) => new Date(milliseconds).toISOString();
let counter = 0;
export function id(kind) {
  counter += 1;
  return `${kind}_01kahq${String(counter).padStart(6, '0')}${Math.floor(random() * 1e9).toString(32).padStart(6, '0')}7m2xw9`.slice(0, kind.length + 27);
}

export const now = Date.now();
const minute = 60_000;
const hour = 60 * minute;

export const tenant = { id: id('tenant'), slug: 'acme', name: 'Acme Lending', timeZone: 'America/Denver' };
const agentRights = ['own', 'leads:read', 'leads:write', 'imports:read', 'deliveries:read', 'deliveries:retry', 'sources:read', 'destinations:read'];

export const users = {
  'demo@acme.example': { id: id('user'), email: 'demo@acme.example', name: 'Dana Whitfield', role: 'ADMIN', rights: [...agentRights, 'imports:write', 'deliveries:write', 'sources:write', 'destinations:write'], tenant },
  'member@acme.example': { id: id('user'), email: 'member@acme.example', name: 'Sam Okafor', role: 'AGENT', rights: agentRights, tenant },
};

const mapping = {
  fields: [
    { target: 'first_name', from: ['First Name', 'fname'], transforms: ['trim', 'recase'] },
    { target: 'phone', from: ['Phone', 'Mobile'], transforms: ['phone'] },
    { target: 'credit_score', from: ['FICO'], transforms: ['integer'] },
  ],
};
const source = (slug, name, kind, enabled = true) => ({
  id: id('source'), slug, name, kind, enabled, mapping, createdAt: iso(now - 40 * 24 * hour), get leadCount() { return leads.filter((lead) => lead.source.slug === slug).length; },
});
export const sources = [
  source('experian', 'Experian triggers', 'EXPERIAN'),
  source('transunion', 'TransUnion triggers', 'TRANSUNION'),
  source('leadsource', 'LeadSource refi', 'LEADSOURCE'),
  source('npa', 'NPA conversations', 'NPA'),
  source('county-fair', 'County fair sheet', 'GENERIC', false),
];

const destination = (slug, name, kind, urlMasked, firstNameFallback) => ({
  id: id('destination'), slug, name, kind, enabled: true, urlMasked, firstNameFallback, createdAt: iso(now - 38 * 24 * hour),
  breaker: 'CLOSED', breakerReason: null, breakerSince: null, probeAt: null, settings: {}, kindProfile: { unknown: 'resend' }, credentialNames: [], olderSecretSignsUntil: null, unknown: 0, rejected: 0,
  count(state) { return deliveries.filter((delivery) => delivery.destination === this && delivery.state === state).length; },
  get pending() { return this.count('PENDING') + this.count('SENDING'); },
  get delivered() { return this.count('DELIVERED'); },
  get failed() { return this.count('FAILED'); },
  get held() { return this.count('HELD'); },
});
export const destinations = [
  destination('bonzo', 'Bonzo', 'BONZO', 'https://app.getbonzo.com/api/webhook/9f3c…', null),
  destination('warehouse', 'Data warehouse', 'WEBHOOK', 'https://hooks.acme.example/…', 'Friend'),
];

export const leads = [];
export const deliveries = [];
export const imports = [];
export const failedRecords = [];

const first = ['Alma', 'Benito', 'Carla', 'Dev', 'Eleanor', 'Farid', 'Grace', 'Hiro', 'Imani', 'José', 'Keiko', 'Liam', 'Mei', 'Noor', 'Oscar', 'Priya', 'Quinn', 'Rosa', 'Seán', 'Tova'];
const last = ['Reyes', 'Silva', 'Nuñez', 'Patel', 'McDonald', "O'Brien", 'Cho', 'Dunn', 'Okafor', 'van der Berg', 'Whitfield', 'Garcia-Lopez', 'Kim', 'Novak', 'Haddad'];
const cities = [['Denver', 'CO', '80202', '303'], ['Aurora', 'CO', '80010', '720'], ['Austin', 'TX', '78701', '512'], ['Phoenix', 'AZ', '85004', '602'], ['Salt Lake City', 'UT', '84101', '801'], ['Boise', 'ID', '83702', '208']];

export function makeImport(of, fileName, fileBytes, state, at, counts = {}) {
  const made = {
    id: id('import'), source: of, fileName, fileBytes, state, error: null, encoding: 'windows-1252', format: 'CSV, comma, 17 columns', createdAt: iso(at),
    finishedAt: ['DONE', 'FAILED', 'CANCELLED'].includes(state) ? iso(at + 42_000) : null, bytesRead: state === 'DONE' ? fileBytes : 0,
    records: 0, accepted: 0, warned: 0, updated: 0, duplicates: 0, rejected: 0, skipped: 0, recordsPerSecond: null, ...counts,
    failedRecords(args) { return page(failedRecords.filter((record) => record.import === made), args); },
  };
  imports.unshift(made);
  return made;
}

export function makeFailed(of, origin, record, reasons, values, state = 'OPEN') {
  const made = {
    id: id('failed'), source: of, import: origin, record, line: record + 1, values, reasons, state,
    raw: values ? values.map(({ value }) => value).join(',') : '{"first_name": "Kara", "last_name": ',
    createdAt: origin?.createdAt ?? iso(now - 3 * hour), resolvedAt: state === 'OPEN' ? null : iso(now - hour), lead: null,
  };
  failedRecords.push(made);
  return made;
}

function attempt(number, at, outcome, httpStatus, extra = {}) {
  return {
    id: id('attempt'), number, startedAt: iso(at), durationMs: Math.round((60 + random() * 240) * 100) / 100, outcome, httpStatus, errorKind: null,
    responseHeaders: httpStatus ? { 'content-type': 'application/json', 'x-request-id': `req-${Math.floor(random() * 1e8)}`, ...(httpStatus === 429 ? { 'retry-after': '60' } : {}) } : null,
    responseBody: httpStatus === 422 ? '{"errors":{"first_name":["The first name field is required."]}}' : httpStatus === 500 ? '<html><body>Server Error</body></html>' : httpStatus ? '{"status":"received"}' : null, ...extra,
  };
}

function makeDelivery(lead, to, at) {
  const roll = random();
  const made = { id: id('delivery'), lead, destination: to, state: 'DELIVERED', reason: null, createdAt: iso(at), finishedAt: iso(at + 900), nextAttemptAt: null, remoteId: `p_${Math.floor(random() * 1e6)}`, attempts: [], get attemptCount() { return made.attempts.length; } };
  if (!lead.firstName && to.kind === 'BONZO') Object.assign(made, { state: 'HELD', reason: 'Bonzo needs a first name and this lead has none. Correct the lead, or set a fallback on the destination.', finishedAt: null, remoteId: null });
  else if (roll < 0.05) { made.attempts.push(attempt(1, at + 400, 'REFUSED', 422)); Object.assign(made, { state: 'FAILED', reason: 'Refused with 422: The first name field is required.', remoteId: null }); }
  else if (roll < 0.08) {
    for (let n = 0; n < 5; n += 1) made.attempts.push(attempt(n + 1, at + 400 + n * n * 8 * minute, n === 3 ? 'UNKNOWN' : 'RETRYABLE', n === 3 ? null : 500, n === 3 ? { errorKind: 'timeout', durationMs: 10_000 } : {}));
    Object.assign(made, { state: 'FAILED', reason: 'Five attempts were used up; the last answer was 500.', remoteId: null });
  } else if (roll < 0.12) { made.attempts.push(attempt(1, at + 300, 'RETRYABLE', 429)); Object.assign(made, { state: 'PENDING', finishedAt: null, nextAttemptAt: iso(now + 2 * minute), remoteId: null }); }
  else if (roll < 0.2) { made.attempts.push(attempt(1, at + 300, 'RETRYABLE', 500), attempt(2, at + 30_000, 'DELIVERED', 200)); }
  else made.attempts.push(attempt(1, at + 300, 'DELIVERED', 200));
  lead.deliveries.push(made);
  deliveries.unshift(made);
}

function statusOf(lead) {
  const states = lead.deliveries.map((delivery) => delivery.state);
  if (states.length === 0) return 'ACCEPTED';
  for (const [state, status] of [['FAILED', 'FAILED'], ['HELD', 'HELD'], ['PENDING', 'PENDING'], ['SENDING', 'PENDING']]) if (states.includes(state)) return status;
  return 'DELIVERED';
}

export function makeLead(of, origin, at, record) {
  const [city, state, zip, area] = pick(cities);
  const firstName = random() < 0.06 ? null : pick(first);
  const lastName = pick(last);
  const number = String(100 + (leads.length % 100)).padStart(4, '0');
  const phone = random() < 0.06 ? null : `${area}555${number}`;
  const email = phone && of.kind === 'EXPERIAN' ? null : `${(firstName ?? 'x').toLowerCase().normalize('NFD').replaceAll(/[^a-z]/g, '')}.${lastName.toLowerCase().normalize('NFD').replaceAll(/[^a-z]/g, '')}@example.com`;
  const warned = random() < 0.16;
  const made = {
    id: id('lead'), externalId: of.kind === 'LEADSOURCE' ? `LS-${1000 + leads.length}` : null, leadType: pick(['Refi', 'RDVVQ', null]), channel: 'file', firstName, lastName,
    phone, phoneE164: phone && `+1${phone}`, phoneExtension: random() < 0.05 ? '12' : null, alternatePhones: random() < 0.2 ? [`${area}5550199`] : [], email, alternateEmails: [],
    address: `${100 + Math.floor(random() * 900)} ${pick(['Main St', 'Oak Ave', 'Bluff Rd', 'N Sycamore Blvd Apt 4'])}`, city, state, zip, zip4: random() < 0.3 ? '1234' : null,
    details: { credit_score: 620 + Math.floor(random() * 180), mortgage_balance: `${180 + Math.floor(random() * 300)}000.00`, mortgage_rate: '4.25', mortgage_payment: '1900.00', mortgage_open_date: '2019-03-15', ...(of.kind === 'LEADSOURCE' ? { property_value: '412000.00', cash_out: true, cash_out_amount: '35000.00', loan_type: 'Conventional', ltv: '68.5', va_eligible: false } : {}), ...(of.kind === 'TRANSUNION' ? { trigger_date: '2026-11-02' } : {}) },
    extra: warned ? { FICO_V30A_PSCRN_SCORE_VALUE: '9002', 'Middle Name': 'Q' } : { 'Middle Name': '' },
    warnings: warned ? [{ field: 'credit_score', code: 'OUT_OF_RANGE', message: 'A credit score is between 300 and 850; 9001 to 9003 are exclusion codes.', value: '9002' }] : [],
    receivedAt: iso(at), source: of, import: origin, record, events: [], deliveries: [], get status() { return statusOf(made); },
  };
  if (warned) delete made.details.credit_score;
  made.events.push({ id: id('event'), kind: 'RECEIVED', at: iso(at), summary: origin ? `Record ${record} of ${origin.fileName}` : 'Sent by the source', data: null, actor: null });
  for (const to of destinations) if (to.kind === 'BONZO' || random() < 0.3) makeDelivery(made, to, at);
  for (const delivery of made.deliveries) {
    const kind = { DELIVERED: 'DELIVERED', FAILED: delivery.attempts.length > 1 ? 'EXHAUSTED' : 'REFUSED', HELD: 'HELD' }[delivery.state];
    if (kind) made.events.push({ id: id('event'), kind, at: delivery.finishedAt ?? delivery.createdAt, summary: delivery.state === 'DELIVERED' ? `${delivery.destination.name} has the lead` : delivery.reason, data: { destination: delivery.destination.slug, attempts: delivery.attempts.length }, actor: null });
  }
  leads.unshift(made);
  return made;
}

export const columns = ['First Name', 'Surname', 'Primary Street ID (House number)', 'City', 'State', 'Zip Code', 'Telephone # 1', 'Telephone # 2', 'FICO_V30A_PSCRN_SCORE_VALUE'];
export const rawRow = (values) => columns.map((column, index) => ({ column, value: values[index] ?? '' }));
export const missingContact = [{ field: 'phone', code: 'MISSING_CONTACT', message: 'No valid phone and no valid e-mail address. Give at least one of them.', value: '0000000000', columns: ['Telephone # 1', 'Telephone # 2'] }];

/** One page of a list, newest first as it stands; a cursor is an index. */
export function page(list, { first: size = 25, after, last: back, before }) {
  const end = before !== undefined && before !== null ? Number(before) : list.length;
  const start = after !== undefined && after !== null ? Number(after) + 1 : back ? Math.max(0, end - back) : 0;
  const nodes = list.slice(start, back ? end : start + size);
  return {
    edges: nodes.map((node, index) => ({ cursor: String(start + index), node })), nodes, totalCount: list.length, totalIsExact: true,
    pageInfo: { hasNextPage: start + nodes.length < list.length, hasPreviousPage: start > 0, startCursor: nodes.length ? String(start) : null, endCursor: nodes.length ? String(start + nodes.length - 1) : null },
  };
}

const done = { records: 28, accepted: 18, warned: 4, duplicates: 1, rejected: 4, skipped: 1, recordsPerSecond: 81_250 };
const old = makeImport(sources[1], 'transunion_2026-11-17.csv', 2958, 'DONE', now - 70 * hour, { ...done, accepted: 14, warned: 8, duplicates: 2, skipped: 0 });
const big = makeImport(sources[0], 'experian_backfill_october.csv', 148_330_112, 'DONE', now - 27 * hour, { records: 1_000_000, accepted: 871_204, warned: 64_310, updated: 0, duplicates: 41_877, rejected: 22_401, skipped: 208, recordsPerSecond: 52_840 });
const wrong = makeImport(sources[2], 'Quarterly report FINAL (2).xlsx', 48_221, 'FAILED', now - 25 * hour, { error: 'The file is a spreadsheet, not CSV or JSON. Save it as CSV (UTF-8) and upload it again.', encoding: null, format: null });
makeImport(sources[2], 'leadsource_2026-11-19.json', 18_673, 'CANCELLED', now - 20 * hour, { records: 12, accepted: 10, rejected: 2, bytesRead: 9000, encoding: 'UTF-8', format: 'JSON array' });
const experian = makeImport(sources[0], 'experian.csv', 2522, 'DONE', now - 3 * hour, done);
for (let n = 0; n < 160; n += 1) {
  const of = sources[n % 3 === 0 ? 1 : n % 3 === 1 ? 0 : 2];
  const origin = n < 60 ? old : n < 130 ? big : experian;
  makeLead(of, of.kind === 'LEADSOURCE' ? null : origin, now - (165 - n) * 26 * minute, (n % 28) + 1);
}
makeFailed(sources[0], experian, 6, [{ ...missingContact[0], value: null }], rawRow(['FRANK', 'OSEI', '100', 'DENVER', 'CO', '80202', '', '', '698']));
makeFailed(sources[0], experian, 7, missingContact, rawRow(['GINA', 'LOPEZ', '100', 'DENVER', 'CO', '80202', '0000000000', '1111111111', '712']));
makeFailed(sources[0], experian, 12, [{ ...missingContact[0], value: '+44 20 7946 0958' }, { field: 'zip', code: 'UNREADABLE', message: 'A ZIP code has five digits.', value: '8O202' }], rawRow(['LIV', 'HART', '100', 'DENVER', 'CO', '8O202', '+44 20 7946 0958', '', '712']));
makeFailed(sources[0], experian, 21, missingContact, rawRow(['=HYPERLINK("http://x.example")', 'BAD', '100', 'DENVER', 'CO', '80202', '0000000000', '', '712']), 'DISMISSED');
makeFailed(sources[2], null, 1, [{ field: 'record', code: 'MALFORMED_ROW', message: 'The element is not an object. Send one JSON object for each lead.', value: null }], null);
for (let n = 0; n < 40; n += 1) makeFailed(sources[0], big, 40 + n * 311, missingContact, rawRow([pick(first).toUpperCase(), pick(last).toUpperCase(), '12', 'AURORA', 'CO', '80010', '0000000000', '', '701']));
export const unreadable = wrong;
