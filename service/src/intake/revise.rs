//! What a record does to the lead that it met: nothing, a trigger, a revision, a note of the duplicate.
//!
//! Facts are appended: a revision keeps the values that it replaced in a `lead_event`, under the
//! fingerprint of the revision before. So a record that was seen once, however long ago, is
//! recognised and changes nothing. What a record leaves blank is not erased.

use std::collections::HashSet;

use domain::ids::{ImportId, LeadId};
use domain::intake::{Change, difference, write_details_json, write_extra_json, write_warnings_json};
use domain::lead::Lead;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::merge::{Candidate, Origin, Outcome, Resolved, scope};
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
    let mut known = stored::load_for_update(connection, origin.tenant, &with_news).await?;
    let seen = seen(connection, origin, &with_news).await?;
    let mut events = Events::default();
    let mut resolved = Vec::with_capacity(met.len());
    for (found, candidate) in met {
        let mut outcome = Outcome::Duplicate;
        let fingerprint = Uuid::from_u128(candidate.fingerprint);
        if let Some(stored) = known.get_mut(&found.lead)
            && stored.fingerprint != fingerprint
            && !seen.contains(&(found.lead, fingerprint))
        {
            // What the record leaves blank is no change.
            let mut changes = difference(&stored.lead, &candidate.lead);
            changes.retain(|change| change.to.is_some());
            let event = ids.next(origin.now);
            let record = origin.import.map(|_| candidate.record);
            if !found.same_identity {
                events.push(event, found.lead, "duplicate", record, fingerprint, news(&changes));
            } else if changes.is_empty() {
                let data = serde_json::json!({ "trigger_date": candidate.lead.detail("trigger_date") });
                events.push(event, found.lead, "triggered", record, fingerprint, data);
            } else {
                outcome = Outcome::Updated;
                let was = stored.fingerprint;
                match revise(connection, origin, found.lead, stored, candidate).await? {
                    Revision::Applied => {
                        events.push(
                            event,
                            found.lead,
                            "updated",
                            record,
                            was,
                            change_data(&changes, "applied"),
                        );
                    }
                    Revision::Late => {
                        let data = change_data(&changes, "a later record of the same file had come first");
                        events.push(event, found.lead, "updated", record, fingerprint, data);
                    }
                    Revision::ContactTaken => {
                        outcome = Outcome::Duplicate;
                        let data = change_data(&changes, "phone or e-mail belongs to another lead");
                        events.push(event, found.lead, "duplicate", record, fingerprint, data);
                    }
                }
            }
        }
        resolved.push(Resolved { record: candidate.record, outcome, lead: LeadId(found.lead) });
    }
    events.insert(connection, origin).await?;
    Ok(resolved)
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

async fn revise(
    connection: &mut PgConnection,
    origin: &Origin,
    id: Uuid,
    stored: &mut Stored,
    candidate: &Candidate,
) -> Result<Revision, Error> {
    if origin.import.is_some()
        && stored.import_id == origin.import.map(ImportId::uuid)
        && stored.record.is_some_and(|record| record > candidate.record)
    {
        return Ok(Revision::Late);
    }
    let lead = over(&candidate.lead, &stored.lead);
    let mut savepoint = connection.begin().await?;
    match update(&mut savepoint, origin, id, &lead, candidate).await {
        Ok(()) => {
            savepoint.commit().await?;
            release_held(connection, origin, id).await?;
            stored.lead = lead;
            stored.fingerprint = Uuid::from_u128(candidate.fingerprint);
            stored.import_id = origin.import.map(ImportId::uuid);
            stored.record = Some(candidate.record);
            Ok(Revision::Applied)
        }
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            savepoint.rollback().await?;
            Ok(Revision::ContactTaken)
        }
        Err(error) => Err(error.into()),
    }
}

