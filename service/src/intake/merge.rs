//! A batch of clean leads meets what is stored: new lead, revision, duplicate.
//!
//! One path for a file's batch and for a single lead. The batch is copied to a temporary stage
//! (COPY is refused on a table with row-level security), then one statement inserts the leads that
//! are first of their identity, phone and e-mail, and skips those whose key is taken; the unique
//! indexes decide, so the same lead from a hundred requests at once is one lead. Whoever was not
//! inserted is looked up by identity, phone, e-mail – in this order – and becomes a revision or a
//! duplicate of what is found. A record that finds nothing followed a leader that was itself a
//! duplicate: it takes part in another round.
//!
//! What a row already says is not stored again: a repeat with the same fingerprint leaves no trace,
//! so importing a file twice changes nothing.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::ids::{ImportId, LeadId, SourceId, TenantId};
use domain::intake::{ContactIdentity, Identity, write_details_json, write_extra_json, write_warnings_json};
use domain::lead::{Issue, Lead};
use sqlx::{PgConnection, Row};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::copy::CopyRows;
use super::revise::{self, Found};
use crate::error::Error;
use crate::runtime::Ids;
use crate::suppression;

/// Where a batch comes from: the same for all of its records.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The tenant, whose transaction the merge runs in.
    pub tenant: TenantId,
    /// The source.
    pub source: SourceId,
    /// The file, if there is one.
    pub import: Option<ImportId>,
    /// What makes two records one lead, beside the source's own id.
    pub identity: Identity,
    /// The channel of records that name none: `file`, `api`, `web`.
    pub channel: &'static str,
    /// Who sent or corrected it, when that is known.
    pub actor: Option<String>,
    /// When it was received.
    pub now: DateTime<Utc>,
}

/// A clean record on its way into the store.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number in the file, from 1.
    pub record: i32,
    /// The lead.
    pub lead: Lead,
    /// What was wrong but did not refuse it.
    pub warnings: Vec<Issue>,
    /// Hash of all normalised content.
    pub fingerprint: u128,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new lead; its deliveries are pending.
    Accepted,
    /// A new lead with warnings.
    Warned,
    /// A new revision of a lead that was there.
    Updated,
    /// No new lead, nothing to deliver.
    Duplicate,
}

impl Outcome {
    /// As the outcome tables name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accept",
            Self::Warned => "warn",
            Self::Updated => "update",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A candidate's outcome, with the lead that it made or met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its number in the file, from 1.
    pub record: i32,
    /// What became of it.
    pub outcome: Outcome,
    /// The lead.
    pub lead: LeadId,
}

const STAGE: &str = "CREATE TEMP TABLE IF NOT EXISTS lead_stage (
    ordinal integer, leader boolean, id uuid, delivery_ids uuid[], record integer,
    identity uuid, fingerprint uuid, phone_scope uuid, email_scope uuid, external_id text, lead_type text, channel text,
    first_name text, last_name text, phone text, phone_ext text, alt_phones text[], email text, alt_emails text[],
    address text, city text, state text, zip text, zip4 text, details jsonb, extra jsonb, warnings jsonb
) ON COMMIT DELETE ROWS";
const STAGE_COLUMNS: i16 = 27;

/// In the order of phone and e-mail: two batches with several leads in common then meet at the first of them, and one waits for
/// the other's commit. In the order of the file each would soon hold a key that the other waits for, and the deadlock would
/// cost a second and one of the batches.
const INSERT_LEADERS: &str = "INSERT INTO lead (tenant_id, source_id, import_id, received_at,
        id, record, identity, fingerprint, phone_scope, email_scope, external_id, lead_type, channel,
        first_name, last_name, phone, phone_ext, alt_phones, email, alt_emails,
        address, city, state, zip, zip4, details, extra, warnings)
    SELECT $1, $2, $3, $4,
        id, record, identity, fingerprint, phone_scope, email_scope, external_id, lead_type, channel,
        first_name, last_name, phone, phone_ext, alt_phones, email, alt_emails,
        address, city, state, zip, zip4, details, extra, warnings
    FROM pg_temp.lead_stage WHERE leader
    ORDER BY phone COLLATE \"C\", email COLLATE \"C\", identity
    ON CONFLICT DO NOTHING
    RETURNING id";

