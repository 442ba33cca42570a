//! The failure rate (S003-20, S003-22, S003-27).
//!
//! Each lead counts once, by the time of its first submission. It has **failed** when a delivery of it ever came to an end that needs a
//! person, whether that was resolved since or not; it has **succeeded** when all were taken without; one that is still on its way counts
//! as neither. An attempt that Baton repeated by itself is no failure.

use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::DestinationId;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow};

use crate::database::TenantTx;
use crate::error::Error;

/// What the leads of a period came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Rate {
    /// Leads that succeeded.
    pub succeeded: i64,
    /// Leads that failed, resolved since or not.
    pub failed: i64,
    /// Leads that are still on their way.
    pub pending: i64,
}

/// The same of one channel.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ChannelRate {
    /// How the leads arrived.
    pub channel: String,
    /// What they came to.
    #[sqlx(flatten)]
    pub rate: Rate,
}

/// The same of one day and channel.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct DayRate {
    /// The day, in the zone that was asked for.
    pub day: NaiveDate,
    /// How the leads arrived.
    pub channel: String,
    /// What they came to.
    #[sqlx(flatten)]
    pub rate: Rate,
}

/// Each lead that was first submitted in the period, with what it came to. The first attempt that is known counts, whatever its number: one
/// that a process took with it has no row. $1 tenant, $2 and $3 the period, $4 the destination.
const FIRST: &str = "WITH first AS (
        SELECT d.lead_id, min(a.started_at) AS at,
               bool_or(d.state IN ('failed', 'held', 'unknown') OR d.failed_once) AS failed,
               bool_and(d.state = 'delivered') AS delivered
        FROM delivery_attempt a
        JOIN delivery d ON d.tenant_id = $1 AND d.id = a.delivery_id
        WHERE a.tenant_id = $1 AND a.started_at >= $2 AND a.started_at < $3
          AND ($4::uuid IS NULL OR d.destination_id = $4)
          AND NOT EXISTS (
              SELECT FROM delivery d0 JOIN delivery_attempt a0 ON a0.tenant_id = $1 AND a0.delivery_id = d0.id
              WHERE d0.tenant_id = $1 AND d0.lead_id = d.lead_id AND a0.started_at < $2
                AND ($4::uuid IS NULL OR d0.destination_id = $4))
        GROUP BY d.lead_id
    )";
const COUNTS: &str =
    "count(*) FILTER (WHERE delivered AND NOT failed) AS succeeded, count(*) FILTER (WHERE failed) AS failed,
    count(*) FILTER (WHERE NOT delivered AND NOT failed) AS pending";

/// What the leads that were first submitted in the period came to, of one destination or of all.
pub async fn of_period(
    tx: &TenantTx,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    destination: Option<DestinationId>,
) -> Result<Rate, Error> {
    let sql = format!("{FIRST} SELECT {COUNTS} FROM first");
    let mut rates: Vec<Rate> = counted(tx, sql, (since, until), destination).await?;
    rates.pop().ok_or_else(|| Error::internal("counting submissions", "no row came back"))
}

async fn counted<T>(
    tx: &TenantTx,
    sql: String,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
    destination: Option<DestinationId>,
) -> Result<Vec<T>, Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(since)
        .bind(until)
        .bind(destination.map(DestinationId::uuid))
        .fetch_all(&mut *connection)
        .await?)
}

/// The same by channel, in the order of their names (S003-22).
pub async fn by_channel(
    tx: &TenantTx,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    destination: Option<DestinationId>,
) -> Result<Vec<ChannelRate>, Error> {
    let sql = format!(
        "{FIRST} SELECT l.channel, {COUNTS} FROM first
         CROSS JOIN LATERAL (SELECT channel FROM lead WHERE tenant_id = $1 AND id = first.lead_id) l
         GROUP BY 1 ORDER BY 1"
    );
    counted(tx, sql, (since, until), destination).await
}

/// The same by day of that zone and channel, newest day first (S003-20).
pub async fn by_day(
    tx: &TenantTx,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: &str,
) -> Result<Vec<DayRate>, Error> {
    let sql = format!(
        "{FIRST} SELECT (first.at AT TIME ZONE $5)::date AS day, l.channel, {COUNTS} FROM first
         CROSS JOIN LATERAL (SELECT channel FROM lead WHERE tenant_id = $1 AND id = first.lead_id) l
         GROUP BY 1, 2 ORDER BY 1 DESC, 2"
    );
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(since)
        .bind(until)
        .bind(None::<uuid::Uuid>)
        .bind(zone)
        .fetch_all(&mut *connection)
        .await?)
}

/// The tenant's own zone.
pub async fn zone(tx: &TenantTx) -> Result<String, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_scalar("SELECT time_zone FROM tenant WHERE id = $1")
        .bind(tx.tenant().uuid())
        .fetch_one(&mut *connection)
        .await?)
}
