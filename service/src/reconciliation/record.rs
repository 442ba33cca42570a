//! A run's own row: written when it begins and when it ends.

use chrono::{DateTime, Utc};
use domain::ids::{ReconciliationId, TenantId};
use sqlx::PgConnection;

use super::ledger::Entry as LedgerEntry;
use super::run::{List, Request};
use super::runs::Counts;
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Writes that a run begins. `stored_as`: it goes on by itself, and its list, if it is a file, waits there (empty: it is their API's).
pub(super) async fn insert(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    background: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (origin, name, as_of_known) = match &request.list {
        List::File { name, .. } => ("file", Some(name.as_str()), request.as_of.is_some()),
        List::Api => ("api", None, true),
    };
    sqlx::query(
        "INSERT INTO reconciliation_run (tenant_id, id, destination_id, origin, file_name, since, before, channel, as_of,
             actor, state, created_at, stored_as, background, phase, as_of_known)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', $11, nullif($12, ''), $12 IS NOT NULL, 'waiting', $13)",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(request.destination.uuid())
    .bind(origin)
    .bind(name)
    .bind(request.since)
    .bind(request.before)
    .bind(request.channel.as_deref())
    .bind(request.as_of.unwrap_or(now))
    .bind(&request.actor)
    .bind(now)
    .bind(background)
    .bind(as_of_known)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes that a run begins, or is tried once more. False when it is done.
pub(super) async fn begin_try(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let again = sqlx::query(
        "UPDATE reconciliation_run SET state = 'running', error = NULL, finished_at = NULL, phase = 'waiting', records = 0,
             as_of = $3, tries = tries + 1
         WHERE tenant_id = $1 AND id = $2 AND state <> 'done'",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(request.as_of.unwrap_or(now))
    .execute(&mut *connection)
    .await?;
    if again.rows_affected() > 0 {
        return Ok(true);
    }
    let done: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM reconciliation_run WHERE tenant_id = $1 AND id = $2)")
            .bind(tenant.uuid())
            .bind(id.uuid())
            .fetch_one(&mut *connection)
            .await?;
    if !done {
        insert(connection, tenant, id, request, None, now).await?;
    }
    Ok(!done)
}

/// Writes that a run has failed, and why.
pub(super) async fn fail(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    reason: &str,
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE reconciliation_run SET state = 'failed', error = $3, finished_at = $4, phase = NULL
         WHERE tenant_id = $1 AND id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(reason)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Writes what a run has counted.
pub(super) async fn finish(
    connection: &mut PgConnection,
    entry: &LedgerEntry<'_>,
    counts: &Counts,
    hash: &[u8],
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE reconciliation_run SET state = 'done', finished_at = $3, phase = NULL, records = $6, list_hash = $4, ours = $5, theirs = $6,
             skipped = $7, matched = $8, mismatched = $9, missing = $10, merge_suspected = $11, unconfirmed = $12,
             duplicated = $13, unexpected = $14, extra_known = $15, pre_existing = $16, enriched = $17, opted_out = $18
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(entry.tenant)
    .bind(entry.run.uuid())
    .bind(entry.now)
    .bind(hash)
    .bind(counts.ours)
    .bind(counts.theirs)
    .bind(counts.skipped)
    .bind(counts.matched)
    .bind(counts.mismatched)
    .bind(counts.missing)
    .bind(counts.merge_suspected)
    .bind(counts.unconfirmed)
    .bind(counts.duplicated)
    .bind(counts.unexpected)
    .bind(counts.extra_known)
    .bind(counts.pre_existing)
    .bind(counts.enriched)
    .bind(counts.opted_out)
    .execute(connection)
    .await?;
    Ok(())
}
