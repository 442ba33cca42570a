//! The statements of the engine: find, claim, finish.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::delivery::{Code, LeadFacts, rate};
use domain::ids::{DeliveryId, DestinationId, TenantId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::Error;
use super::destinations::Key;
use super::facts::facts;

mod columns;

use columns::Columns;

/// A delivery that this worker holds.
#[derive(Debug)]
pub(super) struct Claimed {
    pub id: DeliveryId,
    pub destination: DestinationId,
    /// How often a person has changed or resumed the destination.
    pub destination_version: i32,
    /// Number of the attempt that this claim is, from 1 and never used twice.
    pub number: i16,
    /// Attempts made before a person last retried it.
    pub budget_from: i16,
    pub doubt: Doubt,
    /// The one that is to show whether a destination answers again.
    pub probe: bool,
    pub lead: LeadFacts,
    /// Its person wants no more contact.
    pub suppressed: bool,
}

/// Whether an earlier request may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// There was none, or it is known what became of it.
    None,
    /// It may have.
    Open,
    /// It may have, and somebody has decided that it is sent all the same.
    Decided,
}

/// Who claims, and until when it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub holder: Uuid,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// The new state of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// To be tried again, not before that time.
    Pending(DateTime<Utc>),
    /// To be tried again, not before that time, and the attempt does not count.
    Refunded(DateTime<Utc>),
    Delivered {
        remote_id: Option<String>,
        /// It should have named its record.
        flagged: bool,
    },
    Failed {
        code: Code,
        reason: String,
        /// The destination takes nothing before this.
        not_before: Option<DateTime<Utc>>,
    },
    Held {
        reason: String,
    },
    Unknown {
        reason: String,
    },
    Rejected {
        code: String,
        reason: String,
    },
}

/// A row of `delivery_attempt`.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub started_at: DateTime<Utc>,
    pub duration_us: i32,
    pub outcome: &'static str,
    pub http_status: Option<i16>,
    pub error_kind: Option<&'static str>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// `found`, `absent` or `failed` when the destination was asked first.
    pub looked_up: Option<&'static str>,
    /// It may have arrived all the same.
    pub unsure: bool,
}

/// What is to be written about a claimed delivery.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub id: DeliveryId,
    pub destination: DestinationId,
    pub number: i16,
    pub state: State,
    /// None when no request was made; then the claim does not count as an attempt.
    pub attempt: Option<Attempt>,
    /// The decision that it is sent although it may have arrived is still good, as it was not sent.
    pub decided: bool,
    pub at: DateTime<Utc>,
}

/// The open destinations that have something due, in the order of their tenants.
pub(super) async fn due_destinations(
    pool: &PgPool,
    now: DateTime<Utc>,
) -> Result<Vec<(TenantId, Vec<DestinationId>)>, Error> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT tenant_id, destination_id FROM due_destinations($1) WHERE tenant_id NOT IN (SELECT suspended_tenants())")
            .bind(now)
            .fetch_all(pool)
            .await?;
    let mut due: Vec<(TenantId, Vec<DestinationId>)> = Vec::new();
    for (tenant, destination) in rows {
        match due.last_mut() {
            Some((last, destinations)) if *last == TenantId(tenant) => {
                destinations.push(DestinationId(destination));
            }
            _ => due.push((TenantId(tenant), vec![DestinationId(destination)])),
        }
    }
    Ok(due)
}

/// Has the tables analysed that have outgrown the planner's knowledge of them, which is what keeps the statements here on their
/// keys in a young database. Cheap when there is none.
pub(super) async fn analyze_outgrown(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("SELECT analyze_outgrown()").execute(pool).await?;
    Ok(())
}

