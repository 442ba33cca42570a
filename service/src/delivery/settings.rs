//! How a worker works: deadlines, leases, how much at a time.

use std::time::Duration;

use domain::delivery::RetrySchedule;

use super::client;

/// How a worker works. The defaults suit a machine with a few cores and one worker process on it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Outgoing requests.
    pub client: client::Settings,
    /// When to try again.
    pub schedule: RetrySchedule,
    /// For how long a claim holds; more than the deadline, so that what waits its turn is still sent.
    pub lease: Duration,
    /// Deliveries held at a time at most, from claim to commit.
    pub places: usize,
    /// Deliveries in one claim or one commit at most.
    pub batch: usize,
    /// Requests to one destination at a time at most.
    pub requests_per_destination: usize,
    /// Longest time between two looks at the database when nobody wakes the worker.
    pub poll: Duration,
    /// How long outcomes wait for company before they are committed, while more are on their way.
    pub gather: Duration,
    /// How long requests on their way may go on after the worker was told to stop.
    pub stop_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: client::Settings::default(),
            schedule: RetrySchedule::default(),
            lease: Duration::from_secs(35),
            places: 2_048,
            batch: 256,
            requests_per_destination: 128,
            poll: Duration::from_millis(500),
            gather: Duration::from_millis(10),
            stop_limit: Duration::from_secs(20),
        }
    }
}
