//! What destinations answer: by class of status, with latency percentiles, kinds of trouble, over time and by destination (S002-32).
//!
//! Counted from the attempts when it is asked for; nothing is stored a second time. What belongs to a period is found by the time index
//! of attempts.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::reads::{Period, rows};
use crate::database::TenantTx;
use crate::error::Error;

/// Kinds of trouble that are listed.
pub const TROUBLES_MAX: i64 = 50;

/// Attempts by the class of their answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Classes {
    /// Answered 2xx.
    pub ok: i64,
    /// Of these, called no success by the destination's own rule on the body.
    pub ok_refused: i64,
    /// 3xx: never followed.
    pub redirected: i64,
    /// 4xx but 429.
    pub client_error: i64,
    /// 429.
    pub throttled: i64,
    /// 5xx.
    pub server_error: i64,
    /// No answer.
    pub silent: i64,
}

/// How long attempts took, milliseconds; none when there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromRow)]
pub struct Latency {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// What one destination answered.
#[derive(Clone, Debug, FromRow)]
pub struct OfDestination {
    /// Which.
    pub destination_id: Uuid,
    /// Requests made.
    pub attempts: i64,
    /// Of these, successes.
    pub delivered: i64,
    /// By class.
    #[sqlx(flatten)]
    pub classes: Classes,
    /// How long they took.
    #[sqlx(flatten)]
    pub latency: Latency,
}

/// One interval.
#[derive(Clone, Debug, FromRow)]
pub struct Interval {
    /// Where it begins.
    pub at: DateTime<Utc>,
    /// Attempts begun in it, by class.
    #[sqlx(flatten)]
    pub classes: Classes,
    /// How long they took.
    #[sqlx(flatten)]
    pub latency: Latency,
}

/// Attempts that went wrong alike.
#[derive(Clone, Debug, FromRow)]
pub struct Trouble {
    /// The destination.
    pub destination_id: Uuid,
    /// The outcome: `refused`, `barred`, `retryable`, `unknown`.
    pub outcome: String,
    /// None: no answer came.
    pub http_status: Option<i16>,
    /// Why not, or what the answer said.
    pub error_kind: Option<String>,
    /// How many.
    pub count: i64,
    /// The first of the period.
    pub first_at: DateTime<Utc>,
    /// The last.
    pub last_at: DateTime<Utc>,
    /// A delivery whose attempt it was: the last.
    pub delivery_id: Uuid,
}

const CLASSES: &str = "
    count(*) FILTER (WHERE http_status BETWEEN 200 AND 299) AS ok,
    count(*) FILTER (WHERE http_status BETWEEN 200 AND 299 AND outcome <> 'delivered') AS ok_refused,
    count(*) FILTER (WHERE http_status BETWEEN 300 AND 399) AS redirected,
    count(*) FILTER (WHERE http_status BETWEEN 400 AND 499 AND http_status <> 429) AS client_error,
    count(*) FILTER (WHERE http_status = 429) AS throttled,
    count(*) FILTER (WHERE http_status >= 500) AS server_error,
    count(*) FILTER (WHERE http_status IS NULL) AS silent";

/// One sort for all of them.
const LATENCY: &str = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_us) AS p, max(duration_us) AS longest";

const LATENCY_MS: &str = "p[1] / 1000.0 AS p50_ms, p[2] / 1000.0 AS p95_ms, p[3] / 1000.0 AS p99_ms, longest / 1000.0::float8 AS max_ms";

const ATTEMPTS: &str = "
    SELECT d.destination_id, a.delivery_id, a.started_at, a.duration_us, a.outcome, a.http_status, a.error_kind
    FROM delivery_attempt a JOIN delivery d ON d.tenant_id = a.tenant_id AND d.id = a.delivery_id
    WHERE a.tenant_id = $1 AND a.started_at >= $2 AND a.started_at < $3 AND ($4::uuid IS NULL OR d.destination_id = $4)";

/// By destination, the busiest first.
pub async fn by_destination(tx: &TenantTx, period: Period) -> Result<Vec<OfDestination>, Error> {
    let sql = format!(
        "SELECT *, {LATENCY_MS} FROM (
             SELECT destination_id, count(*) AS attempts, count(*) FILTER (WHERE outcome = 'delivered') AS delivered,
                    {CLASSES}, {LATENCY}
             FROM ({ATTEMPTS}) a GROUP BY destination_id) counted
         ORDER BY attempts DESC, destination_id"
    );
    rows(tx, period, sql).await
}

/// Over time, oldest first; intervals without an attempt are left out.
pub async fn over_time(tx: &TenantTx, period: Period) -> Result<Vec<Interval>, Error> {
    let minutes = period.interval().num_minutes();
    let sql = format!(
        "SELECT *, {LATENCY_MS} FROM (
             SELECT date_bin(make_interval(mins => {minutes}), started_at, 'epoch') AS at, {CLASSES}, {LATENCY}
             FROM ({ATTEMPTS}) a GROUP BY 1) counted
         ORDER BY at"
    );
    rows(tx, period, sql).await
}

/// What went wrong, the most frequent first, up to [`TROUBLES_MAX`] kinds.
pub async fn troubles(tx: &TenantTx, period: Period) -> Result<Vec<Trouble>, Error> {
    let sql = format!(
        "SELECT destination_id, outcome, http_status, error_kind, count(*) AS count, min(started_at) AS first_at,
                max(started_at) AS last_at, (array_agg(delivery_id ORDER BY started_at DESC))[1] AS delivery_id
         FROM ({ATTEMPTS}) a WHERE outcome <> 'delivered'
         GROUP BY 1, 2, 3, 4 ORDER BY count(*) DESC, max(started_at) DESC LIMIT {TROUBLES_MAX}"
    );
    rows(tx, period, sql).await
}
