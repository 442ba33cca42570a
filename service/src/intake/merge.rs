//! A batch of clean leads meets what is stored: new lead, revision, duplicate.
//!
//! One path for a file's batch and for a single lead. One statement inserts the leads that
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
use domain::ids::{DestinationId, ImportId, LeadId, SourceId, TenantId};
use domain::intake::{ContactIdentity, Identity};
use domain::lead::{Issue, Lead};
use sqlx::{PgConnection, Row};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::copy::CopyRows;
use super::revise::{self, Found};
use super::stage;
use super::together::{self, Part};
use crate::error::Error;
use crate::runtime::Ids;
use crate::sla::clocks::{self, NewLead};
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
    /// Its number in the file, or among those that are merged with it, from 1.
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

/// A candidate's outcome, with the lead that it made or met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The candidate's number.
    pub record: i32,
    /// What became of it.
    pub outcome: Outcome,
    /// The lead.
    pub lead: LeadId,
}

/// What of the tenant new leads need to know.
#[derive(sqlx::FromRow)]
struct Tenant {
    /// Where they go.
    destinations: Vec<Uuid>,
    /// Whether service-level clocks may start with them.
    has_policies: bool,
    /// Whether anybody is on the suppression list.
    suppressing: bool,
}

const TENANT: &str = "SELECT ARRAY(SELECT id FROM destination WHERE tenant_id = $1 AND enabled ORDER BY id) AS destinations,
    EXISTS (SELECT FROM sla_policy WHERE tenant_id = $1 AND enabled AND starts_with = 'received') AS has_policies,
    EXISTS (SELECT FROM suppression WHERE tenant_id = $1) AS suppressing";

const INSERT_DELIVERIES: &str = "INSERT INTO delivery (tenant_id, due_at, state, id, lead_id, destination_id)
    SELECT $1, $2, 'pending', * FROM unnest($3::uuid[], $4::uuid[], $5::uuid[])";

const LOOK_UP: &str = "SELECT s.ordinal, hit.by, hit.id, hit.fingerprint
    FROM unnest($2::int[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::uuid[])
        AS s(ordinal, identity, phone, phone_scope, email, email_scope)
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
    ORDER BY s.ordinal";

/// Merges a batch inside the tenant's transaction; the caller commits. Outcomes come in the order of the records, and beside them
/// where new leads go. With a part among batches that are merged at the same time, what the part holds back waits for the earlier ones.
pub async fn merge(
    connection: &mut PgConnection,
    origin: &Origin,
    candidates: &[Candidate],
    mut part: Option<&mut Part<'_>>,
    ids: &Ids,
    rows: &mut CopyRows,
) -> Result<(Vec<Resolved>, Vec<DestinationId>), Error> {
    if candidates.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    if candidates.len() > 1 {
        together::limit_waits(connection, origin).await?;
    }
    let tenant: Tenant =
        sqlx::query_as(TENANT).bind(origin.tenant.uuid()).fetch_one(&mut *connection).await?;
    let mut resolved = Vec::with_capacity(candidates.len());
    let mut waiting: Vec<&Candidate> = candidates.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        let again = waiting.len() < candidates.len();
        let round = Round { origin, tenant: &tenant, ids, again };
        waiting = round.run(connection, waiting, part.take(), rows, &mut resolved).await?;
        if waiting.len() == before {
            // A key was taken and yet nothing has it: the row that took it is gone again.
            return Err(Error::contended());
        }
    }
    if tenant.suppressing {
        let new = resolved.iter().filter(|one| matches!(one.outcome, Outcome::Accepted | Outcome::Warned));
        let new: Vec<Uuid> = new.map(|one| one.lead.uuid()).collect();
        suppression::hold(connection, origin.tenant, &new, ids, origin.now).await?;
    }
    resolved.sort_unstable_by_key(|one| one.record);
    Ok((resolved, tenant.destinations.into_iter().map(DestinationId).collect()))
}

