//! When a destination that does not answer is left alone, and when it is tried again.

use std::time::Duration;

use super::Outcome;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(30);

/// What an outcome says about the destination, beside what it says about the lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// It answers as it should, if only to refuse a lead.
    Well,
    /// It does not answer, or has an error.
    Trouble(String),
    /// It lets nothing in until a person acts.
    Barred(String),
    /// It asked for fewer requests; that is neither.
    Busy,
}

impl Signal {
    /// What that outcome says about the destination.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered { .. } | Outcome::Refused { .. } => Self::Well,
            Outcome::Barred { reason } => Self::Barred(reason.clone()),
            Outcome::Retryable { rate_limited: true, .. } => Self::Busy,
            Outcome::Retryable { reason, .. } | Outcome::Unknown { reason } => Self::Trouble(reason.clone()),
        }
    }
}

/// How long a destination is left alone after so many tries in vain: the first pause, doubled each time, up to half an hour.
pub fn pause(first: Duration, tries: u16) -> Duration {
    first
        .saturating_mul(1_u32.checked_shl(tries.min(16).into()).unwrap_or(u32::MAX))
        .min(PAUSE_MAX.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_half_an_hour() {
        let first = Duration::from_secs(15);
        let seconds: Vec<u64> = (0..9).map(|tries| pause(first, tries).as_secs()).collect();
        assert_eq!(seconds, [15, 30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        assert_eq!(pause(Duration::from_hours(2), 3), Duration::from_hours(2), "a longer first one stays");
        assert_eq!(pause(first, u16::MAX), PAUSE_MAX);
    }
}
