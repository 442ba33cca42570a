//! Refused records: kept with their raw text and every reason, listed, exported, corrected, dismissed.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::ids::{FailedRecordId, ImportId, SourceId, TenantId};
use domain::intake::{Scratch, Verdict, column_key};
use domain::lead::Issue;
use entity::{Tenanted, failed_record, import};
use sea_orm::sea_query::LockType;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QuerySelect, Select};
use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::merge::{self, Candidate, Origin, Resolved};
use super::prepare::Refused;
use super::submit::Submitted;
use super::{raw, sources};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::runtime::Ids;

/// What refused records of one transaction have in common.
#[derive(Clone, Copy, Debug)]
pub struct RefusedOrigin<'a> {
    /// The tenant, whose transaction it is.
    pub tenant: TenantId,
    /// The source.
    pub source: SourceId,
    /// The file, if there is one.
    pub import: Option<ImportId>,
    /// SHA-256 of the file; empty for a single record.
    pub file_hash: &'a [u8],
    /// When they were refused.
    pub now: DateTime<Utc>,
}

/// Stores refused records. One that was refused before – the same record of the same file, the same single text – is
/// not stored again. Answers the ids in the order given, of the new ones.
pub async fn store(
    connection: &mut PgConnection,
    origin: RefusedOrigin<'_>,
    refused: &[Refused],
    ids: &Ids,
) -> Result<Vec<FailedRecordId>, Error> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let column = |pick: &dyn Fn(&Refused) -> String| refused.iter().map(pick).collect::<Vec<_>>();
    let stored: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO failed_record (tenant_id, source_id, import_id, created_at, state, id, record, line, raw, fingerprint, reasons)
         SELECT $1, $2, $3, $4, 'open', * FROM unnest($5::uuid[], $6::int[], $7::bigint[], $8::text[], $9::uuid[], $10::jsonb[])
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(origin.tenant.uuid())
    .bind(origin.source.uuid())
    .bind(origin.import.map(ImportId::uuid))
    .bind(origin.now)
    .bind(refused.iter().map(|_| ids.next(origin.now)).collect::<Vec<_>>())
    .bind(refused.iter().map(|one| one.record).collect::<Vec<_>>())
    .bind(refused.iter().map(|one| one.line).collect::<Vec<_>>())
    // A NUL is the one character that Postgres cannot store.
    .bind(column(&|one| one.raw.replace('\0', "\u{fffd}")))
    .bind(refused.iter().map(|one| fingerprint(origin.file_hash, one)).collect::<Vec<_>>())
    .bind(written_reasons(refused)?)
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().map(FailedRecordId).collect())
}

fn written_reasons(refused: &[Refused]) -> Result<Vec<serde_json::Value>, Error> {
    let written = |one: &Refused| {
        serde_json::to_value(&one.reasons).map_err(|error| Error::internal("writing reasons", error))
    };
    refused.iter().map(written).collect()
}

/// Whether records of that file wait that another import of it has refused.
pub(super) async fn wait_from_before(
    connection: &mut PgConnection,
    origin: RefusedOrigin<'_>,
) -> Result<bool, Error> {
    let wait = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM import i JOIN failed_record f ON f.tenant_id = i.tenant_id AND f.import_id = i.id
             WHERE i.tenant_id = $1 AND i.source_id = $2 AND i.file_hash = $3 AND i.id IS DISTINCT FROM $4
               AND f.state = 'open')",
    )
    .bind(origin.tenant.uuid())
    .bind(origin.source.uuid())
    .bind(origin.file_hash)
    .bind(origin.import.map(ImportId::uuid))
    .fetch_one(connection)
    .await?;
    Ok(wait)
}