/// Merges one record inside the tenant's transaction; the caller commits. Answers where new leads go, too.
pub async fn merge_one(
    connection: &mut PgConnection,
    origin: &Origin,
    candidate: Candidate,
    ids: &Ids,
) -> Result<(Resolved, Vec<DestinationId>), Error> {
    let rows = &mut CopyRows::default();
    let (resolved, destinations) = merge(connection, origin, &[candidate], None, ids, rows).await?;
    let resolved = resolved.into_iter().next().ok_or_else(Error::contended)?;
    Ok((resolved, destinations))
}

/// One round: inserts the leaders, resolves who finds a stored lead, answers the rest.
struct Round<'a> {
    origin: &'a Origin,
    tenant: &'a Tenant,
    ids: &'a Ids,
    /// It is not the first.
    again: bool,
}

impl Round<'_> {
    async fn run<'a>(
        &self,
        connection: &mut PgConnection,
        candidates: Vec<&'a Candidate>,
        part: Option<&mut Part<'_>>,
        rows: &mut CopyRows,
        resolved: &mut Vec<Resolved>,
    ) -> Result<Vec<&'a Candidate>, Error> {
        let keys = self.keys(&candidates, part.as_deref());
        let inserted = stage::insert(connection, self.origin, &candidates, &keys, self.again, rows).await?;
        self.insert_deliveries(connection, &inserted).await?;
        let inserted: HashSet<Uuid> = inserted.into_iter().collect();
        self.start_clocks(connection, &candidates, &keys, &inserted).await?;
        let mut rest = Vec::new();
        for (place, (candidate, keys)) in candidates.iter().zip(&keys).enumerate() {
            if inserted.contains(&keys.id) {
                let outcome = if candidate.warnings.is_empty() { Outcome::Accepted } else { Outcome::Warned };
                resolved.push(Resolved { record: candidate.record, outcome, lead: LeadId(keys.id) });
            } else {
                rest.push(place);
            }
        }
        if let Some(part) = part {
            part.earlier_ended().await;
        }
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.look_up(connection, &candidates, &keys, &rest).await?;
        let mut again = Vec::new();
        let mut met = Vec::new();
        for place in rest {
            match found.get(&place) {
                Some(hit) => met.push((*hit, candidates[place])),
                None => again.push(candidates[place]),
            }
        }
        resolved.extend(revise::meet(connection, self.origin, met, self.ids).await?);
        Ok(again)
    }

    /// New ids, and the keys of each candidate. A leader is the first of its identity, phone and e-mail, and not held back.
    fn keys(&self, candidates: &[&Candidate], part: Option<&Part<'_>>) -> Vec<Keys> {
        let Self { origin, ids, .. } = self;
        let mut taken = Taken::default();
        let keys = |(place, candidate): (usize, &&Candidate)| {
            let id = ids.next(origin.now);
            let lead = &candidate.lead;
            let phone_scope = lead.phone.as_ref().map(|_| scope(origin, origin.identity.phone, id));
            let email_scope = lead.email.as_ref().map(|_| scope(origin, origin.identity.email, id));
            Keys {
                id,
                identity: identity(origin.source, lead, candidate.fingerprint),
                phone_scope,
                email_scope,
                leader: part.is_none_or(|part| !part.holds(place)),
            }
        };
        let mut keys: Vec<Keys> = candidates.iter().enumerate().map(keys).collect();
        for (candidate, keys) in candidates.iter().zip(&mut keys) {
            keys.leader = keys.leader && taken.is_first(&candidate.lead, keys);
        }
        keys
    }

    /// One pending delivery of each new lead to each destination.
    async fn insert_deliveries(&self, connection: &mut PgConnection, leads: &[Uuid]) -> Result<(), Error> {
        let destinations = &self.tenant.destinations;
        if destinations.is_empty() || leads.is_empty() {
            return Ok(());
        }
        let pairs = || leads.iter().flat_map(|lead| destinations.iter().map(move |to| (*lead, *to)));
        let (of, to): (Vec<Uuid>, Vec<Uuid>) = pairs().unzip();
        let ids: Vec<Uuid> = pairs().map(|_| self.ids.next(self.origin.now)).collect();
        sqlx::query(INSERT_DELIVERIES)
            .bind(self.origin.tenant.uuid())
            .bind(self.origin.now)
            .bind(ids)
            .bind(of)
            .bind(to)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The service-level clocks that begin with the receipt of a lead.
    async fn start_clocks(
        &self,
        connection: &mut PgConnection,
        candidates: &[&Candidate],
        keys: &[Keys],
        inserted: &HashSet<Uuid>,
    ) -> Result<(), Error> {
        if !self.tenant.has_policies || inserted.is_empty() {
            return Ok(());
        }
        let Origin { tenant, source, channel, now, .. } = *self.origin;
        let stored = candidates.iter().zip(keys).filter(|(_, keys)| inserted.contains(&keys.id));
        let stored: Vec<NewLead<'_>> = stored
            .map(|(candidate, keys)| NewLead {
                id: LeadId(keys.id),
                lead: &candidate.lead,
                channel: candidate.lead.channel.as_deref().unwrap_or(channel),
            })
            .collect();
        clocks::received(connection, tenant, source.uuid(), now, &stored).await
    }

    /// The stored lead that each of those candidates meets, by the candidate's place.
    async fn look_up(
        &self,
        connection: &mut PgConnection,
        candidates: &[&Candidate],
        keys: &[Keys],
        rest: &[usize],
    ) -> Result<HashMap<usize, Found>, Error> {
        let leads = || rest.iter().map(|place| &candidates[*place].lead);
        let keys = || rest.iter().map(|place| &keys[*place]);
        let places = rest.iter().map(|place| i32::try_from(*place).unwrap_or(i32::MAX));
        let hits = sqlx::query(LOOK_UP)
            .bind(self.origin.tenant.uuid())
            .bind(places.collect::<Vec<_>>())
            .bind(keys().map(|keys| keys.identity).collect::<Vec<_>>())
            .bind(leads().map(|lead| lead.phone.as_deref()).collect::<Vec<_>>())
            .bind(keys().map(|keys| keys.phone_scope).collect::<Vec<_>>())
            .bind(leads().map(|lead| lead.email.as_deref()).collect::<Vec<_>>())
            .bind(keys().map(|keys| keys.email_scope).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        hits.iter()
            .map(|hit| {
                let place = usize::try_from(hit.try_get::<i32, _>(0)?).unwrap_or_default();
                let same_identity = hit.try_get::<i32, _>(1)? == 0;
                let found = Found { same_identity, lead: hit.try_get(2)?, fingerprint: hit.try_get(3)? };
                Ok((place, found))
            })
            .collect()
    }
}

/// The id that a candidate will have when it is a new lead, and what the unique indexes compare beside phone and e-mail.
pub(super) struct Keys {
    pub(super) id: Uuid,
    pub(super) identity: Uuid,
    pub(super) phone_scope: Option<Uuid>,
    pub(super) email_scope: Option<Uuid>,
    /// It is tried as a new lead.
    pub(super) leader: bool,
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
    fn is_first(&mut self, lead: &'a Lead, keys: &Keys) -> bool {
        let phone = lead.phone.as_deref().zip(keys.phone_scope);
        let email = lead.email.as_deref().zip(keys.email_scope);
        if self.identities.contains(&keys.identity)
            || phone.is_some_and(|phone| self.phones.contains(&phone))
            || email.is_some_and(|email| self.emails.contains(&email))
        {
            return false;
        }
        self.identities.insert(keys.identity);
        self.phones.extend(phone);
        self.emails.extend(email);
        true
    }
}
