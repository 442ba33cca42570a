//! A person's second chance for what failed, is held or unknown; reconciliation's second sending of what got lost there.
//!
//! Attempt numbers go on counting, because they name rows that are never rewritten; `budget_from`
//! remembers how many there were, so that the schedule and the number of attempts start afresh.

use chrono::{DateTime, Utc};
use domain::delivery::{Code, Kind, Plan};
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use domain::journey::Step;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use super::settled::{End, Settled, settled};
use super::{Error, Wake, gates, given_id};
use crate::database::{Mode, TenantTx};
use crate::runtime::{Clock, Ids};

/// How many are retried in one transaction, so that a large backlog does not hold its locks long.
const BATCH: i64 = 1_000;
/// Attempt numbers end with `smallint`; a delivery that has come this far is left alone.
const ATTEMPTS_END: i16 = 32_000;
/// The ends that a destination's trouble brings about, and not the lead's content.
const OF_AN_INCIDENT: [&str; 3] = [Code::Barred.as_str(), Code::Retryable.as_str(), Code::Exhausted.as_str()];

/// Makes those `wanted` of the tenant `$1` pending again, due at `$2`, or when the destination said it takes them. `$3`: it is decided that
/// unknown ones are sent all the same. Of what failed or is held nobody was told that it may have arrived, so nothing is decided about it.
const AGAIN: &str = "UPDATE delivery
    SET state = 'pending', budget_from = attempts, lease = NULL, reason = NULL, code = NULL, finished_at = NULL,
        failed_once = true, decided = decided OR ($3 AND state = 'unknown'),
        due_at = CASE WHEN state = 'failed' THEN greatest(due_at, $2) ELSE $2 END
    WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM wanted))
    RETURNING id, lead_id";

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

/// Who has seen that what is sent again is not at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A person: nothing is left to look up, unless a request since may have arrived.
    ByAPerson,
    /// Nobody, and the list may have been older than it was taken for: the destination is asked first, where it can be asked.
    ByNobody,
}

/// What becomes of those that may have arrived already, where the destination can neither be asked nor recognises a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// They stay as they are: each is a decision.
    Leave,
    /// Somebody has decided that they are sent again.
    Send,
}

/// What a retry of several came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// On their way again.
    pub retried: u64,
    /// Left, because they may have arrived already.
    pub in_doubt: Vec<DeliveryId>,
    /// Not failed, held or unknown any more, or not there.
    pub skipped: u64,
}

impl std::ops::AddAssign for Retried {
    fn add_assign(&mut self, other: Self) {
        self.retried += other.retried;
        self.in_doubt.extend(other.in_doubt);
        self.skipped += other.skipped;
    }
}

