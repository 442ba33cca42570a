//! Service levels: clocks and what they came to, policies and calendars, cases and bookings.

mod clocks;
mod escalation;
mod figures;
mod live;
mod policy;
mod promises;
mod worth;

pub(super) use clocks::ClockQueries;
pub(super) use escalation::{EscalationMutations, EscalationQueries};
pub(super) use figures::{SlaFilter, SlaQueries};
pub(super) use live::{SlaNow, changes};
pub(super) use promises::{PromiseMutations, PromiseQueries};
pub(super) use worth::{WorthMutations, WorthQueries};

/// A count as the schema has it.
fn count(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "a duration of years is below 2^52 microseconds")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
