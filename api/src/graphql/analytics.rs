//! What destinations answer, by class, latency and kind of trouble.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId};
use service::delivery::analytics::{self, Classes, Interval, Latency, OfDestination, Trouble};
use service::delivery::reads::Period;

use super::big_int::BigInt;
use super::error::ApiError;
use super::id::Id;
use super::operation::operation;
use super::statistics;
use super::wants::Selected;

/// What destinations answered in a period.
#[derive(Default, SimpleObject)]
pub struct ResponseAnalytics {
    /// The busiest first.
    destinations: Vec<DestinationResponses>,
    /// Oldest first; intervals without an attempt are left out.
    series: Vec<ResponseInterval>,
    /// What went wrong, the most frequent first, up to 50 kinds.
    troubles: Vec<ResponseTrouble>,
    /// The length of an interval, in minutes.
    interval_minutes: i32,
}

/// Attempts by the class of their answer.
#[derive(SimpleObject)]
pub struct ResponseClasses {
    /// Answered 2xx.
    ok: BigInt,
    /// Of these, called no success by the destination's rule on the body.
    ok_refused: BigInt,
    /// 3xx: never followed.
    redirected: BigInt,
    /// 4xx but 429.
    client_error: BigInt,
    /// 429.
    throttled: BigInt,
    /// 5xx.
    server_error: BigInt,
    /// No answer.
    silent: BigInt,
}

impl From<Classes> for ResponseClasses {
    fn from(row: Classes) -> Self {
        Self {
            ok: row.ok.into(),
            ok_refused: row.ok_refused.into(),
            redirected: row.redirected.into(),
            client_error: row.client_error.into(),
            throttled: row.throttled.into(),
            server_error: row.server_error.into(),
            silent: row.silent.into(),
        }
    }
}

/// How long attempts took, from sending to the answer, in milliseconds.
#[derive(SimpleObject)]
#[expect(clippy::struct_field_names, reason = "the unit stands in each name")]
pub struct ResponseLatency {
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
}

impl From<Latency> for ResponseLatency {
    fn from(row: Latency) -> Self {
        Self { p50_ms: row.p50_ms, p95_ms: row.p95_ms, p99_ms: row.p99_ms, max_ms: row.max_ms }
    }
}

/// What one destination answered.
#[derive(SimpleObject)]
pub struct DestinationResponses {
    destination_id: ID,
    attempts: BigInt,
    delivered: BigInt,
    classes: ResponseClasses,
    latency: ResponseLatency,
}

impl From<OfDestination> for DestinationResponses {
    fn from(row: OfDestination) -> Self {
        Self {
            destination_id: ID(DestinationId(row.destination_id).to_string()),
            attempts: row.attempts.into(),
            delivered: row.delivered.into(),
            classes: row.classes.into(),
            latency: row.latency.into(),
        }
    }
}

/// One interval.
#[derive(SimpleObject)]
pub struct ResponseInterval {
    at: DateTime<Utc>,
    classes: ResponseClasses,
    latency: ResponseLatency,
}

impl From<Interval> for ResponseInterval {
    fn from(row: Interval) -> Self {
        Self { at: row.at, classes: row.classes.into(), latency: row.latency.into() }
    }
}

/// Attempts that went wrong alike.
#[derive(SimpleObject)]
pub struct ResponseTrouble {
    destination_id: ID,
    /// `refused`, `barred` (it does not let us in), `retryable` or `unknown` (it may have arrived).
    outcome: String,
    /// null: no answer.
    http_status: Option<i16>,
    error_kind: Option<String>,
    count: BigInt,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    /// The delivery whose attempt was the last of them.
    delivery_id: ID,
}

impl From<Trouble> for ResponseTrouble {
    fn from(row: Trouble) -> Self {
        Self {
            destination_id: ID(DestinationId(row.destination_id).to_string()),
            outcome: row.outcome,
            http_status: row.http_status,
            error_kind: row.error_kind,
            count: row.count.into(),
            first_at: row.first_at,
            last_at: row.last_at,
            delivery_id: ID(DeliveryId(row.delivery_id).to_string()),
        }
    }
}

#[derive(Default)]
pub(super) struct AnalyticsQueries;

#[Object]
impl AnalyticsQueries {
    /// What destinations answered: by class of status, with latency percentiles, kinds of trouble, over time and by destination.
    #[graphql(complexity = "300 + child_complexity")]
    async fn response_analytics(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        destination: Option<Id<DestinationId>>,
    ) -> Result<ResponseAnalytics, ApiError> {
        let reads = operation(context)?.read().await?;
        let period =
            Period { since, until: until.unwrap_or(reads.now), destination: destination.map(|id| id.0) };
        statistics::check(period)?;
        if let Some(id) = period.destination {
            service::delivery::manage::by_id(&reads, id).await?;
        }
        let selected = Selected::here(context);
        let minutes = i32::try_from(period.interval().num_minutes()).unwrap_or(i32::MAX);
        let mut found = ResponseAnalytics { interval_minutes: minutes, ..ResponseAnalytics::default() };
        if selected.has("destinations") {
            let rows = analytics::by_destination(&reads, period).await?;
            found.destinations = rows.into_iter().map(Into::into).collect();
        }
        if selected.has("series") {
            found.series = analytics::over_time(&reads, period).await?.into_iter().map(Into::into).collect();
        }
        if selected.has("troubles") {
            found.troubles = analytics::troubles(&reads, period).await?.into_iter().map(Into::into).collect();
        }
        Ok(found)
    }
}
