//! Deliveries as people read them: lists, attempts, figures over time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DeliveryId, DestinationId, LeadId};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, Row};
use uuid::Uuid;

use crate::database::{StoredJson, TenantTx};
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut, push_page};

/// A delivery as it is shown.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of table delivery, whose migration says what they mean")]
pub struct DeliveryRow {
    pub id: Uuid,
    pub lead_id: Uuid,
    pub destination_id: Uuid,
    pub state: String,
    pub attempts: i16,
    pub due_at: DateTime<Utc>,
    pub lease: Option<Uuid>,
    pub reason: Option<String>,
    pub remote_id: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
    pub code: Option<String>,
}

impl FromRow<'_, PgRow> for DeliveryRow {
    /// By position in the list of columns.
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            lead_id: row.try_get(1)?,
            destination_id: row.try_get(2)?,
            state: row.try_get(3)?,
            attempts: row.try_get(4)?,
            due_at: row.try_get(5)?,
            lease: row.try_get(6)?,
            reason: row.try_get(7)?,
            remote_id: row.try_get(8)?,
            finished_at: row.try_get(9)?,
            code: row.try_get(10)?,
        })
    }
}

/// An attempt as it is shown.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of table delivery_attempt, whose migration says what they mean")]
pub struct AttemptRow {
    pub delivery_id: Uuid,
    pub number: i16,
    pub started_at: DateTime<Utc>,
    pub duration_us: i32,
    pub outcome: String,
    pub http_status: Option<i16>,
    pub error_kind: Option<String>,
    pub response_headers: Option<StoredJson>,
    pub response_body: Option<String>,
    pub looked_up: Option<String>,
}

impl FromRow<'_, PgRow> for AttemptRow {
    /// By position in the list of columns.
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            delivery_id: row.try_get(0)?,
            number: row.try_get(1)?,
            started_at: row.try_get(2)?,
            duration_us: row.try_get(3)?,
            outcome: row.try_get(4)?,
            http_status: row.try_get(5)?,
            error_kind: row.try_get(6)?,
            response_headers: row.try_get(7)?,
            response_body: row.try_get(8)?,
            looked_up: row.try_get(9)?,
        })
    }
}

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To these destinations; all when empty.
    pub destinations: Vec<DestinationId>,
    /// In these states, as the column has them, or `sending`; all when empty.
    pub states: Vec<String>,
    /// With an attempt that was answered so.
    pub http_status: Option<i16>,
    /// Of that lead.
    pub lead: Option<LeadId>,
}

const DELIVERY: &str =
    "id, lead_id, destination_id, state, attempts, due_at, lease, reason, remote_id, finished_at, code";
const ATTEMPT: &str = "delivery_id, number, started_at, duration_us, outcome, http_status, error_kind, response_headers, response_body, looked_up";

/// The lead that a CRM knows by that id of its own: the one delivered last, of those that the transaction sees.
pub async fn lead_of_remote_id(tx: &TenantTx, remote_id: &str) -> Result<LeadId, Error> {
    // Deliveries are everybody's of the tenant; the lead says whose it is.
    // By destination: the index on their ids begins with it.
    let sql = "SELECT d.lead_id FROM destination t
               JOIN delivery d ON d.tenant_id = t.tenant_id AND d.destination_id = t.id
               JOIN lead l ON l.tenant_id = d.tenant_id AND l.id = d.lead_id
               WHERE t.tenant_id = $1 AND d.remote_id = $2 ORDER BY d.finished_at DESC NULLS LAST LIMIT 1";
    let mut connection = tx.lock().await;
    let found: Option<Uuid> = sqlx::query_scalar(sql)
        .bind(tx.tenant().uuid())
        .bind(remote_id)
        .fetch_optional(&mut *connection)
        .await?;
    found.map(LeadId).ok_or_else(|| Error::not_found("lead", remote_id))
}

