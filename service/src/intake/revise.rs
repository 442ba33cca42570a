//! What a record does to the lead that it met: nothing, a trigger, a revision, a note of the duplicate.
//!
//! Facts are appended: a revision keeps the values that it replaced in a `lead_event`, under the
//! fingerprint of the revision before. So a record that was seen once, however long ago, is
//! recognised and changes nothing. What a record leaves blank is not erased.

use std::collections::{HashMap, HashSet};

use compact_str::CompactString;
use domain::ids::{ImportId, LeadId};
use domain::intake::{Change, difference};
use domain::journey::Step;
use domain::lead::Lead;
use sqlx::{Connection, PgConnection, Row as _};
use uuid::Uuid;

use super::merge::{Candidate, Origin, Outcome, Resolved};
use super::rewrite::{Revised, write};
use super::stored::{self, Stored};
use crate::error::Error;
use crate::runtime::Ids;

/// The stored lead that a record met.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// By its identity, not only by phone or e-mail.
    pub same_identity: bool,
    /// The lead.
    pub lead: Uuid,
    /// The lead's current fingerprint.
    pub fingerprint: Uuid,
}

/// Events to append, as columns for one statement.
#[derive(Default)]
struct Events {
    ids: Vec<Uuid>,
    leads: Vec<Uuid>,
    kinds: Vec<&'static str>,
    records: Vec<Option<i32>>,
    fingerprints: Vec<Uuid>,
    data: Vec<serde_json::Value>,
}

/// Resolves records that met a stored lead, in the order given.
///
/// All revisions are written by one statement. Should one of them want a phone or e-mail that another lead has, they are
/// written one by one, to find out which.
pub async fn meet(
    connection: &mut PgConnection,
    origin: &Origin,
    met: Vec<(Found, &Candidate)>,
    ids: &Ids,
) -> Result<Vec<Resolved>, Error> {
    let with_news: Vec<Uuid> = met
        .iter()
        .filter(|(found, candidate)| found.fingerprint.as_u128() != candidate.fingerprint)
        .map(|(found, _)| found.lead)
        .collect();
    let known = stored::load_for_update(connection, origin.tenant, &with_news).await?;
    let seen = seen(connection, origin, &with_news).await?;
    let mut meeting =
        Meeting { origin, ids, known, seen, pending: HashMap::new(), events: Events::default() };
    let before = (meeting.known.clone(), meeting.seen.clone());
    let mut resolved = meeting.all(connection, &met, Writing::Together).await?;
    let mut savepoint = connection.begin().await?;
    match write(&mut savepoint, origin, &meeting.pending).await {
        Ok(()) => savepoint.commit().await?,
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            savepoint.rollback().await?;
            (meeting.known, meeting.seen) = before;
            meeting.events = Events::default();
            resolved = meeting.all(connection, &met, Writing::OneByOne).await?;
        }
        Err(error) => return Err(error.into()),
    }
    meeting.events.insert(connection, origin).await?;
    Ok(resolved)
}

/// When revisions are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// All at the end: they stay pending.
    Together,
    /// Each at once.
    OneByOne,
}

/// Records that meet stored leads.
struct Meeting<'a> {
    origin: &'a Origin,
    ids: &'a Ids,
    /// The leads as they are, this meeting's revisions included.
    known: HashMap<Uuid, Stored>,
    seen: HashSet<(Uuid, Uuid)>,
    pending: HashMap<Uuid, Revised<'a>>,
    events: Events,
}