/// Brings what was refused before up to date with the same records of the same file, read once more: those that are leads now are
/// corrected, by nobody; those that are refused for other reasons wait with the new ones.
pub(super) async fn read_again(
    connection: &mut PgConnection,
    origin: RefusedOrigin<'_>,
    resolved: &[Resolved],
    refused: &[Refused],
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE failed_record f SET state = 'corrected', resolved_at = $3, lead_id = a.lead_id
         FROM unnest($4::uuid[], $5::uuid[]) AS a (fingerprint, lead_id)
         WHERE f.tenant_id = $1 AND f.source_id = $2 AND f.fingerprint = a.fingerprint AND f.state = 'open'",
    )
    .bind(origin.tenant.uuid())
    .bind(origin.source.uuid())
    .bind(origin.now)
    .bind(resolved.iter().map(|one| of_record(origin.file_hash, one.record)).collect::<Vec<_>>())
    .bind(resolved.iter().map(|one| one.lead.uuid()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE failed_record f SET reasons = a.reasons
         FROM unnest($3::uuid[], $4::jsonb[]) AS a (fingerprint, reasons)
         WHERE f.tenant_id = $1 AND f.source_id = $2 AND f.fingerprint = a.fingerprint AND f.state = 'open'
           AND f.reasons <> a.reasons",
    )
    .bind(origin.tenant.uuid())
    .bind(origin.source.uuid())
    .bind(refused.iter().map(|one| of_record(origin.file_hash, one.record)).collect::<Vec<_>>())
    .bind(written_reasons(refused)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// The record that the same text was kept as when it was refused before.
pub(super) async fn kept_before(
    connection: &mut PgConnection,
    origin: RefusedOrigin<'_>,
    refused: &Refused,
) -> Result<Option<FailedRecordId>, Error> {
    let id = sqlx::query_scalar(
        "SELECT id FROM failed_record WHERE tenant_id = $1 AND source_id = $2 AND fingerprint = $3",
    )
    .bind(origin.tenant.uuid())
    .bind(origin.source.uuid())
    .bind(fingerprint(origin.file_hash, refused))
    .fetch_optional(connection)
    .await?;
    Ok(id.map(FailedRecordId))
}

/// Refused once, listed once: by file and record number, or by its text when it came alone.
pub(super) fn fingerprint(file_hash: &[u8], refused: &Refused) -> Uuid {
    if !file_hash.is_empty() {
        return of_record(file_hash, refused.record);
    }
    let mut hash = Xxh3::new();
    hash.update(refused.raw.as_bytes());
    Uuid::from_u128(hash.digest128())
}

fn of_record(file_hash: &[u8], record: i32) -> Uuid {
    let mut hash = Xxh3::new();
    hash.update(file_hash);
    hash.update(&record.to_be_bytes());
    Uuid::from_u128(hash.digest128())
}

/// Every reason of a refused record.
pub fn reasons(row: &failed_record::Model) -> Result<Vec<Issue>, Error> {
    serde_json::from_value(row.reasons.clone())
        .map_err(|error| Error::internal(format!("reading failed_record.reasons of {}", row.id), error))
}

/// A refused record of the tenant.
pub async fn by_id(tx: &TenantTx, id: FailedRecordId) -> Result<failed_record::Model, Error> {
    of_id(tx, id).one(tx).await?.ok_or_else(|| Error::not_found("refused record", id))
}

fn of_id(tx: &TenantTx, id: FailedRecordId) -> Select<failed_record::Entity> {
    failed_record::Entity::of(tx.tenant()).filter(failed_record::Column::Id.eq(id.uuid()))
}

/// The refused record that somebody is about to resolve. Nobody else does so meanwhile: of two who correct it at once, the second
/// one finds what the first has made of it, instead of making a second lead.
async fn open_record(tx: &TenantTx, id: FailedRecordId) -> Result<failed_record::Model, Error> {
    let record = of_id(tx, id)
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("refused record", id))?;
    if record.state != "open" {
        return Err(Error::Conflict(format!("this record is {} already", record.state).into()));
    }
    Ok(record)
}

/// Sends a refused record through its source's rules again, with some columns' text replaced.
///
/// Accepted, it becomes a lead and the record is `corrected`; refused again, it stays open with the new reasons.
pub async fn correct(
    app: &App,
    tenant: TenantId,
    id: FailedRecordId,
    values: &BTreeMap<String, String>,
    actor: &str,
) -> Result<Submitted, Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let record = open_record(&tx, id).await?;
    let source = sources::by_id(&tx, SourceId(record.source_id)).await?;
    let columns = columns_of(&tx, &record).await?;
    let plan = raw::plan(&source, columns.as_ref(), &app.intake_settings())?;
    let labels = plan.labels().iter().map(|label| (label.to_string(), String::new()));
    let sent = raw::values(&record.raw, columns.as_ref(), &plan).into_iter().flatten();
    let all = corrected(labels.chain(sent).collect(), values)?;
    let (lead, warnings, fingerprint) = match plan.read_values(&all, &mut Scratch::default()) {
        Verdict::Accept { lead, warnings, fingerprint } => (lead, warnings, fingerprint),
        Verdict::Reject(reasons) => return refuse_again(tx, record, reasons).await,
        Verdict::Skip => {
            return Err(Error::invalid("values", "a record without any value cannot be sent in"));
        }
    };
    let origin = Origin {
        tenant,
        source: SourceId(source.id),
        import: None,
        identity: sources::mapping_of(&source)?.identity,
        channel: "web",
        actor: Some(actor.to_owned()),
        now,
    };
    let candidate = Candidate { record: record.record, lead, warnings: warnings.clone(), fingerprint };
    let (resolved, destinations) = merge::merge_one(tx.connection(), &origin, candidate, &app.ids).await?;
    sqlx::query(
        "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, import_id, record)
         VALUES ($1, $2, $3, 'corrected', $4, $5, $6, $7)",
    )
    .bind(tenant.uuid())
    .bind(resolved.lead.uuid())
    .bind(app.ids.next(now))
    .bind(now)
    .bind(actor)
    .bind(record.import_id)
    .bind(record.record)
    .execute(tx.connection())
    .await?;
    resolve(&tx, record, "corrected", actor, now, Some(resolved.lead.uuid())).await?;
    app.hand_over(tx, &[resolved.lead], &destinations).await?;
    Ok(Submitted {
        outcome: resolved.outcome.into(),
        lead: Some(resolved.lead),
        failed: Some(id),
        reasons: warnings,
    })
}