const INSERT_DELIVERIES: &str = "INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, due_at)
    SELECT $1, s.delivery_ids[d.place], s.id, d.id, 'pending', $2
    FROM pg_temp.lead_stage s, unnest($3::uuid[]) WITH ORDINALITY AS d(id, place)
    WHERE s.leader AND NOT s.ordinal = ANY($4)";

const LOOK_UP: &str = "SELECT s.ordinal, hit.by, hit.id, hit.fingerprint
    FROM pg_temp.lead_stage s
    CROSS JOIN LATERAL (
        SELECT 0 AS by, l.id, l.fingerprint FROM lead l WHERE l.tenant_id = $1 AND l.identity = s.identity
        UNION ALL
        SELECT 1, l.id, l.fingerprint FROM lead l
            WHERE l.tenant_id = $1 AND l.phone = s.phone AND l.phone_scope = s.phone_scope
        UNION ALL
        SELECT 2, l.id, l.fingerprint FROM lead l
            WHERE l.tenant_id = $1 AND l.email = s.email AND l.email_scope = s.email_scope
        ORDER BY 1 LIMIT 1
    ) hit
    WHERE s.ordinal = ANY($2)
    ORDER BY s.ordinal";

/// Merges a batch inside the tenant's transaction; the caller commits. Outcomes come in the order of the records.
pub async fn merge(
    connection: &mut PgConnection,
    origin: &Origin,
    candidates: &[Candidate],
    ids: &Ids,
    rows: &mut CopyRows,
) -> Result<Vec<Resolved>, Error> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(STAGE).execute(&mut *connection).await?;
    let (destinations, suppressing): (Vec<Uuid>, bool) = sqlx::query_as(
        "SELECT ARRAY(SELECT id FROM destination WHERE tenant_id = $1 AND enabled ORDER BY id),
                EXISTS (SELECT FROM suppression WHERE tenant_id = $1)",
    )
    .bind(origin.tenant.uuid())
    .fetch_one(&mut *connection)
    .await?;
    let mut resolved = Vec::with_capacity(candidates.len());
    let mut waiting: Vec<&Candidate> = candidates.iter().collect();
    let mut first_round = true;
    while !waiting.is_empty() {
        if !first_round {
            sqlx::query("DELETE FROM pg_temp.lead_stage").execute(&mut *connection).await?;
        }
        first_round = false;
        let before = waiting.len();
        waiting = round(connection, origin, &destinations, waiting, ids, rows, &mut resolved).await?;
        if waiting.len() == before {
            // A key was taken and yet nothing has it: the row that took it is gone again.
            return Err(Error::contended());
        }
    }
    if suppressing {
        let new = resolved.iter().filter(|one| matches!(one.outcome, Outcome::Accepted | Outcome::Warned));
        let new: Vec<Uuid> = new.map(|one| one.lead.uuid()).collect();
        suppression::hold(connection, origin.tenant, &new, ids, origin.now).await?;
    }
    resolved.sort_unstable_by_key(|one| one.record);
    Ok(resolved)
}

/// Merges one record inside the tenant's transaction; the caller commits.
pub async fn merge_one(
    connection: &mut PgConnection,
    origin: &Origin,
    candidate: Candidate,
    ids: &Ids,
) -> Result<Resolved, Error> {
    let resolved = merge(connection, origin, &[candidate], ids, &mut CopyRows::default()).await?;
    resolved.into_iter().next().ok_or_else(Error::contended)
}