impl Retries<'_> {
    /// Makes a failed, held or unknown delivery pending again, due at once (or when the destination said it takes it),
    /// and writes the event `retried` in the lead's journey. `actor` is the user or key that asked for it.
    ///
    /// An unknown one is looked up before it is sent, where the destination can be asked; where it cannot, this is the
    /// decision to send it again.
    pub async fn retry(&self, tenant: TenantId, delivery: DeliveryId, actor: &str) -> Result<(), Error> {
        if self.retry_some(tenant, &[delivery], InDoubt::Send, actor).await?.retried > 0 {
            return Ok(());
        }
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadOnly).await?;
        let state = sqlx::query_scalar("SELECT state FROM delivery WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.uuid())
            .bind(delivery.uuid())
            .fetch_optional(tx.connection())
            .await?;
        Err(state.map_or(Error::NotFound, |state| Error::NotRetryable { state }))
    }

    /// The same of many, a thousand in a transaction: what was done stays done when a later one fails. What may have arrived already is
    /// sent again only where that does no harm, or as `in_doubt` says.
    pub async fn retry_each(
        &self,
        tenant: TenantId,
        deliveries: &[DeliveryId],
        in_doubt: InDoubt,
        actor: &str,
    ) -> Result<Retried, Error> {
        let mut total = Retried::default();
        for some in deliveries.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            total += self.retry_some(tenant, some, in_doubt, actor).await?;
        }
        Ok(total)
    }

    async fn retry_some(
        &self,
        tenant: TenantId,
        deliveries: &[DeliveryId],
        in_doubt: InDoubt,
        actor: &str,
    ) -> Result<Retried, Error> {
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
        let now = self.clock.now();
        let mut ids: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        let repeatable = repeatable(tx.connection(), tenant).await?;
        let decided = in_doubt == InDoubt::Send;
        let statement = format!(
            "WITH wanted AS MATERIALIZED (
                 SELECT id FROM delivery
                 WHERE tenant_id = $1 AND id = ANY ($5) AND attempts < $4 AND (state IN ('failed', 'held')
                    OR state = 'unknown' AND ($3 OR destination_id = ANY ($6)))
                 ORDER BY id FOR UPDATE
             ) {AGAIN}"
        );
        let retried: Vec<(Uuid, Uuid)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(tenant.uuid())
            .bind(now)
            .bind(decided)
            .bind(ATTEMPTS_END)
            .bind(&ids)
            .bind(&repeatable)
            .fetch_all(tx.connection())
            .await?;
        let in_doubt: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM delivery WHERE tenant_id = $1 AND id = ANY ($2) AND state = 'unknown'
               AND NOT ($3 OR destination_id = ANY ($4)) ORDER BY id",
        )
        .bind(tenant.uuid())
        .bind(&ids)
        .bind(decided)
        .bind(&repeatable)
        .fetch_all(tx.connection())
        .await?;
        self.record(tx.connection(), (tenant, now), (Step::Retried, actor), &retried).await?;
        tx.commit().await?;
        if !retried.is_empty() {
            self.wake.wake();
        }
        let skipped = (ids.len() - retried.len()).saturating_sub(in_doubt.len()) as u64;
        let in_doubt = in_doubt.into_iter().map(DeliveryId).collect();
        Ok(Retried { retried: retried.len() as u64, in_doubt, skipped })
    }

    /// Makes all failed and held deliveries of a tenant pending again, of one destination or of all. Unknown ones are
    /// left: each is a decision. Answers how many. In batches of their own: what was done stays done when a later batch fails.
    ///
    /// Held ones are included because a fallback or a first name may have come meanwhile; what still cannot
    /// be sent is held again. Call it after a destination was enabled or given another URL.
    pub async fn retry_all_failed(
        &self,
        tenant: TenantId,
        destination: Option<DestinationId>,
        actor: &str,
    ) -> Result<u64, Error> {
        self.retry_where(tenant, destination, &[], actor).await
    }

    /// Those of them with one of these codes; all when there are none.
    async fn retry_where(
        &self,
        tenant: TenantId,
        destination: Option<DestinationId>,
        codes: &[&str],
        actor: &str,
    ) -> Result<u64, Error> {
        let mut total = 0;
        // Ids rise: each batch begins after the one before, so that what fails again meanwhile is not met twice.
        let mut after = Uuid::nil();
        loop {
            let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
            let now = self.clock.now();
            let statement = format!(
                "WITH wanted AS MATERIALIZED (
                     SELECT id FROM delivery
                     WHERE tenant_id = $1 AND state IN ('failed', 'held') AND id > $5 AND attempts < $4
                       AND ($6::uuid IS NULL OR destination_id = $6) AND ($7::text[] = '{{}}' OR code = ANY ($7))
                     ORDER BY id LIMIT $8 FOR UPDATE
                 ) {AGAIN}"
            );
            let retried: Vec<(Uuid, Uuid)> = sqlx::query_as(AssertSqlSafe(statement))
                .bind(tenant.uuid())
                .bind(now)
                .bind(false)
                .bind(ATTEMPTS_END)
                .bind(after)
                .bind(destination.map(DestinationId::uuid))
                .bind(codes)
                .bind(BATCH)
                .fetch_all(tx.connection())
                .await?;
            let Some(last) = retried.iter().map(|(id, _)| *id).max() else { break };
            self.record(tx.connection(), (tenant, now), (Step::Retried, actor), &retried).await?;
            tx.commit().await?;
            self.wake.wake();
            after = last;
            total += retried.len() as u64;
        }
        Ok(total)
    }

    /// Sends again what was delivered and is not there, or came to any other end than a rejection: for reconciliation,
    /// which has compared both sides. What may have arrived is asked for first all the same, where it can be. Writes the event `resent`.
    /// Answers how many; those that are under way, rejected or not the tenant's are left out. Within the caller's transaction; up to a
    /// thousand at a time; the caller wakes the worker after it.
    pub async fn resend(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        (deliveries, seen): (&[DeliveryId], Seen),
        actor: &str,
    ) -> Result<u64, Error> {
        let now = self.clock.now();
        let ids: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
        let resent: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "UPDATE delivery
             SET state = 'pending', due_at = $3, budget_from = attempts, lease = NULL, reason = NULL, code = NULL,
                 remote_id = NULL, finished_at = NULL, unsure = unsure OR $5, decided = true, failed_once = failed_once OR state <> 'delivered'
             WHERE tenant_id = $1 AND id = ANY ($2) AND state IN ('delivered', 'failed', 'held', 'unknown')
               AND attempts < $4
             RETURNING id, lead_id",
        )
        .bind(tenant.uuid())
        .bind(ids)
        .bind(now)
        .bind(ATTEMPTS_END)
        .bind(seen == Seen::ByNobody)
        .fetch_all(&mut *connection)
        .await?;
        self.record(connection, (tenant, now), (Step::Resent, actor), &resent).await?;
        Ok(resent.len() as u64)
    }

    /// A person says that an unknown delivery has arrived: it is delivered, under the destination's own id when they
    /// know it (blanks around it do not count). Writes the event `confirmed`.
    pub async fn confirm(
        &self,
        tenant: TenantId,
        delivery: DeliveryId,
        remote_id: Option<&str>,
        actor: &str,
    ) -> Result<(), Error> {
        let remote_id = given_id(remote_id)?;
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
        let now = self.clock.now();
        let confirmed: Option<(Uuid, Uuid, Uuid)> = sqlx::query_as(
            "UPDATE delivery
             SET state = 'delivered', remote_id = $3, reason = NULL, code = NULL, finished_at = $4, unsure = false,
                 failed_once = true
             WHERE tenant_id = $1 AND id = $2 AND state = 'unknown'
             RETURNING id, lead_id, destination_id",
        )
        .bind(tenant.uuid())
        .bind(delivery.uuid())
        .bind(remote_id)
        .bind(now)
        .fetch_optional(tx.connection())
        .await?;
        let Some((id, lead, destination)) = confirmed else {
            let state = sqlx::query_scalar("SELECT state FROM delivery WHERE tenant_id = $1 AND id = $2")
                .bind(tenant.uuid())
                .bind(delivery.uuid())
                .fetch_optional(tx.connection())
                .await?;
            return Err(state.map_or(Error::NotFound, |state| Error::NotUnknown { state }));
        };
        let end = Settled {
            delivery,
            lead: LeadId(lead),
            destination: DestinationId(destination),
            end: End::Delivered,
            at: now,
        };
        settled(tx.connection(), tenant, &[end], (now, self.ids)).await?;
        self.record(tx.connection(), (tenant, now), (Step::Confirmed, actor), &[(id, lead)]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Holds a destination: its leads wait until it is resumed.
    pub async fn hold(
        &self,
        tenant: TenantId,
        destination: DestinationId,
        reason: &str,
    ) -> Result<(), Error> {
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
        gates::hold(tx.connection(), (tenant, destination), (reason, None), self.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a held or open destination go on: what waits is tried now, and what failed because of it is tried again.
    /// Answers how many deliveries that concerns.
    pub async fn resume(
        &self,
        tenant: TenantId,
        destination: DestinationId,
        actor: &str,
    ) -> Result<u64, Error> {
        let mut tx = TenantTx::begin(self.pool, tenant, Mode::ReadWrite).await?;
        let now = self.clock.now();
        sqlx::query(
            "UPDATE destination SET breaker = 'closed', breaker_reason = NULL, breaker_since = NULL, probe_at = NULL,
                    probes = 0, version = version + 1
             WHERE tenant_id = $1 AND id = $2 AND breaker <> 'closed'",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .execute(tx.connection())
        .await?;
        gates::forward(tx.connection(), tenant, destination, now).await?;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM delivery WHERE tenant_id = $1 AND destination_id = $2 AND state = 'pending'",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .fetch_one(tx.connection())
        .await?;
        tx.commit().await?;
        self.wake.wake();
        let retried = self.retry_where(tenant, Some(destination), &OF_AN_INCIDENT, actor).await?;
        Ok(waiting.unsigned_abs() + retried)
    }

    /// Writes the event into the journey of each lead.
    async fn record(
        &self,
        connection: &mut PgConnection,
        (tenant, now): (TenantId, DateTime<Utc>),
        (step, actor): (Step, &str),
        retried: &[(Uuid, Uuid)],
    ) -> Result<(), Error> {
        let leads: Vec<Uuid> = retried.iter().map(|(_, lead)| *lead).collect();
        let events: Vec<Uuid> = retried.iter().map(|_| self.ids.next(now)).collect();
        let data: Vec<_> =
            retried.iter().map(|(id, _)| Json(json!({ "delivery": DeliveryId(*id) }))).collect();
        sqlx::query(
            "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, data)
         SELECT $1, t.lead_id, t.id, $7, $2, $3, t.data
         FROM unnest($4::uuid[], $5::uuid[], $6::jsonb[]) AS t (lead_id, id, data)",
        )
        .bind(tenant.uuid())
        .bind(now)
        .bind(actor)
        .bind(leads)
        .bind(events)
        .bind(data)
        .bind(step.as_str())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The destinations where a second copy does no harm: they can be asked first, or recognise it.
async fn repeatable(connection: &mut PgConnection, tenant: TenantId) -> Result<Vec<Uuid>, Error> {
    let rows: Vec<(Uuid, String, Json<Value>)> =
        sqlx::query_as("SELECT id, kind, settings FROM destination WHERE tenant_id = $1")
            .bind(tenant.uuid())
            .fetch_all(connection)
            .await?;
    let is_repeatable = |kind: &str, settings: &Value| {
        let plan = Kind::parse(kind).and_then(|kind| Plan::new(kind, settings).ok());
        plan.is_some_and(|plan| plan.profile.is_repeatable())
    };
    Ok(rows
        .into_iter()
        .filter(|(_, kind, settings)| is_repeatable(kind, settings))
        .map(|row| row.0)
        .collect())
}
