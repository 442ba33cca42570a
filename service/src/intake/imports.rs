//! Imports: a file on its way in, from its receipt to its last record.
//!
//! A file is read twice. First from end to end without storing anything: a truncated archive, a
//! bomb, an array that never closes is refused whole, with no partial state. Then batch by batch, each
//! in one transaction together with its row in `import_batch`. Batches depend on record numbers only,
//! so an import that was killed goes on with the batches that have no row, and each counts once.

use std::path::PathBuf;

use domain::ids::{ImportId, SourceId, TenantId};
use entity::{Tenanted, import, lead_source};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter};
use sqlx::FromRow;

use super::idempotency::{self, Key};
use super::sources;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// A file that has been received.
#[derive(Clone, Debug)]
pub struct ReceivedFile {
    /// As its sender calls it, without folders.
    pub name: String,
    /// Size as sent.
    pub bytes: u64,
    /// SHA-256 as sent.
    pub hash: [u8; 32],
    /// Where it waits below the data folder; none when a command reads it where it lies.
    pub stored_as: Option<String>,
}

/// The import that a received file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The import.
    pub import: ImportId,
    /// Whether it began with this file; if not, the file that was just stored is not needed.
    pub new: bool,
}

/// What an import has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct Counts {
    /// Bytes of the file that are done.
    pub bytes_read: i64,
    /// Records, the sum of the six outcomes.
    pub records: i64,
    /// New leads without warnings.
    pub accepted: i64,
    /// New leads with warnings.
    pub warned: i64,
    /// New revisions.
    pub updated: i64,
    /// Leads that were there.
    pub duplicates: i64,
    /// Refused records.
    pub rejected: i64,
    /// Blank records and repeated headers.
    pub skipped: i64,
}

/// Registers a file: an unfinished import of the same file and source goes on, else a new one begins.
pub async fn receive(
    app: &App,
    tenant: TenantId,
    source: &lead_source::Model,
    file: ReceivedFile,
    idempotency_key: Option<&str>,
) -> Result<Receipt, Error> {
    if !source.enabled {
        return Err(Error::Conflict(format!("the lead source `{}` is switched off", source.slug).into()));
    }
    let now = app.clock.now();
    let key = idempotency_key.map(|text| Key::new(SourceId(source.id), text, file.hash)).transpose()?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    if let Some(key) = &key
        && let Some(known) = idempotency::remembered(&mut tx, key).await?
    {
        return Ok(Receipt { import: known, new: false });
    }
    if file.stored_as.is_none()
        && let Some(id) = unfinished(&mut tx, SourceId(source.id), &file.hash).await?
    {
        return Ok(Receipt { import: id, new: false });
    }
    let id = ImportId(app.ids.next(now));
    let row = import::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id.uuid()),
        source_id: Set(source.id),
        file_name: Set(file.name),
        file_bytes: Set(i64::try_from(file.bytes).unwrap_or(i64::MAX)),
        file_hash: Set(file.hash.to_vec()),
        stored_as: Set(file.stored_as),
        state: Set("received".to_owned()),
        created_at: Set(now),
        ..Default::default()
    };
    row.insert(&tx).await?;
    if let Some(key) = &key {
        idempotency::remember(&mut tx, key, &id, now).await?;
    }
    tx.commit().await?;
    app.wake.imports();
    Ok(Receipt { import: id, new: true })
}

async fn unfinished(tx: &mut TenantTx, source: SourceId, hash: &[u8]) -> Result<Option<ImportId>, Error> {
    let tenant = tx.tenant();
    let id = sqlx::query_scalar(
        "SELECT id FROM import WHERE tenant_id = $1 AND source_id = $2 AND file_hash = $3
             AND state IN ('received', 'running') AND stored_as IS NULL
         ORDER BY created_at LIMIT 1",
    )
    .bind(tenant.uuid())
    .bind(source.uuid())
    .bind(hash)
    .fetch_optional(tx.connection())
    .await?;
    Ok(id.map(ImportId))
}

/// The import of that id.
pub async fn by_id(tx: &TenantTx, id: ImportId) -> Result<import::Model, Error> {
    import::Entity::of(tx.tenant())
        .filter(import::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("import", id))
}

/// What those imports have come to so far.
pub async fn counts(tx: &TenantTx, imports: &[ImportId]) -> Result<Vec<(ImportId, Counts)>, Error> {
    #[derive(FromRow)]
    struct OfImport {
        import_id: uuid::Uuid,
        #[sqlx(flatten)]
        counts: Counts,
    }
    let ids: Vec<_> = imports.iter().map(|id| id.uuid()).collect();
    let mut connection = tx.lock().await;
    let rows: Vec<OfImport> = sqlx::query_as(
        "SELECT import_id, max(bytes_read) AS bytes_read, sum(records) AS records, sum(accepted) AS accepted,
                sum(warned) AS warned, sum(updated) AS updated, sum(duplicates) AS duplicates,
                sum(rejected) AS rejected, sum(skipped) AS skipped
         FROM import_batch WHERE tenant_id = $1 AND import_id = ANY($2) GROUP BY import_id",
    )
    .bind(tx.tenant().uuid())
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows.into_iter().map(|row| (ImportId(row.import_id), row.counts)).collect())
}

/// Stops a running import after the batch that it is at; what was merged stays.
pub async fn cancel(app: &App, tenant: TenantId, id: ImportId) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM import WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
            .bind(tenant.uuid())
            .bind(id.uuid())
            .fetch_optional(tx.connection())
            .await?;
    match state.as_deref() {
        None => Err(Error::not_found("import", id)),
        Some("received" | "running") => {
            sqlx::query(
                "UPDATE import SET state = 'cancelled', finished_at = $3 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(tenant.uuid())
            .bind(id.uuid())
            .bind(app.clock.now())
            .execute(tx.connection())
            .await?;
            tx.commit().await?;
            app.wake.progress();
            Ok(())
        }
        Some(state) => Err(Error::Conflict(format!("the import is {state} already").into())),
    }
}

/// A worker's hold on an import: nobody else works on it until the lease ends.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The import.
    pub import: import::Model,
    /// Its source.
    pub source: lead_source::Model,
    /// Where the file lies.
    pub path: PathBuf,
    /// The holder.
    pub lease: uuid::Uuid,
}

/// How long a lease holds; a live worker renews it with each heartbeat.
pub const LEASE_SECONDS: i64 = 30;

/// Takes hold of one import, or says that another worker has it.
pub async fn lease(
    app: &App,
    tenant: TenantId,
    id: ImportId,
    path: Option<PathBuf>,
) -> Result<Option<Leased>, Error> {
    let now = app.clock.now();
    let lease = app.ids.next(now);
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let taken = sqlx::query(
        "UPDATE import SET state = 'running', lease = $3, leased_until = $4 + make_interval(secs => $5)
         WHERE tenant_id = $1 AND id = $2 AND state IN ('received', 'running')
           AND (leased_until IS NULL OR leased_until <= $4)",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(lease)
    .bind(now)
    .bind(f64::from(i32::try_from(LEASE_SECONDS).unwrap_or(i32::MAX)))
    .execute(tx.connection())
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    let import = by_id(&tx, id).await?;
    let source = sources::by_id(&tx, SourceId(import.source_id)).await?;
    tx.commit().await?;
    let path = match (path, &import.stored_as) {
        (Some(path), _) => path,
        (None, Some(stored)) => app.settings.data_dir.join(stored),
        (None, None) => {
            return Err(Error::internal(
                "finding an import's file",
                format!("import {id} has no stored file"),
            ));
        }
    };
    Ok(Some(Leased { import, source, path, lease }))
}