/// One round: stages, inserts the leaders, resolves who finds a stored lead, answers the rest.
async fn round<'a>(
    connection: &mut PgConnection,
    origin: &Origin,
    destinations: &[Uuid],
    candidates: Vec<&'a Candidate>,
    ids: &Ids,
    rows: &mut CopyRows,
    resolved: &mut Vec<Resolved>,
) -> Result<Vec<&'a Candidate>, Error> {
    let staged = stage(connection, origin, destinations.len(), &candidates, ids, rows).await?;
    let inserted: HashSet<Uuid> = sqlx::query_scalar(INSERT_LEADERS)
        .bind(origin.tenant.uuid())
        .bind(origin.source.uuid())
        .bind(origin.import.map(ImportId::uuid))
        .bind(origin.now)
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .collect();
    let mut rest = Vec::new();
    for (ordinal, (candidate, id)) in (0_i32..).zip(candidates.iter().zip(&staged)) {
        if inserted.contains(id) {
            let outcome = if candidate.warnings.is_empty() { Outcome::Accepted } else { Outcome::Warned };
            resolved.push(Resolved { record: candidate.record, outcome, lead: LeadId(*id) });
        } else {
            rest.push(ordinal);
        }
    }
    if !destinations.is_empty() && !inserted.is_empty() {
        sqlx::query(INSERT_DELIVERIES)
            .bind(origin.tenant.uuid())
            .bind(origin.now)
            .bind(destinations)
            .bind(&rest)
            .execute(&mut *connection)
            .await?;
    }
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let found = look_up(connection, origin, &rest).await?;
    let mut again = Vec::new();
    let mut met = Vec::new();
    for (ordinal, candidate) in (0_i32..).zip(candidates) {
        if let Some(hit) = found.get(&ordinal) {
            met.push((*hit, candidate));
        } else if rest.binary_search(&ordinal).is_ok() {
            again.push(candidate);
        }
    }
    resolved.extend(revise::meet(connection, origin, met, ids).await?);
    Ok(again)
}

async fn look_up(
    connection: &mut PgConnection,
    origin: &Origin,
    rest: &[i32],
) -> Result<HashMap<i32, Found>, Error> {
    let hits = sqlx::query(LOOK_UP).bind(origin.tenant.uuid()).bind(rest).fetch_all(connection).await?;
    hits.iter()
        .map(|hit| {
            let same_identity = hit.try_get::<i32, _>(1)? == 0;
            Ok((
                hit.try_get(0)?,
                Found { same_identity, lead: hit.try_get(2)?, fingerprint: hit.try_get(3)? },
            ))
        })
        .collect()
}

/// Copies the candidates to the stage and answers their lead ids. A leader is the first of its identity, phone and e-mail.
async fn stage(
    connection: &mut PgConnection,
    origin: &Origin,
    destinations: usize,
    candidates: &[&Candidate],
    ids: &Ids,
    rows: &mut CopyRows,
) -> Result<Vec<Uuid>, Error> {
    let mut taken = Taken::default();
    let mut lead_ids = Vec::with_capacity(candidates.len());
    let mut text = String::new();
    rows.begin();
    for (ordinal, candidate) in (0_i32..).zip(candidates) {
        let id = ids.next(origin.now);
        let phone =
            candidate.lead.phone.as_deref().map(|phone| (phone, scope(origin, origin.identity.phone, id)));
        let email =
            candidate.lead.email.as_deref().map(|email| (email, scope(origin, origin.identity.email, id)));
        let identity = identity(origin.source, &candidate.lead, candidate.fingerprint);
        let leader = taken.is_first(identity, phone, email);
        let deliveries: Vec<Uuid> = (0..destinations).map(|_| ids.next(origin.now)).collect();
        rows.row(STAGE_COLUMNS);
        rows.integer(ordinal);
        rows.boolean(leader);
        rows.uuid(id);
        rows.uuid_array(&deliveries);
        rows.integer(candidate.record);
        rows.uuid(identity);
        rows.uuid(Uuid::from_u128(candidate.fingerprint));
        rows.optional_uuid(phone.map(|(_, scope)| scope));
        rows.optional_uuid(email.map(|(_, scope)| scope));
        content(rows, origin, candidate, &mut text);
        lead_ids.push(id);
    }
    let mut copy = connection.copy_in_raw("COPY pg_temp.lead_stage FROM STDIN WITH (FORMAT binary)").await?;
    copy.send(rows.finish()).await?;
    copy.finish().await?;
    Ok(lead_ids)
}