/// Claims due deliveries of a tenant, up to a number for each destination, oldest first, with what their payloads need.
///
/// One statement. Rows that another worker is claiming are passed over, so two workers never wait for
/// each other. Of a destination whose breaker is open one is claimed at its time, to see whether it answers again; of
/// one that is held or disabled, none. A delivery that still bears a lease was never finished by whoever had it, and may
/// have been sent: it is unsure. The lateral joins keep every lookup on the primary key, whatever the planner believes
/// about a table that has not been analysed.
pub(super) async fn claim(
    connection: &mut PgConnection,
    tenant: TenantId,
    lease: Lease,
    wanted: &[(DestinationId, i32)],
) -> Result<Vec<Claimed>, Error> {
    let (ids, limits): (Vec<Uuid>, Vec<i32>) = wanted.iter().map(|(id, limit)| (id.uuid(), *limit)).unzip();
    let rows = sqlx::query_as(
        "WITH probing AS (
             UPDATE destination SET probe_at = $2 + interval '1 minute'
             WHERE tenant_id = $1 AND id = ANY ($5) AND enabled AND breaker = 'open' AND probe_at <= $2
             RETURNING id, version
         ), open AS (
             SELECT w.id, w.most, false AS probe, t.version FROM unnest($5::uuid[], $6::integer[]) AS w (id, most)
             JOIN destination t ON t.tenant_id = $1 AND t.id = w.id AND t.enabled AND t.breaker = 'closed'
             UNION ALL SELECT id, 1, true, version FROM probing
         ), due AS MATERIALIZED (
             SELECT d.id, d.decided, open.probe FROM open CROSS JOIN LATERAL (
                 SELECT id, decided FROM delivery
                 WHERE tenant_id = $1 AND destination_id = open.id AND state = 'pending' AND due_at <= $2
                 ORDER BY due_at LIMIT open.most FOR UPDATE SKIP LOCKED
             ) d
         ), claimed AS (
             UPDATE delivery SET unsure = unsure OR lease IS NOT NULL, decided = false, lease = $3, due_at = $4, attempts = attempts + 1
             WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM due))
             RETURNING id, lead_id, destination_id, attempts, budget_from, unsure
         )
         SELECT c.id AS delivery_id, c.destination_id, c.attempts, c.budget_from, c.unsure,
                (SELECT version FROM open WHERE open.id = c.destination_id LIMIT 1) AS destination_version,
                c.id = ANY (ARRAY(SELECT id FROM due WHERE decided)) AS decided,
                c.id = ANY (ARRAY(SELECT id FROM due WHERE probe)) AS probe, s.slug AS source,
                l.id, l.received_at, l.external_id, l.lead_type, l.channel, l.first_name, l.last_name, l.phone,
                l.phone_ext, l.alt_phones, l.email, l.alt_emails, l.address, l.city, l.state, l.zip, l.zip4, l.details,
                EXISTS (SELECT FROM suppression x WHERE x.tenant_id = $1
                        AND (x.kind = 'phone' AND x.value = ANY(l.phone || coalesce(l.alt_phones, '{}'))
                          OR x.kind = 'email' AND x.value = ANY(l.email || coalesce(l.alt_emails, '{}')))) AS suppressed
         FROM claimed c
         CROSS JOIN LATERAL (SELECT * FROM lead WHERE tenant_id = $1 AND id = c.lead_id LIMIT 1) l
         CROSS JOIN LATERAL (SELECT slug FROM lead_source WHERE tenant_id = $1 AND id = l.source_id LIMIT 1) s",
    )
    .bind(tenant.uuid())
    .bind(lease.now)
    .bind(lease.holder)
    .bind(lease.until)
    .bind(ids)
    .bind(limits)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Takes places under a destination's rate limit, for all workers together: how many requests may begin now, at most
/// `wanted`. The row stays locked until the claim commits; [`take_slots`] says how many were really used.
pub(super) async fn slots(
    connection: &mut PgConnection,
    (tenant, destination): Key,
    per_second: f64,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, i32), Error> {
    let slot: Option<DateTime<Utc>> = sqlx::query_scalar(
        "SELECT slot_at FROM destination WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .fetch_optional(connection)
    .await?
    .flatten();
    Ok(rate::places(slot, per_second, now))
}

/// Writes from when on the next request may begin.
pub(super) async fn take_slots(
    connection: &mut PgConnection,
    (tenant, destination): Key,
    slot_at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query("UPDATE destination SET slot_at = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(slot_at)
        .execute(connection)
        .await?;
    Ok(())
}

impl FromRow<'_, PgRow> for Claimed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: DeliveryId(row.try_get("delivery_id")?),
            destination: DestinationId(row.try_get("destination_id")?),
            destination_version: row.try_get("destination_version")?,
            number: row.try_get("attempts")?,
            budget_from: row.try_get("budget_from")?,
            doubt: match (row.try_get("unsure")?, row.try_get("decided")?) {
                (false, _) => Doubt::None,
                (true, false) => Doubt::Open,
                (true, true) => Doubt::Decided,
            },
            probe: row.try_get("probe")?,
            suppressed: row.try_get("suppressed")?,
            lead: facts(row)?,
        })
    }
}