impl<'a> Meeting<'a> {
    async fn all(
        &mut self,
        connection: &mut PgConnection,
        met: &[(Found, &'a Candidate)],
        writing: Writing,
    ) -> Result<Vec<Resolved>, Error> {
        let mut resolved = Vec::with_capacity(met.len());
        for (found, candidate) in met {
            let outcome = self.one(connection, *found, candidate, writing).await?;
            resolved.push(Resolved { record: candidate.record, outcome, lead: LeadId(found.lead) });
        }
        Ok(resolved)
    }

    async fn one(
        &mut self,
        connection: &mut PgConnection,
        found: Found,
        candidate: &'a Candidate,
        writing: Writing,
    ) -> Result<Outcome, Error> {
        let fingerprint = Uuid::from_u128(candidate.fingerprint);
        let Some(stored) = self.known.get(&found.lead) else { return Ok(Outcome::Duplicate) };
        if stored.fingerprint == fingerprint || self.seen.contains(&(found.lead, fingerprint)) {
            return Ok(Outcome::Duplicate);
        }
        // What would be stored decides: what the record leaves blank or what is known already is no change.
        let lead = over(&candidate.lead, &stored.lead);
        let changes = difference(&stored.lead, &lead);
        let was = stored.fingerprint;
        let (outcome, kind, of, data) = if !found.same_identity {
            let data = news(&difference(&stored.lead, &candidate.lead));
            (Outcome::Duplicate, Step::Duplicate, fingerprint, data)
        } else if changes.is_empty() {
            let data = serde_json::json!({ "trigger_date": candidate.lead.detail("trigger_date") });
            (Outcome::Duplicate, Step::Triggered, fingerprint, data)
        } else {
            match self.revise(connection, found.lead, (lead, candidate), writing).await? {
                Revision::Applied => (Outcome::Updated, Step::Updated, was, change_data(&changes, "applied")),
                Revision::Late => {
                    let data = change_data(&changes, "a later record of the same file had come first");
                    (Outcome::Updated, Step::Updated, fingerprint, data)
                }
                Revision::ContactTaken => {
                    let data = change_data(&changes, "phone or e-mail belongs to another lead");
                    (Outcome::Duplicate, Step::Duplicate, fingerprint, data)
                }
            }
        };
        let record = self.origin.import.map(|_| candidate.record);
        self.events.push(self.ids.next(self.origin.now), found.lead, kind, record, of, data);
        self.seen.insert((found.lead, of));
        Ok(outcome)
    }

    async fn revise(
        &mut self,
        connection: &mut PgConnection,
        id: Uuid,
        revised: Revised<'a>,
        writing: Writing,
    ) -> Result<Revision, Error> {
        let candidate = revised.1;
        let Some(stored) = self.known.get_mut(&id) else { return Ok(Revision::Late) };
        let import = self.origin.import.map(ImportId::uuid);
        if import.is_some()
            && stored.import_id == import
            && stored.record.is_some_and(|record| record > candidate.record)
        {
            return Ok(Revision::Late);
        }
        let lead = revised.0.clone();
        if writing == Writing::OneByOne {
            let alone = HashMap::from([(id, revised)]);
            let mut savepoint = connection.begin().await?;
            match write(&mut savepoint, self.origin, &alone).await {
                Ok(()) => savepoint.commit().await?,
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    savepoint.rollback().await?;
                    return Ok(Revision::ContactTaken);
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            self.pending.insert(id, revised);
        }
        stored.lead = lead;
        stored.fingerprint = Uuid::from_u128(candidate.fingerprint);
        stored.import_id = import;
        stored.record = Some(candidate.record);
        Ok(Revision::Applied)
    }
}

/// Fingerprints that the leads had before or that duplicates of them brought.
async fn seen(
    connection: &mut PgConnection,
    origin: &Origin,
    leads: &[Uuid],
) -> Result<HashSet<(Uuid, Uuid)>, Error> {
    if leads.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT lead_id, fingerprint FROM lead_event
         WHERE tenant_id = $1 AND lead_id = ANY($2) AND fingerprint IS NOT NULL",
    )
    .bind(origin.tenant.uuid())
    .bind(leads)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What became of a revision.
enum Revision {
    Applied,
    /// A later record of the same file is stored already (two batches of a file may commit in either order).
    Late,
    /// Its new phone or e-mail names another lead.
    ContactTaken,
}

/// The newer revision, with the older one's values where it is blank.
fn over(newer: &Lead, older: &Lead) -> Lead {
    let mut lead = newer.clone();
    macro_rules! keep { ($($field:ident),+) => { $(if lead.$field.is_none() { lead.$field.clone_from(&older.$field); })+ } }
    keep!(external_id, lead_type, channel, first_name, last_name, email, address, city, state, zip, zip4);
    if lead.phone.is_none() {
        lead.phone.clone_from(&older.phone);
    }
    // An extension belongs to its number.
    if lead.phone == older.phone && lead.phone_ext.is_none() {
        lead.phone_ext.clone_from(&older.phone_ext);
    }
    lead.alt_phones = further(&older.alt_phones, &newer.alt_phones, lead.phone.as_ref());
    lead.alt_emails = further(&older.alt_emails, &newer.alt_emails, lead.email.as_ref());
    for (name, value) in &older.details {
        if lead.detail(name).is_none() {
            lead.details.push((name.clone(), value.clone()));
        }
    }
    // A lead may have a thousand extras, and as many again of every revision.
    let named: HashSet<&str> = newer.extra.iter().map(|(name, _)| name.as_str()).collect();
    for (name, value) in &older.extra {
        if !named.contains(name.as_str()) {
            lead.extra.push((name.clone(), value.clone()));
        }
    }
    lead
}

/// Of both lists each value once, the older ones first: in an order that a repeat does not change. The primary one is not among them.
fn further(
    older: &[CompactString],
    newer: &[CompactString],
    primary: Option<&CompactString>,
) -> Vec<CompactString> {
    let mut all: Vec<CompactString> = Vec::with_capacity(older.len() + newer.len());
    for value in older.iter().chain(newer) {
        if primary != Some(value) && !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}

/// What each change was and is, by field.
fn change_data(changes: &[Change], note: &str) -> serde_json::Value {
    let fields: serde_json::Map<String, serde_json::Value> = changes
        .iter()
        .map(|change| (change.field.to_string(), serde_json::json!([change.from, change.to])))
        .collect();
    serde_json::json!({ "changed": fields, "note": note })
}

/// What a duplicate says that the lead does not: kept as data.
fn news(changes: &[Change]) -> serde_json::Value {
    let fields: serde_json::Map<String, serde_json::Value> = changes
        .iter()
        .filter_map(|change| Some((change.field.to_string(), serde_json::json!(change.to.as_ref()?))))
        .collect();
    serde_json::json!({ "brought": fields })
}

impl Events {
    fn push(
        &mut self,
        id: Uuid,
        lead: Uuid,
        kind: Step,
        record: Option<i32>,
        fingerprint: Uuid,
        data: serde_json::Value,
    ) {
        self.ids.push(id);
        self.leads.push(lead);
        self.kinds.push(kind.as_str());
        self.records.push(record);
        self.fingerprints.push(fingerprint);
        self.data.push(data);
    }

    async fn insert(self, connection: &mut PgConnection, origin: &Origin) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO lead_event (tenant_id, import_id, actor, at, lead_id, id, kind, record, fingerprint, data)
             SELECT $1, $2, $3, $4, * FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::int[], $9::uuid[], $10::jsonb[])
             ON CONFLICT DO NOTHING",
        )
        .bind(origin.tenant.uuid())
        .bind(origin.import.map(ImportId::uuid))
        .bind(origin.actor.as_deref())
        .bind(origin.now)
        .bind(self.leads)
        .bind(self.ids)
        .bind(self.kinds)
        .bind(self.records)
        .bind(self.fingerprints)
        .bind(self.data)
        .execute(connection)
        .await?;
        Ok(())
    }
}
