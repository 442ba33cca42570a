//! The statements of the engine: find, claim, finish.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::delivery::LeadFacts;
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::Error;

/// A delivery that this worker holds.
#[derive(Debug)]
pub(super) struct Claimed {
    pub id: DeliveryId,
    pub destination: DestinationId,
    /// Number of the attempt that this claim is, from 1 and never used twice.
    pub number: i16,
    /// Attempts made before a person last retried it.
    pub budget_from: i16,
    pub lead: LeadFacts,
    /// Its person wants no more contact.
    pub suppressed: bool,
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
    Delivered {
        remote_id: Option<String>,
    },
    Failed {
        reason: String,
    },
    Held {
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
}

/// What is to be written about a claimed delivery.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub id: DeliveryId,
    pub number: i16,
    pub state: State,
    /// None when no request was made; then the claim does not count as an attempt.
    pub attempt: Option<Attempt>,
    pub at: DateTime<Utc>,
}

/// The tenants that have something due, in the order of their ids.
pub(super) async fn tenants_with_due(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<TenantId>, Error> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT tenants_with_due_deliveries($1)").bind(now).fetch_all(pool).await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

/// Claims up to `limit` due deliveries of a tenant, oldest first, with what their payloads need.
///
/// One statement. Rows that another worker is claiming are passed over, so two workers never wait for
/// each other; deliveries to `except` are left where they are. The limit stands in the text, because a
/// bound one would have the statement planned anew each time; the lateral joins keep every lookup on the
/// primary key, whatever the planner believes about a table that has not been analysed.
pub(super) async fn claim(
    connection: &mut PgConnection,
    tenant: TenantId,
    lease: Lease,
    limit: usize,
    except: &[Uuid],
) -> Result<Vec<Claimed>, Error> {
    let sql = format!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM delivery
             WHERE tenant_id = $1 AND state = 'pending' AND due_at <= $2 AND destination_id <> ALL ($5)
             ORDER BY due_at LIMIT {limit} FOR UPDATE SKIP LOCKED
         ), claimed AS (
             UPDATE delivery SET lease = $3, due_at = $4, attempts = attempts + 1
             WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM due))
             RETURNING id, lead_id, destination_id, attempts, budget_from
         )
         SELECT c.id AS delivery_id, c.destination_id, c.attempts, c.budget_from, s.slug AS source,
                l.id, l.received_at, l.external_id, l.lead_type, l.channel, l.first_name, l.last_name, l.phone,
                l.phone_ext, l.alt_phones, l.email, l.alt_emails, l.address, l.city, l.state, l.zip, l.zip4, l.details,
                EXISTS (SELECT FROM suppression x WHERE x.tenant_id = $1
                        AND (x.kind = 'phone' AND x.value = ANY(l.phone || coalesce(l.alt_phones, '{{}}'))
                          OR x.kind = 'email' AND x.value = ANY(l.email || coalesce(l.alt_emails, '{{}}')))) AS suppressed
         FROM claimed c
         CROSS JOIN LATERAL (SELECT * FROM lead WHERE tenant_id = $1 AND id = c.lead_id LIMIT 1) l
         CROSS JOIN LATERAL (SELECT slug FROM lead_source WHERE tenant_id = $1 AND id = l.source_id LIMIT 1) s"
    );
    // Only a number was put into the text.
    let rows = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(lease.now)
        .bind(lease.holder)
        .bind(lease.until)
        .bind(except)
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

impl FromRow<'_, PgRow> for Claimed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let details: Json<BTreeMap<String, Box<RawValue>>> = row.try_get("details")?;
        Ok(Self {
            id: DeliveryId(row.try_get("delivery_id")?),
            destination: DestinationId(row.try_get("destination_id")?),
            number: row.try_get("attempts")?,
            budget_from: row.try_get("budget_from")?,
            suppressed: row.try_get("suppressed")?,
            lead: LeadFacts {
                id: LeadId(row.try_get("id")?),
                source: row.try_get("source")?,
                received_at: row.try_get("received_at")?,
                external_id: row.try_get("external_id")?,
                lead_type: row.try_get("lead_type")?,
                channel: row.try_get("channel")?,
                first_name: row.try_get("first_name")?,
                last_name: row.try_get("last_name")?,
                phone: row.try_get("phone")?,
                phone_ext: row.try_get("phone_ext")?,
                alt_phones: row.try_get::<Option<_>, _>("alt_phones")?.unwrap_or_default(),
                email: row.try_get("email")?,
                alt_emails: row.try_get::<Option<_>, _>("alt_emails")?.unwrap_or_default(),
                address: row.try_get("address")?,
                city: row.try_get("city")?,
                state: row.try_get("state")?,
                zip: row.try_get("zip")?,
                zip4: row.try_get("zip4")?,
                details: details.0,
            },
        })
    }
}

