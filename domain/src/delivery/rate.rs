//! The rate limit of a destination: one time, from when on the next request may begin (GCRA, ITU-T I.371).

use chrono::{DateTime, TimeDelta, Utc};

/// Requests that may begin at once after a pause: what one second allows, and at least one.
fn burst(per_second: f64) -> f64 {
    per_second.max(1.0)
}

/// How many requests may begin at `now`, and the time from which the slots are counted.
///
/// `slot_at` is what [`after`] answered last; none before the first request.
pub fn places(slot_at: Option<DateTime<Utc>>, per_second: f64, now: DateTime<Utc>) -> (DateTime<Utc>, i32) {
    let earliest = now - seconds(burst(per_second) / per_second);
    let from = slot_at.map_or(earliest, |slot| slot.max(earliest));
    let elapsed = (now - from).num_microseconds().unwrap_or(0).max(0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "bounded by the burst")]
    let places = ((elapsed as f64 / 1e6) * per_second + 1e-6).floor() as i32;
    (from, places)
}

/// From when on the next request may begin, after so many that began in the slots counted from `from`.
pub fn after(from: DateTime<Utc>, per_second: f64, taken: usize) -> DateTime<Utc> {
    #[expect(clippy::cast_precision_loss, reason = "a claim has some hundreds")]
    let taken = taken as f64;
    from + seconds(taken / per_second)
}

fn seconds(seconds: f64) -> TimeDelta {
    #[expect(clippy::cast_possible_truncation, reason = "at most a burst of seconds")]
    let micros = (seconds * 1e6).round() as i64;
    TimeDelta::microseconds(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_176_000, 0).expect("a time")
    }

    #[test]
    fn a_burst_of_a_second_then_the_rate() {
        let (from, places_now) = places(None, 5.0, start());
        assert_eq!(places_now, 5);
        let slot = after(from, 5.0, 5);
        assert_eq!(places(Some(slot), 5.0, start()).1, 0);
        assert_eq!(places(Some(slot), 5.0, start() + TimeDelta::milliseconds(200)).1, 1);
        assert_eq!(places(Some(slot), 5.0, start() + TimeDelta::hours(1)).1, 5, "a pause saves up no more");
        let (from, one) = places(None, 0.1, start());
        assert_eq!(one, 1);
        assert_eq!(places(Some(after(from, 0.1, 1)), 0.1, start() + TimeDelta::seconds(9)).1, 0);
        assert_eq!(places(Some(after(from, 0.1, 1)), 0.1, start() + TimeDelta::seconds(10)).1, 1);
    }

    proptest! {
        #[test]
        fn the_rate_is_never_exceeded(rate in 0.5_f64..500.0, steps in proptest::collection::vec(0_i64..3_000, 1..60)) {
            let (mut now, mut slot, mut taken) = (start(), None, 0_u32);
            for step in steps {
                now += TimeDelta::milliseconds(step);
                let (from, free) = places(slot, rate, now);
                let use_now = usize::try_from(free.max(0)).expect("small");
                slot = Some(after(from, rate, use_now));
                taken += u32::try_from(use_now).expect("small");
            }
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let elapsed = (now - start()).num_milliseconds() as f64 / 1e3;
            prop_assert!(f64::from(taken) <= elapsed * rate + rate.max(1.0) + 0.01, "{taken} in {elapsed} s at {rate}");
        }
    }
}
