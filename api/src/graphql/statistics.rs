//! Counts and latencies of deliveries over a period.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::DestinationId;
use service::delivery::reads::{self, Period, Point, StatusCount};

use super::big_int::BigInt;
use super::delivery::DeliveryState;
use super::error::{ApiError, stored};
use super::id::Id;
use super::operation::operation;
use super::wants::Selected;

/// The longest period; figures are counted when they are asked for.
const DAYS_MAX: i64 = 366;

/// What deliveries came to.
#[derive(Default, SimpleObject)]
pub struct DeliveryStatistics {
    total: BigInt,
    by_state: Vec<StateCount>,
    by_http_status: Vec<HttpStatusCount>,
    /// One point an interval, oldest first.
    series: Vec<DeliveryPoint>,
}

/// Deliveries in one state.
#[derive(SimpleObject)]
pub struct StateCount {
    state: DeliveryState,
    count: BigInt,
}

/// Attempts that were answered alike.
#[derive(SimpleObject)]
pub struct HttpStatusCount {
    /// null: no answer.
    http_status: Option<i16>,
    error_kind: Option<String>,
    count: BigInt,
}

impl From<StatusCount> for HttpStatusCount {
    fn from(row: StatusCount) -> Self {
        Self { http_status: row.http_status, error_kind: row.error_kind, count: row.count.into() }
    }
}

/// Attempts begun in one interval, and how long they took.
#[derive(SimpleObject)]
pub struct DeliveryPoint {
    at: DateTime<Utc>,
    attempts: BigInt,
    delivered: BigInt,
    failed: BigInt,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

impl From<Point> for DeliveryPoint {
    fn from(row: Point) -> Self {
        Self {
            at: row.at,
            attempts: row.attempts.into(),
            delivered: row.delivered.into(),
            failed: (row.attempts - row.delivered).into(),
            p50_ms: row.p50_ms,
            p95_ms: row.p95_ms,
        }
    }
}

#[derive(Default)]
pub(super) struct StatisticsQueries;

#[Object]
impl StatisticsQueries {
    /// Counts and latencies for the overview and the deliveries page.
    #[graphql(complexity = "200 + child_complexity")]
    async fn delivery_statistics(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        destination: Option<Id<DestinationId>>,
    ) -> Result<DeliveryStatistics, ApiError> {
        let reads = operation(context)?.read().await?;
        let period =
            Period { since, until: until.unwrap_or(reads.now), destination: destination.map(|id| id.0) };
        check(period)?;
        if let Some(id) = period.destination {
            service::delivery::manage::by_id(&reads, id).await?;
        }
        let selected = Selected::here(context);
        let mut statistics = DeliveryStatistics::default();
        if selected.has("total") || selected.has("byState") {
            for (word, count) in reads::count_by_state(&reads, period).await? {
                let state = stored("delivery.state", uuid::Uuid::nil(), &word, DeliveryState::of(&word))?;
                statistics.total.0 += count;
                statistics.by_state.push(StateCount { state, count: count.into() });
            }
        }
        if selected.has("byHttpStatus") {
            let rows = reads::count_by_http_status(&reads, period).await?;
            statistics.by_http_status = rows.into_iter().map(Into::into).collect();
        }
        if selected.has("series") {
            statistics.series = reads::series(&reads, period).await?.into_iter().map(Into::into).collect();
        }
        Ok(statistics)
    }
}

pub(super) fn check(period: Period) -> Result<(), ApiError> {
    if period.until <= period.since {
        return Err(ApiError::invalid("until", "`until` must lie after `since`"));
    }
    if period.until - period.since > TimeDelta::days(DAYS_MAX) {
        return Err(ApiError::limit(format!("the period is longer than {DAYS_MAX} days")));
    }
    Ok(())
}
