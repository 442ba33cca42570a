//! When something is worth telling a person (S003-28, S003-25): rules, their verdict, the hour of the daily summary.
//!
//! A rule compares a measure of the tenant's own with a threshold. Its verdict is one of three: the condition holds, it does not,
//! or nothing can be said (no leads were sent, so there is no rate). What cannot be said changes nothing: an alert neither begins nor
//! clears by silence.

use chrono::{Days, NaiveDate, NaiveDateTime, Timelike as _};

/// What a rule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Leads whose delivery failed or is held, now.
    FailedLeads,
    /// The share of leads that succeeded, of those first sent in a window.
    SuccessRate,
    /// A destination that takes nothing until a person acts, or has not answered for a quarter of an hour.
    DestinationHeld,
    /// Differences that a reconciliation found and nobody has settled.
    Reconciliation,
    /// A source that has sent nothing for some hours.
    SilentSource,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::FailedLeads,
        Self::SuccessRate,
        Self::DestinationHeld,
        Self::Reconciliation,
        Self::SilentSource,
    ];

    /// As it is stored and written on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailedLeads => "failed_leads",
            Self::SuccessRate => "success_rate",
            Self::DestinationHeld => "destination_held",
            Self::Reconciliation => "reconciliation",
            Self::SilentSource => "silent_source",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What is wrong with a rule: the field, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The field, as people write it.
    pub field: &'static str,
    /// What would be right.
    pub message: &'static str,
}

/// The numbers of a rule, as far as they concern its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What it watches.
    pub kind: Kind,
    /// A count, a percentage or hours, as the kind says.
    pub threshold: i32,
    /// Minutes, of [`Kind::SuccessRate`].
    pub window_minutes: Option<i32>,
}

/// The longest window of a success rate: 31 days.
pub const WINDOW_MINUTES_MAX: i32 = 31 * 24 * 60;
/// The longest silence that a rule waits for: 31 days.
const SILENCE_HOURS_MAX: i32 = 31 * 24;

impl Limits {
    /// Whether the numbers make sense for the kind.
    pub fn check(self) -> Result<(), Fault> {
        let fault = |field, message| Err(Fault { field, message });
        match self.kind {
            Kind::SuccessRate if !(1..=100).contains(&self.threshold) => {
                fault("threshold", "the threshold of a success rate is a percentage from 1 to 100")
            }
            Kind::SuccessRate
                if !self
                    .window_minutes
                    .is_some_and(|minutes| (1..=WINDOW_MINUTES_MAX).contains(&minutes)) =>
            {
                fault("windowMinutes", "a success rate needs a window of 1 to 44640 minutes (31 days)")
            }
            Kind::SilentSource if !(1..=SILENCE_HOURS_MAX).contains(&self.threshold) => {
                fault("threshold", "the threshold of a silent source is 1 to 744 hours (31 days)")
            }
            Kind::DestinationHeld if self.threshold != 0 => {
                fault("threshold", "a held destination has no threshold: leave it out")
            }
            _ if self.threshold < 0 => fault("threshold", "the threshold must not be negative"),
            Kind::SuccessRate => Ok(()),
            _ if self.window_minutes.is_some() => fault("windowMinutes", "only a success rate has a window"),
            _ => Ok(()),
        }
    }
}

/// What was measured for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// So many leads, differences, held destinations.
    Count(i64),
    /// Of so many leads, so many succeeded.
    Share {
        /// Those that succeeded.
        succeeded: i64,
        /// All of them.
        of: i64,
    },
    /// So many whole hours of silence.
    SilentHours(i64),
}

/// What follows of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The condition holds: an alert begins, or goes on.
    Holds,
    /// It does not: an alert clears.
    Clear,
    /// Nothing can be said, and nothing changes.
    Unknown,
}

/// Whether the condition of a rule holds.
pub fn judge(limits: Limits, measure: Measure) -> Verdict {
    let threshold = i64::from(limits.threshold);
    let holds = match measure {
        Measure::Count(count) => count > threshold,
        Measure::Share { of: 0, .. } => return Verdict::Unknown,
        // In whole numbers: 99 of 100 is not below 99 percent.
        Measure::Share { succeeded, of } => {
            i128::from(succeeded) * 100 < i128::from(threshold) * i128::from(of)
        }
        Measure::SilentHours(hours) => hours >= threshold,
    };
    if holds { Verdict::Holds } else { Verdict::Clear }
}