fn content(rows: &mut CopyRows, origin: &Origin, candidate: &Candidate, text: &mut String) {
    let lead = &candidate.lead;
    rows.optional_text(lead.external_id.as_deref());
    rows.optional_text(lead.lead_type.as_deref());
    rows.text(lead.channel.as_deref().unwrap_or(origin.channel));
    rows.optional_text(lead.first_name.as_deref());
    rows.optional_text(lead.last_name.as_deref());
    rows.optional_text(lead.phone.as_deref());
    rows.optional_text(lead.phone_ext.as_deref());
    rows.text_array(&lead.alt_phones);
    rows.optional_text(lead.email.as_deref());
    rows.text_array(&lead.alt_emails);
    rows.optional_text(lead.address.as_deref());
    rows.optional_text(lead.city.as_deref());
    rows.optional_text(lead.state.as_deref());
    rows.optional_text(lead.zip.as_deref());
    rows.optional_text(lead.zip4.as_deref());
    text.clear();
    write_details_json(lead, text);
    rows.jsonb(text);
    text.clear();
    if lead.extra.is_empty() {
        rows.null();
    } else {
        write_extra_json(lead, text);
        rows.jsonb(text);
    }
    text.clear();
    if candidate.warnings.is_empty() {
        rows.null();
    } else {
        write_warnings_json(&candidate.warnings, text);
        rows.jsonb(text);
    }
}

/// What names a lead: its source's id for it, else its content.
pub fn identity(source: SourceId, lead: &Lead, fingerprint: u128) -> Uuid {
    if let Some(id) = &lead.external_id {
        return identity_of(source, id);
    }
    let mut hash = Xxh3::new();
    hash.update(source.uuid().as_bytes());
    hash.update(b"content");
    hash.update(&fingerprint.to_be_bytes());
    Uuid::from_u128(hash.digest128())
}

/// What names the lead that a source knows by that id.
pub(crate) fn identity_of(source: SourceId, external_id: &str) -> Uuid {
    let mut hash = Xxh3::new();
    hash.update(source.uuid().as_bytes());
    hash.update(b"id");
    hash.update(external_id.as_bytes());
    Uuid::from_u128(hash.digest128())
}

/// Within what a phone or an e-mail of that lead names one lead.
pub(super) fn scope(origin: &Origin, counts: bool, lead: Uuid) -> Uuid {
    match origin.identity.contact_identity {
        ContactIdentity::Source if counts => origin.source.uuid(),
        ContactIdentity::Tenant if counts => origin.tenant.uuid(),
        _ => lead,
    }
}

/// The keys that the leaders of a round have taken.
#[derive(Default)]
struct Taken<'a> {
    identities: HashSet<Uuid>,
    phones: HashSet<(&'a str, Uuid)>,
    emails: HashSet<(&'a str, Uuid)>,
}

impl<'a> Taken<'a> {
    /// Whether nobody has any of its keys; then they are its own from now on.
    fn is_first(
        &mut self,
        identity: Uuid,
        phone: Option<(&'a str, Uuid)>,
        email: Option<(&'a str, Uuid)>,
    ) -> bool {
        if self.identities.contains(&identity)
            || phone.is_some_and(|phone| self.phones.contains(&phone))
            || email.is_some_and(|email| self.emails.contains(&email))
        {
            return false;
        }
        self.identities.insert(identity);
        self.phones.extend(phone);
        self.emails.extend(email);
        true
    }
}
