//! How often somebody may ask: the generic cell rate algorithm (ITU-T I.371, as a leaky bucket).
//!
//! One moment is kept for each caller: when its bucket will be empty again. A request moves it on by the time that one
//! request is worth; it is refused when that would be further ahead than the window. So a caller may spend a whole
//! window at once and then as fast as the window refills, and nothing ever has to be swept.

/// So many requests in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a window; zero allows any number.
    pub requests: u32,
    /// The window, seconds, at least one.
    pub window_s: u32,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// When the bucket is empty again, microseconds since 1970; what is to be kept.
    pub empty_at_us: i64,
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many more may follow at once.
    pub remaining: u32,
    /// Refused: seconds until one would be allowed, rounded up. Allowed: until the bucket is empty.
    pub seconds: u32,
}

impl Quota {
    /// Judges a request at `now_us` of a caller whose bucket is empty at `empty_at_us` (0: never seen).
    pub fn judge(self, empty_at_us: i64, now_us: i64) -> Verdict {
        if self.requests == 0 {
            return Verdict { empty_at_us: 0, allowed: true, remaining: u32::MAX, seconds: 0 };
        }
        let window = i64::from(self.window_s.max(1)) * 1_000_000;
        let each = (window / i64::from(self.requests)).max(1);
        // A clock that went back must not lock anybody out for longer than a window.
        let start = empty_at_us.clamp(now_us, now_us + window);
        let end = start + each;
        let allowed = end - now_us <= window.max(each);
        let empty_at_us = if allowed { end } else { start };
        let ahead = empty_at_us - now_us;
        let wait = if allowed { ahead } else { end - now_us - window };
        Verdict {
            empty_at_us,
            allowed,
            remaining: u32::try_from((window - ahead).max(0) / each).unwrap_or(u32::MAX),
            seconds: u32::try_from((wait.max(0) + 999_999) / 1_000_000).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_176_000_000_000;

    proptest! {
        #[test]
        fn never_more_than_twice_the_quota_in_a_window_and_never_less_than_it(
            requests in 1_u32..200, window_s in 1_u32..100, gaps in proptest::collection::vec(0_i64..500_000, 1..500),
        ) {
            let quota = Quota { requests, window_s };
            let (mut empty, mut now, mut allowed) = (0, NOW, Vec::new());
            for gap in gaps {
                now += gap;
                let verdict = quota.judge(empty, now);
                prop_assert!(verdict.remaining <= requests);
                empty = verdict.empty_at_us;
                if verdict.allowed {
                    allowed.push(now);
                } else {
                    prop_assert!(verdict.seconds >= 1);
                    let later = quota.judge(empty, now + i64::from(verdict.seconds) * 1_000_000);
                    prop_assert!(later.allowed, "after the seconds that it was told, it may");
                }
            }
            let window = i64::from(window_s) * 1_000_000;
            for (at, first) in allowed.iter().enumerate() {
                let within = allowed[at..].iter().take_while(|time| **time - first < window).count();
                prop_assert!(within <= 2 * requests as usize + 1);
            }
            prop_assert!(allowed.len() >= (requests as usize).min(allowed.len()));
        }
    }

    #[test]
    fn a_full_window_goes_at_once_and_then_one_at_a_time() {
        let quota = Quota { requests: 3, window_s: 30 };
        let mut empty = 0;
        let mut ask = |seconds: i64| {
            let verdict = quota.judge(empty, NOW + seconds * 1_000_000);
            empty = verdict.empty_at_us;
            (verdict.allowed, verdict.remaining, verdict.seconds)
        };
        assert_eq!(ask(0), (true, 2, 10));
        assert_eq!(ask(0), (true, 1, 20));
        assert_eq!(ask(0), (true, 0, 30));
        assert_eq!(ask(0), (false, 0, 10));
        assert_eq!(ask(9), (false, 0, 1));
        assert_eq!(ask(10), (true, 0, 30));
        assert_eq!(ask(1000), (true, 2, 10));
        let open = Quota { requests: 0, window_s: 1 };
        assert!(open.judge(i64::MAX, NOW).allowed);
        // The clock went back by a day.
        assert!(quota.judge(NOW, NOW - 86_400_000_000 + 30_000_000).seconds <= 30);
    }
}