/// A page of deliveries, newest first.
pub async fn list(
    tx: &TenantTx,
    filter: &DeliveryFilter,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Rows<DeliveryRow>, Error> {
    let mut query = QueryBuilder::new(format!("SELECT {DELIVERY} FROM delivery d WHERE d.tenant_id = "));
    query.push_bind(tx.tenant().uuid());
    if !filter.destinations.is_empty() {
        let ids: Vec<Uuid> = filter.destinations.iter().map(|id| id.uuid()).collect();
        query.push(" AND d.destination_id = ANY(").push_bind(ids).push(")");
    }
    if !filter.states.is_empty() {
        query
            .push(" AND (CASE WHEN d.state = 'pending' AND d.lease IS NOT NULL AND d.due_at > ")
            .push_bind(now);
        query.push(" THEN 'sending' ELSE d.state END) = ANY(").push_bind(filter.states.clone()).push(")");
        // Lets the small index of those that need a person be used.
        if filter.states.iter().all(|state| ["failed", "held", "unknown"].contains(&state.as_str())) {
            query.push(" AND d.state IN ('failed', 'held', 'unknown')");
        }
    }
    if let Some(status) = filter.http_status {
        query.push(" AND EXISTS (SELECT FROM delivery_attempt a WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.id AND a.http_status = ");
        query.push_bind(status).push(")");
    }
    if let Some(lead) = filter.lead {
        query.push(" AND d.lead_id = ").push_bind(lead.uuid());
    }
    push_page(&mut query, "d.id", page);
    let mut connection = tx.lock().await;
    let rows = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// The delivery of that id.
pub async fn by_id(tx: &TenantTx, id: DeliveryId) -> Result<DeliveryRow, Error> {
    let mut connection = tx.lock().await;
    sqlx::query_as(AssertSqlSafe(format!("SELECT {DELIVERY} FROM delivery WHERE tenant_id = $1 AND id = $2")))
        .bind(tx.tenant().uuid())
        .bind(id.uuid())
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| Error::not_found("delivery", id))
}

/// The deliveries of those leads, oldest first.
pub async fn of_leads(tx: &TenantTx, leads: &[LeadId]) -> Result<Vec<DeliveryRow>, Error> {
    let ids: Vec<Uuid> = leads.iter().map(|id| id.uuid()).collect();
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {DELIVERY} FROM delivery WHERE tenant_id = $1 AND lead_id = ANY($2) ORDER BY id"
    )))
    .bind(tx.tenant().uuid())
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?)
}

/// The attempts of those deliveries, in their order.
pub async fn attempts_of(tx: &TenantTx, deliveries: &[DeliveryId]) -> Result<Vec<AttemptRow>, Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
    let mut query = QueryBuilder::new(format!("SELECT {ATTEMPT} FROM delivery_attempt WHERE tenant_id = "));
    query.push_bind(tx.tenant().uuid()).push(" AND delivery_id = ANY(").push_bind(ids);
    query.push(") ORDER BY delivery_id, number");
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// Deliveries by destination and state, all of them.
pub async fn count_by_destination(tx: &TenantTx) -> Result<Vec<(DestinationId, String, i64)>, Error> {
    let mut connection = tx.lock().await;
    let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "SELECT destination_id, state, count(*) FROM delivery WHERE tenant_id = $1 GROUP BY 1, 2",
    )
    .bind(tx.tenant().uuid())
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows.into_iter().map(|(id, state, count)| (DestinationId(id), state, count)).collect())
}

/// What the figures are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// From this time.
    pub since: DateTime<Utc>,
    /// Before this time.
    pub until: DateTime<Utc>,
    /// To that destination only.
    pub destination: Option<DestinationId>,
}

impl Period {
    /// A length of interval that gives at most some sixty points.
    pub fn interval(self) -> TimeDelta {
        const STEPS_MINUTES: [i64; 8] = [1, 5, 15, 60, 180, 360, 1440, 10_080];
        let minutes = (self.until - self.since).num_minutes();
        let step = STEPS_MINUTES.into_iter().find(|step| minutes <= step * 60).unwrap_or(STEPS_MINUTES[7]);
        TimeDelta::minutes(step)
    }
}

