//! The clock and the id generator: the only sources of time and randomness that rows are made from.
//!
//! `App` owns one of each, so that a test can advance time and expect exact ids.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use uuid::Uuid;

/// The time of day: the system's, or in tests one that moves only when told.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until it is advanced.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.timestamp_micros()))))
    }

    /// Now, to the microsecond that Postgres keeps.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Some(at) => at.load(Ordering::SeqCst),
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Moves a manual clock forward; the system's does not move.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(at) = &self.0 {
            at.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }
}

/// Makes `UUIDv7` ids in strictly rising order within the process (RFC 9562 §6.2, method 1: an
/// 18-bit counter after the milliseconds), and random numbers for jitter.
#[derive(Clone)]
pub struct Ids(Arc<Mutex<Generator>>);

struct Generator {
    random: StdRng,
    millis: u64,
    counter: u32,
}

const COUNTER_BITS: u32 = 18;

impl Ids {
    /// Seeded by the operating system.
    pub fn random() -> Self {
        Self::from(StdRng::from_rng(&mut rand::rng()))
    }

    /// The same ids each time, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self::from(StdRng::seed_from_u64(seed))
    }

    fn from(random: StdRng) -> Self {
        Self(Arc::new(Mutex::new(Generator { random, millis: 0, counter: 0 })))
    }

    /// The next id. Its time is `now`, or the time of the id before when `now` lies behind it.
    pub fn next(&self, now: DateTime<Utc>) -> Uuid {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        if millis > generator.millis {
            generator.millis = millis;
            generator.counter = 0;
        } else {
            generator.counter += 1;
            if generator.counter >> COUNTER_BITS != 0 {
                generator.millis += 1;
                generator.counter = 0;
            }
        }
        let counter = u128::from(generator.counter);
        let tail = u128::from(generator.random.next_u64() >> (64 - 56));
        Uuid::from_u128(
            (u128::from(generator.millis) << 80)
                | (0x7 << 76)
                | ((counter >> 6) << 64)
                | (0b10 << 62)
                | ((counter & 0x3f) << 56)
                | tail,
        )
    }

    /// A random number, for jitter.
    pub fn jitter(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_steps_back_and_carry_its_time() {
        let ids = Ids::seeded(1);
        let now = DateTime::from_timestamp_millis(1_790_000_000_123).unwrap();
        let mut before = Uuid::nil();
        for step in 0..400_000_i64 {
            let at = if step % 3 == 0 { now - TimeDelta::seconds(step) } else { now };
            let id = ids.next(at);
            assert!(id > before, "{id} after {before}");
            assert_eq!(id.get_version_num(), 7);
            before = id;
        }
        let (seconds, nanos) = ids.next(now + TimeDelta::hours(1)).get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_790_003_600, 123));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        clock.advance(TimeDelta::hours(2));
        assert_eq!(clock.clone().now(), DateTime::UNIX_EPOCH + TimeDelta::hours(2));
    }
}
