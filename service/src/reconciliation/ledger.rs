//! Differences meet the exceptions that are known: found again, new, or gone.

use chrono::{DateTime, Utc};
use domain::ids::ReconciliationId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::stage::Scope;
use crate::error::Error;

/// Which run writes.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) tenant: Uuid,
    pub(super) run: ReconciliationId,
    pub(super) scope: &'a Scope,
    pub(super) actor: &'a str,
    pub(super) now: DateTime<Utc>,
}

/// Writes exceptions, evidence and history of what was found. Ids of exceptions are the run's with a number in their last
/// 48 bits, so they keep its time and order.
pub(super) async fn write(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    seen_again(connection, entry).await?;
    not_taken(connection, entry).await?;
    upsert(connection, entry).await?;
    evidence(connection, entry).await?;
    gone(connection, entry).await
}

/// The note of what was sent again and came to another end than delivery.
pub(super) const NOT_TAKEN: &str = "sent again and not taken";
/// The note of what was sent again and may have arrived.
pub(super) const NOT_KNOWN: &str = "sent again, and it is not known whether it arrived";

/// What was resolved opens again; what was sent again, delivered, and is still missing, too – unless it was sent again while the run was
/// comparing: then it cannot be in the list, which is of the time `$6`.
const REOPENS: &str = "(e.state = 'resolved' OR (e.state = 'resending' AND e.kind = 'missing' AND EXISTS (
    SELECT FROM delivery d WHERE d.tenant_id = e.tenant_id AND d.id = e.delivery_id
      AND d.state = 'delivered' AND d.finished_at <= $6)))";

async fn seen_again(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    let statement = format!(
        "WITH again AS (
             UPDATE reconciliation_exception e SET state = 'open', reason = NULL, updated_at = $4
             FROM pg_temp.recon_found f
             WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.kind = f.kind AND e.subject = f.subject AND {REOPENS}
             RETURNING e.id
         )
         INSERT INTO reconciliation_step (tenant_id, exception_id, id, at, actor, state, note)
         SELECT $1, id, $3, $4, $5, 'open', 'found again' FROM again"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(entry.tenant)
        .bind(entry.scope.destination.uuid())
        .bind(entry.run.uuid())
        .bind(entry.now)
        .bind(entry.actor)
        .bind(entry.scope.as_of)
        .execute(connection)
        .await?;
    Ok(())
}

/// What was sent again and not taken opens: nobody would look at it otherwise where the destination has no API to prove it by. What their
/// list has all the same is told as a difference of its own.
async fn not_taken(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    sqlx::query(
        "WITH again AS (
             UPDATE reconciliation_exception e SET state = 'open', reason = NULL, updated_at = $4
             WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.state = 'resending' AND EXISTS (
                 SELECT FROM delivery d WHERE d.tenant_id = $1 AND d.id = e.delivery_id
                   AND d.state IN ('failed', 'held', 'unknown', 'rejected'))
               AND NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.delivery_id = e.delivery_id)
             RETURNING e.id, e.delivery_id
         )
         INSERT INTO reconciliation_step (tenant_id, exception_id, id, at, actor, state, note)
         SELECT $1, again.id, $3, $4, $5, 'open', CASE d.state WHEN 'unknown' THEN $6::text ELSE $7::text END
         FROM again JOIN delivery d ON d.tenant_id = $1 AND d.id = again.delivery_id",
    )
    .bind(entry.tenant)
    .bind(entry.scope.destination.uuid())
    .bind(entry.run.uuid())
    .bind(entry.now)
    .bind(entry.actor)
    .bind(NOT_KNOWN)
    .bind(NOT_TAKEN)
    .execute(connection)
    .await?;
    Ok(())
}

async fn upsert(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO reconciliation_exception AS e (tenant_id, id, destination_id, kind, subject, lead_id, delivery_id,
             remote_id, state, first_run_id, last_run_id, opened_at, updated_at)
         SELECT $1, (substr($3::uuid::text, 1, 24) || lpad(to_hex(row_number() OVER (ORDER BY kind, subject)), 12, '0'))::uuid,
                $2, kind, subject, lead_id, delivery_id, remote_id, 'open', $3, $3, $4, $4
         FROM pg_temp.recon_found
         ON CONFLICT (tenant_id, destination_id, kind, subject)
         DO UPDATE SET last_run_id = EXCLUDED.last_run_id, remote_id = coalesce(EXCLUDED.remote_id, e.remote_id),
                       delivery_id = coalesce(EXCLUDED.delivery_id, e.delivery_id)",
    )
    .bind(entry.tenant)
    .bind(entry.scope.destination.uuid())
    .bind(entry.run.uuid())
    .bind(entry.now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO reconciliation_step (tenant_id, exception_id, id, at, actor, state)
         SELECT $1, id, $2, $3, $4, 'open' FROM reconciliation_exception WHERE tenant_id = $1 AND first_run_id = $2",
    )
    .bind(entry.tenant)
    .bind(entry.run.uuid())
    .bind(entry.now)
    .bind(entry.actor)
    .execute(connection)
    .await?;
    Ok(())
}

async fn evidence(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO reconciliation_difference (tenant_id, run_id, exception_id, fields, ours, theirs, merge_suspected)
         SELECT $1, $3, e.id, f.fields, f.ours, f.theirs, f.merge_suspected
         FROM pg_temp.recon_found f JOIN reconciliation_exception e
           ON e.tenant_id = $1 AND e.destination_id = $2 AND e.kind = f.kind AND e.subject = f.subject",
    )
    .bind(entry.tenant)
    .bind(entry.scope.destination.uuid())
    .bind(entry.run.uuid())
    .execute(connection)
    .await?;
    Ok(())
}

/// What this run would have seen and did not is resolved: of our side what is in its scope, of theirs what a run over
/// everything covers. What is missing there and not delivered again was not looked for.
async fn gone(connection: &mut PgConnection, entry: &Entry<'_>) -> Result<(), Error> {
    sqlx::query(
        "WITH gone AS (
             UPDATE reconciliation_exception e
             SET state = 'resolved', updated_at = $4,
                 reason = CASE WHEN e.state = 'resending' THEN 'sent again and found there' ELSE 'not found any more' END
             WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.state IN ('open', 'resending') AND e.last_run_id <> $3
               AND CASE WHEN e.delivery_id IS NULL THEN $6
                        ELSE EXISTS (SELECT FROM pg_temp.recon_ours o WHERE o.delivery_id = e.delivery_id AND o.in_scope)
                   END
               AND NOT ((e.state = 'resending' OR e.kind = 'missing' AND NOT EXISTS (
                       SELECT FROM pg_temp.recon_pair p WHERE p.delivery_id = e.delivery_id))
                   AND EXISTS (
                       SELECT FROM delivery d WHERE d.tenant_id = $1 AND d.id = e.delivery_id AND d.state <> 'delivered'))
             RETURNING e.id, e.reason
         )
         INSERT INTO reconciliation_step (tenant_id, exception_id, id, at, actor, state, note)
         SELECT $1, id, $3, $4, $5, 'resolved', reason FROM gone",
    )
    .bind(entry.tenant)
    .bind(entry.scope.destination.uuid())
    .bind(entry.run.uuid())
    .bind(entry.now)
    .bind(entry.actor)
    .bind(entry.scope.is_whole())
    .execute(connection)
    .await?;
    Ok(())
}
