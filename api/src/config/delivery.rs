//! Section `delivery`: what goes out.

use std::time::Duration;

use domain::delivery::RetrySchedule;
use serde::Deserialize;

use super::{Error, within};

/// What goes out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Whether plain http and private addresses are allowed.
    pub allow_private_addresses: bool,
    /// From connecting to the last byte, milliseconds.
    pub deadline_ms: u64,
    /// Requests to one destination at a time.
    pub requests_per_destination: usize,
    /// Deliveries that one process works on at a time.
    pub deliveries_at_once: usize,
    /// The longest pause between two looks for work, milliseconds.
    pub poll_ms: u64,
    /// Attempts of a delivery in all.
    pub attempts_max: u16,
    /// Pauses between attempts, seconds.
    pub retry_delays_s: Vec<u64>,
    /// How much a pause varies, percent.
    pub retry_jitter_percent: u8,
    /// For requests on their way when the worker stops, milliseconds.
    pub stop_limit_ms: u64,
}

/// A pause of more than a year is a mistake in the unit.
const DELAY_S_MAX: u64 = 366 * 24 * 3_600;

impl Delivery {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("delivery.deadline_ms", self.deadline_ms, 100, 300_000)?;
        within("delivery.requests_per_destination", self.requests_per_destination, 1, 100_000)?;
        within("delivery.deliveries_at_once", self.deliveries_at_once, 1, 1_000_000)?;
        within("delivery.poll_ms", self.poll_ms, 10, 3_600_000)?;
        within("delivery.attempts_max", self.attempts_max, 1, 1_000)?;
        within("delivery.retry_jitter_percent", self.retry_jitter_percent, 0, 100)?;
        within("delivery.stop_limit_ms", self.stop_limit_ms, 0, 600_000)?;
        if self.retry_delays_s.is_empty() {
            return Err(Error::value("delivery.retry_delays_s", "must name at least one pause"));
        }
        self.retry_delays_s
            .iter()
            .try_for_each(|delay| within("delivery.retry_delays_s", *delay, 0, DELAY_S_MAX))
    }

    /// As the worker takes it. A claim holds longer than two deadlines, so that what waits its turn is still sent.
    pub(super) fn settings(&self) -> service::delivery::Settings {
        let defaults = service::delivery::Settings::default();
        let deadline = Duration::from_millis(self.deadline_ms);
        service::delivery::Settings {
            client: service::delivery::client::Settings {
                deadline,
                allow_private_addresses: self.allow_private_addresses,
                ..defaults.client
            },
            schedule: RetrySchedule {
                delays: self.retry_delays_s.iter().copied().map(Duration::from_secs).collect(),
                attempts_max: self.attempts_max,
                jitter_percent: self.retry_jitter_percent,
            },
            lease: deadline * 2 + Duration::from_secs(5),
            places: self.deliveries_at_once,
            requests_per_destination: self.requests_per_destination,
            poll: Duration::from_millis(self.poll_ms),
            stop_limit: Duration::from_millis(self.stop_limit_ms),
            ..defaults
        }
    }
}