async fn update(
    connection: &mut PgConnection,
    origin: &Origin,
    id: Uuid,
    lead: &Lead,
    candidate: &Candidate,
) -> Result<(), sqlx::Error> {
    let (mut details, mut extra, mut warnings) = (String::new(), String::new(), String::new());
    write_details_json(lead, &mut details);
    write_extra_json(lead, &mut extra);
    write_warnings_json(&candidate.warnings, &mut warnings);
    let texts = |values: &[compact_str::CompactString]| {
        (!values.is_empty()).then(|| values.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    sqlx::query(
        "UPDATE lead SET import_id = $3, record = $4, fingerprint = $5, lead_type = $6,
             first_name = $7, last_name = $8, phone = $9, phone_ext = $10, alt_phones = $11, email = $12,
             alt_emails = $13, address = $14, city = $15, state = $16, zip = $17, zip4 = $18,
             details = $19::jsonb, extra = nullif($20, '{}')::jsonb, warnings = nullif($21, '[]')::jsonb,
             phone_scope = CASE WHEN $9 IS NOT NULL THEN coalesce(phone_scope, $22) END,
             email_scope = CASE WHEN $12 IS NOT NULL THEN coalesce(email_scope, $23) END
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(origin.tenant.uuid())
    .bind(id)
    .bind(origin.import.map(ImportId::uuid))
    .bind(origin.import.map(|_| candidate.record))
    .bind(Uuid::from_u128(candidate.fingerprint))
    .bind(lead.lead_type.as_deref())
    .bind(lead.first_name.as_deref())
    .bind(lead.last_name.as_deref())
    .bind(lead.phone.as_deref())
    .bind(lead.phone_ext.as_deref())
    .bind(texts(&lead.alt_phones))
    .bind(lead.email.as_deref())
    .bind(texts(&lead.alt_emails))
    .bind(lead.address.as_deref())
    .bind(lead.city.as_deref())
    .bind(lead.state.as_deref())
    .bind(lead.zip.as_deref())
    .bind(lead.zip4.as_deref())
    .bind(details)
    .bind(extra)
    .bind(warnings)
    .bind(scope(origin, origin.identity.phone, id))
    .bind(scope(origin, origin.identity.email, id))
    .execute(connection)
    .await
    .map(|_| ())
}

/// What was held for want of something may have it now.
async fn release_held(connection: &mut PgConnection, origin: &Origin, id: Uuid) -> Result<(), Error> {
    sqlx::query(
        "UPDATE delivery SET state = 'pending', due_at = $3, budget_from = attempts, reason = NULL, finished_at = NULL, code = NULL
         WHERE tenant_id = $1 AND lead_id = $2 AND state = 'held'",
    )
    .bind(origin.tenant.uuid())
    .bind(id)
    .bind(origin.now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The newer revision, with the older one's values where it is blank.
fn over(newer: &Lead, older: &Lead) -> Lead {
    let mut lead = newer.clone();
    macro_rules! keep { ($($field:ident),+) => { $(if lead.$field.is_none() { lead.$field.clone_from(&older.$field); })+ } }
    keep!(external_id, lead_type, channel, first_name, last_name, email, address, city, state, zip, zip4);
    if lead.phone.is_none() {
        lead.phone.clone_from(&older.phone);
        lead.phone_ext.clone_from(&older.phone_ext);
    }
    for phone in &older.alt_phones {
        if !lead.alt_phones.contains(phone) && lead.phone.as_ref() != Some(phone) {
            lead.alt_phones.push(phone.clone());
        }
    }
    for email in &older.alt_emails {
        if !lead.alt_emails.contains(email) && lead.email.as_ref() != Some(email) {
            lead.alt_emails.push(email.clone());
        }
    }
    for (name, value) in &older.details {
        if lead.detail(name).is_none() {
            lead.details.push((name.clone(), value.clone()));
        }
    }
    for (name, value) in &older.extra {
        if !lead.extra.iter().any(|(known, _)| known == name) {
            lead.extra.push((name.clone(), value.clone()));
        }
    }
    lead
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
        kind: &'static str,
        record: Option<i32>,
        fingerprint: Uuid,
        data: serde_json::Value,
    ) {
        self.ids.push(id);
        self.leads.push(lead);
        self.kinds.push(kind);
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