/// Writes what came of claimed deliveries of one tenant: attempts and states in one statement, fenced.
///
/// A delivery that no longer bears this lease and attempt number is somebody else's by now: neither its
/// state nor the attempt is written. Answers how many were.
pub(super) async fn finish(
    connection: &mut PgConnection,
    tenant: TenantId,
    holder: Uuid,
    batch: &[Finished],
) -> Result<u64, Error> {
    let columns = Columns::of(batch);
    let written: i64 = sqlx::query_scalar(
        "WITH done AS MATERIALIZED (
             SELECT * FROM unnest($3::uuid[], $4::smallint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                                  $9::timestamptz[], $10::timestamptz[], $11::integer[], $12::text[], $13::smallint[],
                                  $14::text[], $15::jsonb[], $16::text[])
                 AS t (id, number, state, due_at, reason, remote_id,
                       finished_at, started_at, duration_us, outcome, http_status,
                       error_kind, response_headers, response_body)
         ), changed AS (
             UPDATE delivery d
             SET state = done.state, due_at = done.due_at, reason = done.reason, remote_id = done.remote_id,
                 finished_at = done.finished_at, lease = NULL,
                 attempts = CASE WHEN done.outcome IS NULL THEN d.attempts - 1 ELSE d.attempts END
             FROM done
             WHERE d.tenant_id = $1 AND d.id = done.id
               AND d.state = 'pending' AND d.lease = $2 AND d.attempts = done.number
             RETURNING d.id
         ), recorded AS (
             INSERT INTO delivery_attempt (tenant_id, delivery_id, number, started_at, duration_us, outcome,
                                           http_status, error_kind, response_headers, response_body)
             SELECT $1, done.id, done.number, done.started_at, done.duration_us, done.outcome,
                    done.http_status, done.error_kind, done.response_headers, done.response_body
             FROM done JOIN changed ON changed.id = done.id
             WHERE done.outcome IS NOT NULL
         )
         SELECT count(*) FROM changed",
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
    .fetch_one(connection)
    .await?;
    Ok(written.unsigned_abs())
}

/// A batch, one array a column.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    numbers: Vec<i16>,
    states: Vec<&'static str>,
    due_ats: Vec<DateTime<Utc>>,
    reasons: Vec<Option<&'a str>>,
    remote_ids: Vec<Option<&'a str>>,
    finished_ats: Vec<Option<DateTime<Utc>>>,
    started_ats: Vec<Option<DateTime<Utc>>>,
    durations: Vec<Option<i32>>,
    outcomes: Vec<Option<&'static str>>,
    statuses: Vec<Option<i16>>,
    error_kinds: Vec<Option<&'static str>>,
    headers: Vec<Option<Json<&'a BTreeMap<String, String>>>>,
    bodies: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a [Finished]) -> Self {
        let mut columns = Self::default();
        for finished in batch {
            columns.push(finished);
        }
        columns
    }

    fn push(&mut self, finished: &'a Finished) {
        let done_at = finished.at;
        let (state, due_at, reason, remote_id, finished_at) = match &finished.state {
            State::Pending(due_at) => ("pending", *due_at, None, None, None),
            State::Delivered { remote_id } => {
                ("delivered", done_at, None, remote_id.as_deref(), Some(done_at))
            }
            State::Failed { reason } => ("failed", done_at, Some(reason.as_str()), None, Some(done_at)),
            State::Held { reason } => ("held", done_at, Some(reason.as_str()), None, None),
        };
        self.ids.push(finished.id.uuid());
        self.numbers.push(finished.number);
        self.states.push(state);
        self.due_ats.push(due_at);
        self.reasons.push(reason);
        self.remote_ids.push(remote_id);
        self.finished_ats.push(finished_at);
        let attempt = finished.attempt.as_ref();
        self.started_ats.push(attempt.map(|attempt| attempt.started_at));
        self.durations.push(attempt.map(|attempt| attempt.duration_us));
        self.outcomes.push(attempt.map(|attempt| attempt.outcome));
        self.statuses.push(attempt.and_then(|attempt| attempt.http_status));
        self.error_kinds.push(attempt.and_then(|attempt| attempt.error_kind));
        self.headers
            .push(attempt.map(|attempt| &attempt.headers).filter(|headers| !headers.is_empty()).map(Json));
        self.bodies.push(attempt.map(|attempt| attempt.body.as_str()).filter(|body| !body.is_empty()));
    }
}