/// Writes what came of claimed deliveries of one tenant: attempts and states in one statement, fenced.
///
/// A delivery that no longer bears this lease and attempt number is somebody else's by now: neither its
/// state nor the attempt is written. Answers those that were.
pub(super) async fn finish(
    connection: &mut PgConnection,
    tenant: TenantId,
    holder: Uuid,
    batch: &[Finished],
) -> Result<Vec<Written>, Error> {
    let columns = Columns::of(batch);
    let written = sqlx::query_as(
        "WITH done AS MATERIALIZED (
             SELECT * FROM unnest($3::uuid[], $4::smallint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                                  $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::text[], $13::smallint[],
                                  $14::text[], $15::jsonb[], $16::text[], $17::text[], $18::text[], $19::boolean[],
                                  $20::boolean[], $21::boolean[])
                 AS t (id, number, state, due_at, reason, remote_id,
                       finished_at, started_at, duration_us, outcome, http_status,
                       error_kind, response_headers, response_body, code, looked_up, refunded, unsure, decided)
         ), changed AS (
             UPDATE delivery d
             SET state = done.state, due_at = done.due_at, reason = done.reason, remote_id = done.remote_id,
                 finished_at = done.finished_at, lease = NULL, code = done.code,
                 attempts = CASE WHEN done.outcome IS NULL THEN d.attempts - 1 ELSE d.attempts END,
                 budget_from = CASE WHEN done.refunded THEN d.budget_from + 1 ELSE d.budget_from END,
                 unsure = coalesce(done.unsure, d.unsure), decided = done.decided
             FROM done
             WHERE d.tenant_id = $1 AND d.id = done.id
               AND d.state = 'pending' AND d.lease = $2 AND d.attempts = done.number
             RETURNING d.id, d.lead_id, d.destination_id, d.state, d.finished_at
         ), recorded AS (
             INSERT INTO delivery_attempt (tenant_id, delivery_id, number, started_at, duration_us, outcome,
                                           http_status, error_kind, response_headers, response_body, looked_up)
             SELECT $1, done.id, done.number, done.started_at, done.duration_us, done.outcome,
                    done.http_status, done.error_kind, done.response_headers, done.response_body, done.looked_up
             FROM done JOIN changed ON changed.id = done.id
             WHERE done.outcome IS NOT NULL
         )
         SELECT id, lead_id, destination_id, state, finished_at FROM changed",
    )
    .bind(tenant.uuid())
    .bind(holder)
    .bind(columns.ids)
    .bind(columns.numbers)
    .bind(columns.states)
    .bind(columns.due_ats)
    .bind(columns.reasons)
    .bind(columns.remote_ids)
    .bind(columns.finished_ats)
    .bind(columns.started_ats)
    .bind(columns.durations)
    .bind(columns.outcomes)
    .bind(columns.statuses)
    .bind(columns.error_kinds)
    .bind(columns.headers)
    .bind(columns.bodies)
    .bind(columns.codes)
    .bind(columns.looked_ups)
    .bind(columns.refunds)
    .bind(columns.unsures)
    .bind(columns.decideds)
    .fetch_all(connection)
    .await?;
    Ok(written)
}

/// A delivery whose outcome was written.
#[derive(Debug, FromRow)]
pub(super) struct Written {
    pub id: Uuid,
    pub lead_id: Uuid,
    pub destination_id: Uuid,
    pub state: String,
    pub finished_at: Option<DateTime<Utc>>,
}
