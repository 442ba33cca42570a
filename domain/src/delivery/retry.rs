//! When to try again: the schedule, its jitter, the clamp of `Retry-After`.

use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};

use super::Outcome;

/// Shortest and longest time that a `Retry-After` may ask for. Without the upper bound a destination
/// could park a lead for ever; without the lower one it could ask for a hot loop.
const RETRY_AFTER: (TimeDelta, TimeDelta) = (TimeDelta::seconds(1), TimeDelta::hours(6));

/// What happens to a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Delivered {
        /// The destination's own id of the record, when it named one.
        remote_id: Option<String>,
    },
    /// It failed; a person may retry it.
    Failed {
        /// Why, in one word.
        code: Code,
        /// Why, in one sentence.
        reason: String,
        /// The destination takes nothing before this.
        not_before: Option<DateTime<Utc>>,
    },
    /// It may have arrived, nobody can be asked, and a copy would cost something: a person decides.
    Unknown {
        /// Why, in one sentence.
        reason: String,
    },
    /// It is tried again; after an unknown outcome it is looked up before.
    Again {
        /// Not before this.
        at: DateTime<Utc>,
    },
    /// It waits until a person lets the destination go on; the attempt does not count.
    Waits,
}

/// Why a delivery failed, in one word for filters and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The destination refused this lead.
    Refused,
    /// The destination does not let us in.
    Barred,
    /// The destination had trouble, and a person tries again.
    Retryable,
    /// All attempts are used up.
    Exhausted,
}

impl Code {
    /// The word in the column `delivery.code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Barred => "barred",
            Self::Retryable => "retryable",
            Self::Exhausted => "exhausted",
        }
    }
}

/// The word in the column `delivery.code` of a delivery whose outcome is unknown.
pub const UNKNOWN: &str = "unknown";
/// The word in the column `delivery.code` of a delivered one whose answer names no record, though it should have.
pub const NO_REMOTE_ID: &str = "no_remote_id";

/// What a destination's settings say about one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether it is tried again without a person.
    pub automatic: bool,
    /// Whether a second request after an unknown outcome does no harm: it can be looked up before, or a copy is recognised.
    pub repeatable: bool,
}

/// Delays between attempts, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule {
    /// After the first attempt, after the second, …; the last one repeats.
    pub delays: Vec<Duration>,
    /// Attempts in all, the first one included.
    pub attempts_max: u16,
    /// A delay varies by up to so many percent, more or less, so that a destination that comes back
    /// does not meet everything at once.
    pub jitter_percent: u8,
}

impl Default for RetrySchedule {
    /// 5 s, 30 s, 2 min, 10 min, 1 h, 4 h, then every 10 h: ten attempts over about 35 hours.
    fn default() -> Self {
        let delays = [5, 30, 120, 600, 3_600, 14_400, 36_000].map(Duration::from_secs).to_vec();
        Self { delays, attempts_max: 10, jitter_percent: 20 }
    }
}

impl RetrySchedule {
    /// Whether attempt number `attempt` of the present budget, from 1, may still be made.
    pub fn allows(&self, attempt: u16) -> bool {
        attempt <= self.attempts_max
    }

