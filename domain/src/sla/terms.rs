//! What a clock promises.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Calendar, NeverOpen};

/// The longest target: a year.
const TARGET_MAX: TimeDelta = TimeDelta::days(366);

/// What a clock promises: one version of a policy, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    target: TimeDelta,
    at_risk_percent: u8,
    calendar: Option<Calendar>,
}

/// Terms that cannot be kept by anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TermsError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub message: &'static str,
}

/// When a running clock is at risk and when it has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The at-risk share of the target has passed. Never after `due_at`.
    pub at_risk_at: DateTime<Utc>,
    /// The target has passed.
    pub due_at: DateTime<Utc>,
}

impl Terms {
    /// A target of 1 s to a year; at risk from 1 to 99 percent of it; business time with a calendar, else calendar time.
    pub fn new(
        target: TimeDelta,
        at_risk_percent: u8,
        calendar: Option<Calendar>,
    ) -> Result<Self, TermsError> {
        if target < TimeDelta::seconds(1) || target > TARGET_MAX {
            return Err(TermsError {
                field: "target_seconds",
                message: "the target is 1 second to 366 days",
            });
        }
        if !(1..=99).contains(&at_risk_percent) {
            let message = "the at-risk share is a percentage from 1 to 99";
            return Err(TermsError { field: "at_risk_percent", message });
        }
        Ok(Self { target, at_risk_percent, calendar })
    }

    /// How long it may take.
    pub fn target(&self) -> TimeDelta {
        self.target
    }

    /// The deadlines of a clock that starts then.
    pub fn start(&self, at: DateTime<Utc>) -> Result<Deadlines, NeverOpen> {
        self.resume(at, TimeDelta::zero())
    }

    /// The deadlines of a clock that goes on then, having used that much of its target. One that has used more than its
    /// at-risk share is at risk at once.
    pub fn resume(&self, at: DateTime<Utc>, used: TimeDelta) -> Result<Deadlines, NeverOpen> {
        let warn = self.target * i32::from(self.at_risk_percent) / 100;
        Ok(Deadlines {
            at_risk_at: self.after(at, warn - used)?,
            due_at: self.after(at, self.target - used)?,
        })
    }

    /// When a clock that starts then has run out, standing still during each pause; none when it has not before a pause that
    /// lasts. Pauses are in the order of their time: from when, and until when, or without an end.
    pub fn due_with(
        &self,
        starts_at: DateTime<Utc>,
        pauses: &[(DateTime<Utc>, Option<DateTime<Utc>>)],
    ) -> Result<Option<DateTime<Utc>>, NeverOpen> {
        let (mut at, mut used) = (starts_at, TimeDelta::zero());
        for (from, until) in pauses {
            let due = self.resume(at, used)?.due_at;
            if due <= *from {
                return Ok(Some(due));
            }
            used += self.elapsed(at, *from);
            match until {
                Some(until) => at = *until,
                None => return Ok(None),
            }
        }
        Ok(Some(self.resume(at, used)?.due_at))
    }

    /// The time that counts between two instants; none when the second is not the later one.
    pub fn elapsed(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        match &self.calendar {
            Some(calendar) => calendar.between(from, until),
            None => (until - from).max(TimeDelta::zero()),
        }
    }

    fn after(&self, at: DateTime<Utc>, work: TimeDelta) -> Result<DateTime<Utc>, NeverOpen> {
        match &self.calendar {
            Some(calendar) => calendar.after(at, work),
            None => at.checked_add_signed(work.max(TimeDelta::zero())).ok_or(NeverOpen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_moves_the_deadline_by_its_length_unless_it_comes_too_late() {
        let at = |minute: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let terms = Terms::new(TimeDelta::minutes(60), 80, None).unwrap();
        for (pauses, due) in [
            (&[][..], Some(60)),
            (&[(10, Some(40))], Some(90)),
            (&[(10, Some(40)), (50, Some(55))], Some(95)),
            (&[(10, None)], None),
            (&[(60, Some(70))], Some(60)),
            (&[(70, None)], Some(60)),
        ] {
            let pauses: Vec<_> = pauses.iter().map(|(from, until)| (at(*from), until.map(at))).collect();
            assert_eq!(terms.due_with(at(0), &pauses), Ok(due.map(at)), "{pauses:?}");
        }
    }
}
