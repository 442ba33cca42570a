//! Periods as people name them: a calendar month of the tenant's zone, the first moment of a day.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::error::Error;

/// When that day begins. Where midnight is left out, the day begins with its first moment.
pub fn start_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let local = zone.from_local_datetime(&midnight).earliest();
    // Where a zone moves its clock forward at midnight, the hour after it exists.
    let local = local.or_else(|| zone.from_local_datetime(&(midnight + TimeDelta::hours(1))).earliest());
    local.map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
}

/// Beginning and end of a month such as `2026-11`.
pub fn month(text: &str, zone: Tz) -> Result<(DateTime<Utc>, DateTime<Utc>), Error> {
    let first = format!("{text}-01").parse::<NaiveDate>().ok().filter(|_| text.len() == 7);
    let bounds = first.and_then(|first| Some((first, first.checked_add_months(Months::new(1))?)));
    let (first, next) = bounds
        .ok_or_else(|| Error::invalid("month", "a month is written as year and month, as in 2026-11"))?;
    Ok((start_of(first, zone), start_of(next, zone)))
}

/// A length of time such as `24h`, `7d`, `30d`: hours or days, at most ten years.
pub fn length(text: &str) -> Result<TimeDelta, Error> {
    const HOURS_MAX: i64 = 10 * 366 * 24;
    let refuse =
        || Error::invalid("since", "a length of time is a number of hours or days, as in 24h, 7d or 30d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refuse)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(refuse)?;
    let hours = match unit {
        "h" => Some(number),
        "d" => number.checked_mul(24),
        _ => None,
    };
    hours.filter(|hours| *hours <= HOURS_MAX).map(TimeDelta::hours).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_first_moment() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let start = |text: &str, zone: Tz| start_of(day(text), zone).to_rfc3339();
        assert_eq!(start("2026-07-01", chrono_tz::America::Denver), "2026-07-01T06:00:00+00:00");
        assert_eq!(start("2026-12-01", chrono_tz::America::Denver), "2026-12-01T07:00:00+00:00");
        // Midnight of this day was left out in Cairo: its first moment is one o'clock.
        assert_eq!(start("2024-04-26", chrono_tz::Africa::Cairo), "2024-04-25T22:00:00+00:00");
    }

    #[test]
    fn a_month_is_the_tenants_own() {
        let (since, until) = month("2026-11", chrono_tz::America::Denver).expect("a month");
        // Daylight saving ended on the first of it.
        assert_eq!(since.to_rfc3339(), "2026-11-01T06:00:00+00:00");
        assert_eq!(until.to_rfc3339(), "2026-12-01T07:00:00+00:00");
        for wrong in ["2026", "2026-13", "2026-1", "11-2026", "", "2026-11-01"] {
            assert!(month(wrong, chrono_tz::UTC).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_length_is_hours_or_days() {
        assert_eq!(length("24h").ok(), Some(TimeDelta::hours(24)));
        assert_eq!(length("7d").ok(), Some(TimeDelta::days(7)));
        for wrong in ["", "7", "d", "0d", "-1d", "7w", "1.5h", "99999999999999999d", "7é"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }
}
