//! What came of a worker's work, in numbers.

use super::store::{Finished, State};

/// What came of a piece of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Claims made.
    pub claimed: u64,
    /// Delivered.
    pub delivered: u64,
    /// Failed: refused, or out of attempts.
    pub failed: u64,
    /// Held: cannot be sent as they are.
    pub held: u64,
    /// Nobody knows whether they arrived: a person decides.
    pub unknown: u64,
    /// Stopped by a rule of the client.
    pub rejected: u64,
    /// To be tried again.
    pub again: u64,
    /// Finished too late: somebody else had them by then, and nothing was written.
    pub lost: u64,
}

impl Tally {
    pub(super) fn count(&mut self, batch: &[Finished]) {
        for finished in batch {
            match finished.state {
                State::Delivered { .. } => self.delivered += 1,
                State::Failed { .. } => self.failed += 1,
                State::Held { .. } => self.held += 1,
                State::Unknown { .. } => self.unknown += 1,
                State::Rejected { .. } => self.rejected += 1,
                State::Pending(_) | State::Refunded(_) => self.again += 1,
            }
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.held += other.held;
        self.unknown += other.unknown;
        self.rejected += other.rejected;
        self.again += other.again;
        self.lost += other.lost;
    }
}