    /// The pause after attempt number `attempt` of the present budget, from 1.
    ///
    /// `random` is uniform over its whole range; 0 is the shortest pause.
    pub fn delay(&self, attempt: u16, random: u32) -> Duration {
        let index = usize::from(attempt.max(1) - 1).min(self.delays.len().saturating_sub(1));
        let base = self.delays.get(index).copied().unwrap_or_default();
        let jitter = u64::from(self.jitter_percent.min(100));
        let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX / 400);
        Duration::from_millis(share(millis * (100 - jitter), random, millis * 2 * jitter) / 100)
    }

    /// What follows an attempt that ended at `now` with `outcome`.
    ///
    /// A time that the destination asked for replaces the schedule's; up to a tenth is added to it
    /// and never taken from it.
    pub fn next(
        &self,
        attempt: u16,
        outcome: Outcome,
        policy: Policy,
        now: DateTime<Utc>,
        random: u32,
    ) -> Next {
        let last = !self.allows(attempt.saturating_add(1));
        let failed = |code, reason, not_before| Next::Failed { code, reason, not_before };
        let not_before = match outcome {
            Outcome::Delivered { remote_id } => return Next::Delivered { remote_id },
            Outcome::Refused { reason } => return failed(Code::Refused, reason, None),
            Outcome::Barred { .. } if policy.automatic => return Next::Waits,
            Outcome::Barred { reason } => return failed(Code::Barred, reason, None),
            Outcome::Retryable { not_before, reason, .. } if !policy.automatic => {
                return failed(Code::Retryable, reason, not_before);
            }
            Outcome::Retryable { reason, .. } if last => {
                let reason = format!("{attempt} attempts made, the last: {reason}");
                return failed(Code::Exhausted, reason, None);
            }
            Outcome::Unknown { reason } if !(policy.automatic && policy.repeatable) => {
                return Next::Unknown { reason };
            }
            Outcome::Unknown { reason } if last => {
                return Next::Unknown { reason: format!("{attempt} attempts made, the last: {reason}") };
            }
            Outcome::Retryable { not_before, .. } => not_before,
            Outcome::Unknown { .. } => None,
        };
        let at = match not_before {
            Some(asked) => {
                let wait = u64::try_from((asked - now).num_milliseconds()).unwrap_or(0);
                asked + TimeDelta::milliseconds(share(0, random, wait / 10).cast_signed())
            }
            None => now + self.delay(attempt, random),
        };
        Next::Again { at }
    }
}

