//! Periods of a report: hours, days, weeks and months as a time zone has them.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Sixty minutes, from the full hour of UTC: an hour that the wall clock shows twice is two.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From this instant.
    pub from: DateTime<Utc>,
    /// Before this one.
    pub until: DateTime<Utc>,
}

impl Period {
    /// The period of the same length that ends where this one begins.
    #[must_use]
    pub fn before(self) -> Self {
        self.earlier(self.until - self.from)
    }

    /// The same length of time, that much earlier.
    #[must_use]
    pub fn earlier(self, by: TimeDelta) -> Self {
        Self { from: self.from - by, until: self.until - by }
    }

    /// The pieces of it, in order; the first and the last may be cut. None when there are more than `most`.
    pub fn split(self, bucket: Bucket, zone: Tz, most: usize) -> Option<Vec<Self>> {
        let mut pieces = Vec::new();
        let mut from = self.from;
        while from < self.until {
            if pieces.len() == most {
                return None;
            }
            // Past the beginning in any case, so that the walk ends.
            let until = next(from, bucket, zone).max(from + TimeDelta::seconds(1)).min(self.until);
            pieces.push(Self { from, until });
            from = until;
        }
        Some(pieces)
    }
}

/// Where the piece that holds the instant ends.
fn next(at: DateTime<Utc>, bucket: Bucket, zone: Tz) -> DateTime<Utc> {
    let day = at.with_timezone(&zone).date_naive();
    let next = match bucket {
        Bucket::Hour => {
            let into = TimeDelta::seconds(at.timestamp().rem_euclid(3600));
            return at - into - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()))
                + TimeDelta::hours(1);
        }
        Bucket::Day => day.checked_add_days(Days::new(1)),
        Bucket::Week => day.checked_add_days(Days::new(7 - u64::from(day.weekday().num_days_from_monday()))),
        Bucket::Month => day.with_day(1).and_then(|first| first.checked_add_months(Months::new(1))),
    };
    next.map_or(DateTime::<Utc>::MAX_UTC, |day| midnight(day, zone))
}

/// The first instant of a day. Where the wall clock skips midnight, the day begins later.
fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN);
    (0..=24 * 4)
        .find_map(|quarter| zone.from_local_datetime(&(local + TimeDelta::minutes(15 * quarter))).earliest())
        .map_or_else(|| local.and_utc(), |found| found.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn days_are_those_of_the_zone_and_daylight_saving_changes_their_length() {
        let period = Period { from: at("2026-03-07T07:00:00Z"), until: at("2026-03-10T06:00:00Z") };
        let pieces = period.split(Bucket::Day, chrono_tz::America::Denver, 10).expect("few");
        let hours: Vec<i64> = pieces.iter().map(|piece| (piece.until - piece.from).num_hours()).collect();
        assert_eq!(hours, [24, 23, 24]);
        assert_eq!(period.split(Bucket::Day, chrono_tz::America::Denver, 2), None);
        assert_eq!(period.split(Bucket::Hour, chrono_tz::America::Denver, 100).expect("few").len(), 71);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let period = Period { from: at("2026-01-15T12:00:00Z"), until: at("2026-03-05T00:00:00Z") };
        let months = period.split(Bucket::Month, Tz::UTC, 10).expect("few");
        assert_eq!(months[1].from, at("2026-02-01T00:00:00Z"));
        assert_eq!((months.len(), months[0].from, months[2].until), (3, period.from, period.until));
        let weeks = period.split(Bucket::Week, Tz::UTC, 10).expect("few");
        assert_eq!(weeks[1].from, at("2026-01-19T00:00:00Z"));
        assert_eq!(period.before().until, period.from);
        assert_eq!(period.before().from, at("2025-11-28T00:00:00Z"), "48.5 days");
        assert_eq!(weeks[1].earlier(TimeDelta::days(7)).from, at("2026-01-12T00:00:00Z"));
    }

    #[test]
    fn a_day_without_midnight_begins_later() {
        // Beirut's clock goes from 0:00 to 1:00 on the last Sunday of March.
        let zone = chrono_tz::Asia::Beirut;
        let day = NaiveDate::from_ymd_opt(2026, 3, 29).expect("a day");
        assert_eq!(midnight(day, zone).with_timezone(&zone).to_rfc3339(), "2026-03-29T01:00:00+03:00");
    }
}
