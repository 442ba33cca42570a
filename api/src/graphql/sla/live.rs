//! How the open clocks stand, now and as it changes.

use std::time::Duration;

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use service::sla::escalation;
use service::sla::reads::{self, ClockFilter};
use tokio::sync::watch;

use super::super::error::ApiError;
use super::super::operation::{Operation, Reads};
use super::count;

/// The longest time between two looks: another process may change clocks, and wakes nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The shortest.
const REST: Duration = Duration::from_millis(500);

/// How the open clocks stand.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct SlaNow {
    /// When that was.
    at: DateTime<Utc>,
    /// Running and not at risk.
    running: i32,
    at_risk: i32,
    /// Ran out and still open.
    overdue: i32,
    paused: i32,
    /// Cases in which help can be booked, of every clock: the filter does not concern them.
    open_cases: i32,
}

impl SlaNow {
    pub(super) async fn read(reads: &Reads, filter: &ClockFilter) -> Result<Self, ApiError> {
        let now = reads::now(reads, filter, reads.now).await?;
        let cases = escalation::open_cases(reads).await?;
        Ok(Self {
            at: reads.now,
            running: count(now.running),
            at_risk: count(now.at_risk),
            overdue: count(now.overdue),
            paused: count(now.paused),
            open_cases: i32::try_from(cases.len()).unwrap_or(i32::MAX),
        })
    }

    fn differs(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } != *other
    }
}

/// The board's counts now, and again whenever one of them has changed.
pub(in super::super) fn changes(
    operation: &Operation,
    filter: ClockFilter,
    mut woken: watch::Receiver<u64>,
) -> impl Stream<Item = Result<SlaNow, ApiError>> {
    async_stream::try_stream! {
        let mut told: Option<SlaNow> = None;
        loop {
            operation.require_still().await?;
            operation.finish_reads().await;
            let now = SlaNow::read(&operation.read().await?, &filter).await;
            operation.finish_reads().await;
            let now = now?;
            if told.as_ref().is_none_or(|told| now.differs(told)) {
                told = Some(now.clone());
                yield now;
            }
            tokio::time::sleep(REST).await;
            // The sender lives as long as the process; were it gone, the timer would still be there.
            let _ = tokio::time::timeout(LOOK_AGAIN, woken.changed()).await;
        }
    }
}