/// Attempts that were answered alike.
#[derive(Clone, Debug, FromRow)]
pub struct StatusCount {
    /// None: no answer came.
    pub http_status: Option<i16>,
    /// Then: why not.
    pub error_kind: Option<String>,
    /// How many.
    pub count: i64,
}

/// One interval of the series.
#[derive(Clone, Debug, FromRow)]
pub struct Point {
    /// Where it begins.
    pub at: DateTime<Utc>,
    /// Attempts begun in it.
    pub attempts: i64,
    /// Of these, delivered.
    pub delivered: i64,
    /// Median duration, milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the duration, milliseconds.
    pub p95_ms: Option<f64>,
}

const OF_PERIOD: &str = "FROM delivery_attempt a
    WHERE a.tenant_id = $1 AND a.started_at >= $2 AND a.started_at < $3
      AND ($4::uuid IS NULL OR EXISTS (SELECT FROM delivery d
           WHERE d.tenant_id = $1 AND d.id = a.delivery_id AND d.destination_id = $4))";

/// Deliveries by state, of those made in the period.
pub async fn count_by_state(tx: &TenantTx, period: Period) -> Result<Vec<(String, i64)>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT state, count(*) FROM delivery
         WHERE tenant_id = $1 AND id >= $2 AND id < $3 AND ($4::uuid IS NULL OR destination_id = $4)
         GROUP BY state",
    )
    .bind(tx.tenant().uuid())
    .bind(crate::intake::leads::first_id_of(period.since))
    .bind(crate::intake::leads::first_id_of(period.until))
    .bind(period.destination.map(DestinationId::uuid))
    .fetch_all(&mut *connection)
    .await?)
}

/// Attempts of the period by what was answered, the most frequent first.
pub async fn count_by_http_status(tx: &TenantTx, period: Period) -> Result<Vec<StatusCount>, Error> {
    let sql = format!(
        "SELECT a.http_status, CASE WHEN a.http_status IS NULL THEN a.error_kind END AS error_kind, count(*) AS count
         {OF_PERIOD} GROUP BY 1, 2 ORDER BY count(*) DESC, 1"
    );
    rows(tx, period, sql).await
}

/// The rows of a statement over the attempts of a period: `$1` the tenant, `$2` from, `$3` until, `$4` the destination or null.
pub(super) async fn rows<T>(tx: &TenantTx, period: Period, sql: String) -> Result<Vec<T>, Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(period.since)
        .bind(period.until)
        .bind(period.destination.map(DestinationId::uuid))
        .fetch_all(&mut *connection)
        .await?)
}

/// Attempts and their durations over the period, oldest first; intervals without an attempt are there too.
pub async fn series(tx: &TenantTx, period: Period) -> Result<Vec<Point>, Error> {
    let sql = format!(
        "WITH counted AS (
             SELECT date_bin(make_interval(mins => $5), a.started_at, 'epoch') AS at,
                    count(*) AS attempts, count(*) FILTER (WHERE a.outcome = 'delivered') AS delivered,
                    percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_us) / 1000.0 AS p50_ms,
                    percentile_cont(0.95) WITHIN GROUP (ORDER BY a.duration_us) / 1000.0 AS p95_ms
             {OF_PERIOD} GROUP BY 1
         )
         SELECT step AS at, coalesce(attempts, 0) AS attempts, coalesce(delivered, 0) AS delivered, p50_ms, p95_ms
         FROM generate_series(date_bin(make_interval(mins => $5), $2, 'epoch'), $3, make_interval(mins => $5)) step
         LEFT JOIN counted ON counted.at = step
         WHERE step < $3
         ORDER BY step"
    );
    let minutes = i32::try_from(period.interval().num_minutes()).unwrap_or(i32::MAX);
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(period.since)
        .bind(period.until)
        .bind(period.destination.map(DestinationId::uuid))
        .bind(minutes)
        .fetch_all(&mut *connection)
        .await?)
}