/// The record with the corrected values in their columns. A column's name counts as in a mapping, whatever its letter case; where two
/// are told apart by nothing else, as two keys of JSON may be, the exact one counts.
fn corrected(
    mut record: BTreeMap<String, String>,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let known: HashMap<String, String> = record.keys().map(|name| (column_key(name), name.clone())).collect();
    let mut given = HashSet::new();
    for (column, value) in values {
        let name = match known.get(&column_key(column)) {
            Some(name) if !record.contains_key(column) => name,
            _ => column,
        };
        if !given.insert(name) {
            return Err(Error::invalid("values", format!("the column `{name}` is given twice")));
        }
        record.insert(name.clone(), value.clone());
    }
    Ok(record)
}

async fn refuse_again(
    tx: TenantTx,
    record: failed_record::Model,
    reasons: Vec<Issue>,
) -> Result<Submitted, Error> {
    let id = FailedRecordId(record.id);
    let mut row: failed_record::ActiveModel = record.into();
    row.reasons =
        Set(serde_json::to_value(&reasons).map_err(|error| Error::internal("writing reasons", error))?);
    row.update(&tx).await?;
    tx.commit().await?;
    Ok(Submitted { outcome: super::submit::Outcome::Rejected, lead: None, failed: Some(id), reasons })
}

/// Leaves a refused record as it is: nobody will correct it.
pub async fn dismiss(
    app: &App,
    tenant: TenantId,
    id: FailedRecordId,
    actor: &str,
) -> Result<failed_record::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let record = open_record(&tx, id).await?;
    let record = resolve(&tx, record, "dismissed", actor, app.clock.now(), None).await?;
    tx.commit().await?;
    Ok(record)
}

async fn resolve(
    tx: &TenantTx,
    record: failed_record::Model,
    state: &str,
    actor: &str,
    now: DateTime<Utc>,
    lead: Option<Uuid>,
) -> Result<failed_record::Model, Error> {
    let mut row: failed_record::ActiveModel = record.into();
    row.state = Set(state.to_owned());
    row.resolved_at = Set(Some(now));
    row.resolved_by = Set(Some(actor.to_owned()));
    row.lead_id = Set(lead);
    Ok(row.update(tx).await?)
}

/// The header of the record's file, when it was a CSV.
pub async fn columns_of(tx: &TenantTx, record: &failed_record::Model) -> Result<Option<raw::Columns>, Error> {
    let Some(import) = record.import_id else { return Ok(None) };
    let import = import::Entity::of(tx.tenant()).filter(import::Column::Id.eq(import)).one(tx).await?;
    Ok(import.and_then(raw::Columns::of))
}