/// The day whose summary is due: yesterday, once the tenant's clock has come to the hour.
///
/// By the clock on the wall: where an hour is left out in spring, the first moment after it is due; where one comes twice in
/// autumn, the day has been summed up by then.
pub fn summary_day(local: NaiveDateTime, hour: u32) -> Option<NaiveDate> {
    (local.hour() >= hour).then(|| local.date().checked_sub_days(Days::new(1))).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(kind: Kind, threshold: i32, window_minutes: Option<i32>) -> Limits {
        Limits { kind, threshold, window_minutes }
    }

    #[test]
    fn a_rule_says_which_number_makes_no_sense() {
        let table = [
            (Kind::FailedLeads, 0, None, None),
            (Kind::FailedLeads, -1, None, Some("threshold")),
            (Kind::FailedLeads, 5, Some(60), Some("windowMinutes")),
            (Kind::SuccessRate, 95, Some(60), None),
            (Kind::SuccessRate, 95, None, Some("windowMinutes")),
            (Kind::SuccessRate, 101, Some(60), Some("threshold")),
            (Kind::SuccessRate, 95, Some(0), Some("windowMinutes")),
            (Kind::SilentSource, 6, None, None),
            (Kind::SilentSource, 0, None, Some("threshold")),
            (Kind::DestinationHeld, 0, None, None),
            (Kind::DestinationHeld, 1, None, Some("threshold")),
            (Kind::Reconciliation, 0, None, None),
        ];
        for (kind, threshold, window, fault) in table {
            let found = limits(kind, threshold, window).check().err().map(|fault| fault.field);
            assert_eq!(found, fault, "{kind:?} {threshold} {window:?}");
        }
    }

    #[test]
    fn a_condition_holds_beyond_its_threshold() {
        let failed = limits(Kind::FailedLeads, 5, None);
        assert_eq!(judge(failed, Measure::Count(5)), Verdict::Clear);
        assert_eq!(judge(failed, Measure::Count(6)), Verdict::Holds);
        let rate = limits(Kind::SuccessRate, 99, Some(60));
        assert_eq!(judge(rate, Measure::Share { succeeded: 99, of: 100 }), Verdict::Clear);
        assert_eq!(judge(rate, Measure::Share { succeeded: 989, of: 1000 }), Verdict::Holds);
        assert_eq!(judge(rate, Measure::Share { succeeded: 0, of: 0 }), Verdict::Unknown);
        let silent = limits(Kind::SilentSource, 6, None);
        assert_eq!(judge(silent, Measure::SilentHours(5)), Verdict::Clear);
        assert_eq!(judge(silent, Measure::SilentHours(6)), Verdict::Holds);
    }

    #[test]
    fn the_summary_of_a_day_is_due_from_its_hour_on() {
        let at = |hour, minute| {
            NaiveDate::from_ymd_opt(2026, 3, 1)
                .and_then(|day| day.and_hms_opt(hour, minute, 0))
                .expect("a time")
        };
        assert_eq!(summary_day(at(6, 59), 7), None);
        assert_eq!(summary_day(at(7, 0), 7), NaiveDate::from_ymd_opt(2026, 2, 28));
        assert_eq!(summary_day(at(23, 59), 7), NaiveDate::from_ymd_opt(2026, 2, 28));
        assert_eq!(summary_day(at(0, 0), 0), NaiveDate::from_ymd_opt(2026, 2, 28));
    }

    #[test]
    fn every_kind_reads_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("weather"), None);
    }

    proptest! {
        /// More failures never clear an alert, more successes never raise one.
        #[test]
        fn verdicts_are_monotone(threshold in 1_i32..=100, of in 1_i64..=i64::MAX, a in 0_i64..=i64::MAX, b in 0_i64..=i64::MAX) {
            let (less, more) = (a.min(b).min(of), a.max(b).min(of));
            let rate = limits(Kind::SuccessRate, threshold, Some(60));
            let of_less = judge(rate, Measure::Share { succeeded: less, of });
            let of_more = judge(rate, Measure::Share { succeeded: more, of });
            prop_assert!(!(of_less == Verdict::Clear && of_more == Verdict::Holds));
            let count = limits(Kind::FailedLeads, threshold, None);
            prop_assert!(!(judge(count, Measure::Count(less)) == Verdict::Holds && judge(count, Measure::Count(more)) == Verdict::Clear));
        }
    }
}