/// `base` plus that share of `span` which `random` is of its range.
fn share(base: u64, random: u32, span: u64) -> u64 {
    let part = (u128::from(span) * u128::from(random)) >> 32;
    base.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Reads `Retry-After` (RFC 9110 §10.2.3: seconds, or an HTTP date), clamped to 1 s … 6 h from `now`.
pub fn read_retry_after(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit is more than the clamp allows.
        TimeDelta::try_seconds(text.parse::<u32>().unwrap_or(u32::MAX).into()).unwrap_or(RETRY_AFTER.1)
    } else {
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(date.as_secs()).ok()?;
        DateTime::from_timestamp(seconds, 0)? - now
    };
    Some(now + wait.clamp(RETRY_AFTER.0, RETRY_AFTER.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_176_000, 0).expect("a valid time")
    }

    fn retryable(not_before: Option<DateTime<Utc>>) -> Outcome {
        Outcome::Retryable { not_before, reason: "HTTP 500".to_owned(), rate_limited: false }
    }

    const BY_ITSELF: Policy = Policy { automatic: true, repeatable: true };
    const BY_PERSON: Policy = Policy { automatic: false, repeatable: true };
    const COPIES_COST: Policy = Policy { automatic: true, repeatable: false };

    #[test]
    fn the_schedule_grows_and_ends() {
        let schedule = RetrySchedule::default();
        let middle = u32::MAX / 2 + 1;
        let seconds: Vec<u64> = (1..=9).map(|attempt| schedule.delay(attempt, middle).as_secs()).collect();
        assert_eq!(seconds, [5, 30, 120, 600, 3_600, 14_400, 36_000, 36_000, 36_000]);
        assert!(matches!(schedule.next(9, retryable(None), BY_ITSELF, now(), 0), Next::Again { .. }));
        assert_eq!(
            schedule.next(10, retryable(None), BY_ITSELF, now(), 0),
            Next::Failed {
                code: Code::Exhausted,
                reason: "10 attempts made, the last: HTTP 500".to_owned(),
                not_before: None
            }
        );
    }

    #[test]
    fn a_refusal_is_final_and_an_unknown_answer_is_not() {
        let schedule = RetrySchedule::default();
        let refused = Outcome::Refused { reason: "no".to_owned() };
        let failed = Next::Failed { code: Code::Refused, reason: "no".to_owned(), not_before: None };
        assert_eq!(schedule.next(1, refused, BY_ITSELF, now(), 0), failed);
        let unknown = Outcome::Unknown { reason: "silence".to_owned() };
        assert_eq!(
            schedule.next(1, unknown, BY_ITSELF, now(), 0),
            Next::Again { at: now() + TimeDelta::seconds(4) }
        );
    }

    #[test]
    fn what_a_person_has_to_decide_is_not_tried_again() {
        let schedule = RetrySchedule::default();
        let unknown = || Outcome::Unknown { reason: "silence".to_owned() };
        let left_open = Next::Unknown { reason: "silence".to_owned() };
        assert_eq!(schedule.next(1, unknown(), COPIES_COST, now(), 0), left_open);
        assert_eq!(schedule.next(1, unknown(), BY_PERSON, now(), 0), left_open);
        assert!(matches!(schedule.next(10, unknown(), BY_ITSELF, now(), 0), Next::Unknown { .. }));
        let later = now() + TimeDelta::seconds(120);
        assert_eq!(
            schedule.next(1, retryable(Some(later)), BY_PERSON, now(), 0),
            Next::Failed { code: Code::Retryable, reason: "HTTP 500".to_owned(), not_before: Some(later) }
        );
        let barred = || Outcome::Barred { reason: "HTTP 401".to_owned() };
        assert_eq!(schedule.next(10, barred(), BY_ITSELF, now(), 0), Next::Waits);
        assert_eq!(
            schedule.next(1, barred(), BY_PERSON, now(), 0),
            Next::Failed { code: Code::Barred, reason: "HTTP 401".to_owned(), not_before: None }
        );
    }

    #[test]
    fn retry_after_is_clamped() {
        let wait = |text| read_retry_after(text, now()).map(|at| (at - now()).num_seconds());
        assert_eq!(wait("0"), Some(1));
        assert_eq!(wait(" 30 "), Some(30));
        assert_eq!(wait("86400"), Some(21_600));
        assert_eq!(wait("99999999999999999999"), Some(21_600));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(1));
        assert_eq!(wait("-5"), None);
        assert_eq!(wait(""), None);
        assert_eq!(wait("tomorrow"), None);
    }

    proptest! {
        #[test]
        fn a_delay_stays_within_its_jitter(attempt in 0_u16..2_000, random: u32) {
            let schedule = RetrySchedule::default();
            let index = usize::from(attempt.max(1) - 1).min(schedule.delays.len() - 1);
            let base = schedule.delays[index].as_secs_f64();
            let delay = schedule.delay(attempt, random).as_secs_f64();
            prop_assert!(delay >= base * 0.799 && delay <= base * 1.201, "{delay} around {base}");
        }

        #[test]
        fn what_was_asked_for_is_never_undercut(seconds in 1_i64..21_600, attempt in 1_u16..10, random: u32) {
            let asked = now() + TimeDelta::seconds(seconds);
            let Next::Again { at } = RetrySchedule::default().next(attempt, retryable(Some(asked)), BY_ITSELF, now(), random) else {
                return Err(TestCaseError::fail("not tried again"));
            };
            prop_assert!(at >= asked && at <= asked + TimeDelta::milliseconds(seconds * 100));
        }

        #[test]
        fn the_next_attempt_is_always_later(attempt in 1_u16..10, random: u32) {
            let Next::Again { at } = RetrySchedule::default().next(attempt, retryable(None), BY_ITSELF, now(), random) else {
                return Err(TestCaseError::fail("not tried again"));
            };
            prop_assert!(at > now());
        }

        #[test]
        fn attempts_always_run_out(outcomes in proptest::collection::vec(any::<bool>(), 40), random: u32) {
            let schedule = RetrySchedule::default();
            let made = outcomes.iter().zip(1_u16..).take_while(|&(&retryable_one, attempt)| {
                let outcome = if retryable_one { retryable(None) } else { Outcome::Unknown { reason: String::new() } };
                matches!(schedule.next(attempt, outcome, BY_ITSELF, now(), random), Next::Again { .. })
            });
            prop_assert_eq!(made.count(), 9);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,60}") {
            if let Some(at) = read_retry_after(&text, now()) {
                prop_assert!(at >= now() + RETRY_AFTER.0 && at <= now() + RETRY_AFTER.1);
            }
        }
    }
}
