//! A lead's journey: the kinds of steps that are stored, in one list for every floor.
//!
//! A step that another row already says is not stored a second time: the receipt is the lead's own row, a request to a
//! destination is its delivery's attempt.

use chrono::{DateTime, Utc};

/// A stored step of a lead's journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The source sent other values for the same lead.
    Updated,
    /// The lead came in again.
    Duplicate,
    /// The source asked for the same lead once more, as a credit trigger does.
    Triggered,
    /// A person corrected the record that it came from.
    Corrected,
    /// A person had a delivery tried again.
    Retried,
    /// The service that it was submitted to has it.
    Submitted,
    /// A person reached the lead for the first time.
    Contacted,
    /// Worth selling to.
    Qualified,
    /// It became a customer.
    Sold,
    /// It will not become a customer.
    Lost,
    /// The person wants no more contact.
    OptedOut,
    /// Held back because its phone or e-mail is on the suppression list.
    Suppressed,
    /// A clock of a service-level agreement reached its at-risk share.
    AtRisk,
    /// A clock of a service-level agreement ran out.
    Breached,
    /// A clock of a service-level agreement was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// A breach opened help.
    Escalated,
    /// Help was booked.
    Booked,
    /// Reconciliation with the destination had it sent again.
    Resent,
    /// A person said that a delivery of unknown outcome arrived.
    Confirmed,
}

impl Step {
    /// Every step, in the order of a journey.
    pub const ALL: [Self; 20] = [
        Self::Updated,
        Self::Duplicate,
        Self::Triggered,
        Self::Corrected,
        Self::Retried,
        Self::Submitted,
        Self::Contacted,
        Self::Qualified,
        Self::Sold,
        Self::Lost,
        Self::OptedOut,
        Self::Suppressed,
        Self::AtRisk,
        Self::Breached,
        Self::Paused,
        Self::Resumed,
        Self::Escalated,
        Self::Booked,
        Self::Resent,
        Self::Confirmed,
    ];

    /// As it is stored in `lead_event.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Duplicate => "duplicate",
            Self::Triggered => "triggered",
            Self::Corrected => "corrected",
            Self::Retried => "retried",
            Self::Submitted => "submitted",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Sold => "sold",
            Self::Lost => "lost",
            Self::OptedOut => "opted_out",
            Self::Suppressed => "suppressed",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Escalated => "escalated",
            Self::Booked => "booked",
            Self::Resent => "resent",
            Self::Confirmed => "confirmed",
        }
    }

    /// The step of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// Where a lead stands by what was reported of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The furthest step.
    pub step: Step,
    /// Since when: the first time that it was reached; of sold and lost, the last word's.
    pub since: DateTime<Utc>,
}

impl Step {
    /// How far along the road submitted → contacted → qualified → sold or lost; none for a step that is not on it.
    pub const fn rank(self) -> Option<u8> {
        match self {
            Self::Submitted => Some(1),
            Self::Contacted => Some(2),
            Self::Qualified => Some(3),
            Self::Sold | Self::Lost => Some(4),
            _ => None,
        }
    }
}

/// Where a lead stands. The order in which reports came in does not matter, nor how often: the furthest step counts, and of sold and lost
/// the later one, because a deal may fall through or come back.
pub fn stage(steps: impl IntoIterator<Item = (Step, DateTime<Utc>)>) -> Option<Stage> {
    let mut best: Option<(u8, Stage)> = None;
    for (step, since) in steps {
        let Some(rank) = step.rank() else { continue };
        let further = match best {
            None => true,
            Some((known, stage)) if rank == known && rank == 4 => {
                // At the same moment a sale wins: it is the one that somebody is paid for.
                since > stage.since || (since == stage.since && step == Step::Sold)
            }
            Some((known, stage)) if rank == known => since < stage.since,
            Some((known, _)) => rank > known,
        };
        if further {
            best = Some((rank, Stage { step, since }));
        }
    }
    best.map(|(_, stage)| stage)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::{Step, stage};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    #[test]
    fn the_furthest_step_counts_and_the_last_word_of_sold_and_lost() {
        let told = |steps: &[(Step, i64)]| {
            stage(steps.iter().map(|(step, seconds)| (*step, at(*seconds))))
                .map(|stage| (stage.step, stage.since))
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[(Step::Retried, 1), (Step::OptedOut, 2)]), None);
        assert_eq!(told(&[(Step::Contacted, 5), (Step::Submitted, 9)]), Some((Step::Contacted, at(5))));
        assert_eq!(told(&[(Step::Contacted, 5), (Step::Contacted, 3)]), Some((Step::Contacted, at(3))));
        assert_eq!(
            told(&[(Step::Sold, 5), (Step::Lost, 7), (Step::Qualified, 9)]),
            Some((Step::Lost, at(7)))
        );
        assert_eq!(told(&[(Step::Lost, 5), (Step::Sold, 5)]), Some((Step::Sold, at(5))));
    }

    proptest! {
        #[test]
        fn the_order_and_the_number_of_reports_do_not_matter(
            steps in proptest::collection::vec((0_usize..Step::ALL.len(), 0_i64..20), 0..12),
            seed in 0_usize..100,
        ) {
            let told: Vec<_> = steps.iter().map(|(step, seconds)| (Step::ALL[*step], at(*seconds))).collect();
            let mut turned: Vec<_> = told.iter().chain(&told).copied().collect();
            let middle = if turned.is_empty() { 0 } else { seed % turned.len() };
            turned.rotate_left(middle);
            turned.reverse();
            prop_assert_eq!(stage(told), stage(turned));
        }
    }

    #[test]
    fn every_name_reads_back() {
        for step in Step::ALL {
            assert_eq!(Step::parse(step.as_str()), Some(step));
        }
        assert_eq!(Step::parse("received"), None, "the receipt is the lead's own row");
    }
}
