//! A person's second chance for what failed or is held.
//!
//! Attempt numbers go on counting, because they name rows that are never rewritten; `budget_from`
//! remembers how many there were, so that the schedule and the number of attempts start afresh.

use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, TenantId};
use serde_json::json;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Error, Wake};
use crate::database::{Mode, TenantTx};
use crate::runtime::{Clock, Ids};

/// How many are retried in one transaction, so that a large backlog does not hold its locks long.
const BATCH: i64 = 1_000;
/// Attempt numbers end with `smallint`; a delivery that has come this far is left alone.
const ATTEMPTS_END: i16 = 32_000;

/// What a retry needs beside its arguments.
#[derive(Clone, Copy)]
pub struct Retries<'a> {
    /// The restricted role's pool.
    pub pool: &'a PgPool,
    /// The time that the delivery is due at.
    pub clock: &'a Clock,
    /// The ids of the events.
    pub ids: &'a Ids,
    /// Told when there is work.
    pub wake: &'a Wake,
}

impl Retries<'_> {
    /// Makes a failed or held delivery pending again, due at once, and writes the event `retried` in the
    /// lead's journey. `actor` is the user or key that asked for it.
    pub async fn retry(&self, tenant: TenantId, delivery: DeliveryId, actor: &str) -> Result<(), Error> {
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
        let now = self.clock.now();
        let retried: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "UPDATE delivery
         SET state = 'pending', due_at = $3, budget_from = attempts, lease = NULL, reason = NULL, finished_at = NULL
         WHERE tenant_id = $1 AND id = $2 AND state IN ('failed', 'held') AND attempts < $4
         RETURNING id, lead_id",
    )
    .bind(tenant.uuid())
    .bind(delivery.uuid())
    .bind(now)
    .bind(ATTEMPTS_END)
    .fetch_all(tx.connection())
    .await?;
        if retried.is_empty() {
            let state = sqlx::query_scalar("SELECT state FROM delivery WHERE tenant_id = $1 AND id = $2")
                .bind(tenant.uuid())
                .bind(delivery.uuid())
                .fetch_optional(tx.connection())
                .await?;
            return Err(state.map_or(Error::NotFound, |state| Error::NotRetryable { state }));
        }
        self.record(tx.connection(), (tenant, now), actor, &retried).await?;
        tx.commit().await?;
        self.wake.wake();
        Ok(())
    }

    /// Makes all failed and held deliveries of a tenant pending again, of one destination or of all.
    /// Answers how many. In batches of their own: what was done stays done when a later batch fails.
    ///
    /// Held ones are included because a fallback or a first name may have come meanwhile; what still cannot
    /// be sent is held again. Call it after a destination was enabled or given another URL.
    pub async fn retry_all_failed(
        &self,
        tenant: TenantId,
        destination: Option<DestinationId>,
        actor: &str,
    ) -> Result<u64, Error> {
        let mut total = 0;
        // Ids rise: each batch begins after the one before, so that what fails again meanwhile is not met twice.
        let mut after = Uuid::nil();
        loop {
            let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
            let now = self.clock.now();
            let retried: Vec<(Uuid, Uuid)> = sqlx::query_as(
                "WITH wanted AS MATERIALIZED (
                 SELECT id FROM delivery
                 WHERE tenant_id = $1 AND state IN ('failed', 'held') AND id > $2 AND attempts < $6
                   AND ($3::uuid IS NULL OR destination_id = $3)
                 ORDER BY id LIMIT $5 FOR UPDATE
             )
             UPDATE delivery
             SET state = 'pending', due_at = $4, budget_from = attempts, lease = NULL, reason = NULL,
                 finished_at = NULL
             WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM wanted))
             RETURNING id, lead_id",
            )
            .bind(tenant.uuid())
            .bind(after)
            .bind(destination.map(DestinationId::uuid))
            .bind(now)
            .bind(BATCH)
            .bind(ATTEMPTS_END)
            .fetch_all(tx.connection())
            .await?;
            let Some(last) = retried.iter().map(|(id, _)| *id).max() else { break };
            self.record(tx.connection(), (tenant, now), actor, &retried).await?;
            tx.commit().await?;
            self.wake.wake();
            after = last;
            total += retried.len() as u64;
        }
        Ok(total)
    }

    /// Writes the event into the journey of each lead.
    async fn record(
        &self,
        connection: &mut PgConnection,
        (tenant, now): (TenantId, DateTime<Utc>),
        actor: &str,
        retried: &[(Uuid, Uuid)],
    ) -> Result<(), Error> {
        let leads: Vec<Uuid> = retried.iter().map(|(_, lead)| *lead).collect();
        let events: Vec<Uuid> = retried.iter().map(|_| self.ids.next(now)).collect();
        let data: Vec<_> =
            retried.iter().map(|(id, _)| Json(json!({ "delivery": DeliveryId(*id) }))).collect();
        sqlx::query(
            "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, data)
         SELECT $1, t.lead_id, t.id, 'retried', $2, $3, t.data
         FROM unnest($4::uuid[], $5::uuid[], $6::jsonb[]) AS t (lead_id, id, data)",
        )
        .bind(tenant.uuid())
        .bind(now)
        .bind(actor)
        .bind(leads)
        .bind(events)
        .bind(data)
        .execute(connection)
        .await?;
        Ok(())
    }
}
