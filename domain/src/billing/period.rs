//! Billing periods: calendar spans in a partner's zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// How far ahead a day is looked for that begins periods of two cycles: a week and a quarter begin together every few years.
const AHEAD_DAYS_MAX: usize = 40 * 366;

/// How long a billing period is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    /// Monday to Sunday (ISO 8601).
    Week,
    /// A calendar month.
    #[default]
    Month,
    /// Three calendar months from January, April, July, October.
    Quarter,
}

/// A billing period: whole days of the partner's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    /// Its first day.
    pub start: NaiveDate,
    /// The first day after it.
    pub end: NaiveDate,
}

/// Text that is not a billing period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a billing period: say 2026-10 for a month, 2026-Q4 for a quarter, 2026-W41 for a week")]
pub struct InvalidPeriod(String);

impl Cycle {
    /// The period that a day belongs to.
    pub fn of(self, day: NaiveDate) -> Period {
        let start = match self {
            Self::Week => day - Days::new(u64::from(day.weekday().num_days_from_monday())),
            Self::Month => day - Days::new(u64::from(day.day0())),
            Self::Quarter => {
                let first = day - Days::new(u64::from(day.day0()));
                first - Months::new(first.month0() % 3)
            }
        };
        Period { start, end: self.after(start) }
    }

    /// Whether one of its periods begins on that day.
    pub fn begins_on(self, day: NaiveDate) -> bool {
        match self {
            Self::Week => day.weekday() == Weekday::Mon,
            Self::Month => day.day0() == 0,
            Self::Quarter => day.day0() == 0 && day.month0().is_multiple_of(3),
        }
    }

    /// The next days, that one included and `count` at most, on which periods of both begin.
    pub fn begins_with(self, other: Self, from: NaiveDate, count: usize) -> Vec<NaiveDate> {
        let days = from.iter_days().take(AHEAD_DAYS_MAX);
        days.filter(|day| self.begins_on(*day) && other.begins_on(*day)).take(count).collect()
    }

    fn after(self, start: NaiveDate) -> NaiveDate {
        match self {
            Self::Week => start + Days::new(7),
            Self::Month => start + Months::new(1),
            Self::Quarter => start + Months::new(3),
        }
    }

    /// The period that a moment belongs to, in that zone.
    pub fn at(self, moment: DateTime<Utc>, zone: Tz) -> Period {
        self.of(moment.with_timezone(&zone).date_naive())
    }
}

impl Period {
    /// The period before this one.
    #[must_use]
    pub fn before(self) -> Self {
        self.cycle().of(self.start - Days::new(1))
    }

    /// Its cycle, told by its length.
    pub fn cycle(self) -> Cycle {
        match (self.end - self.start).num_days() {
            ..=7 => Cycle::Week,
            8..=31 => Cycle::Month,
            _ => Cycle::Quarter,
        }
    }

    /// Its first moment and the first moment after it, in that zone. Where the clocks skip midnight, the day begins at the
    /// first moment that exists.
    pub fn bounds(self, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
        (midnight(self.start, zone), midnight(self.end, zone))
    }
}

fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    // Clocks are put forward by at most two hours; the quarter of an hour is the finest step in use.
    (0..=8)
        .filter_map(|quarter| day.and_hms_opt(quarter / 4, quarter % 4 * 15, 0))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map_or_else(|| day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc(), |at| at.to_utc())
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cycle() {
            Cycle::Week => {
                let week = self.start.iso_week();
                write!(f, "{}-W{:02}", week.year(), week.week())
            }
            Cycle::Month => write!(f, "{}-{:02}", self.start.year(), self.start.month()),
            Cycle::Quarter => write!(f, "{}-Q{}", self.start.year(), self.start.month0() / 3 + 1),
        }
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        read(text).ok_or_else(|| InvalidPeriod(text.chars().take(40).collect()))
    }
}

fn read(text: &str) -> Option<Period> {
    let (year, part) = text.trim().split_once('-')?;
    let year: i32 = (year.len() == 4).then(|| year.parse().ok())??;
    let number = |digits: &str| -> Option<u32> {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    if let Some(quarter) = part.strip_prefix('Q') {
        let month = number(quarter)?.checked_sub(1)?.checked_mul(3)?.checked_add(1)?;
        return Some(Cycle::Quarter.of(NaiveDate::from_ymd_opt(year, month, 1)?));
    }
    if let Some(week) = part.strip_prefix('W') {
        return Some(Cycle::Week.of(NaiveDate::from_isoywd_opt(year, number(week)?, Weekday::Mon)?));
    }
    (part.len() == 2).then_some(())?;
    Some(Cycle::Month.of(NaiveDate::from_ymd_opt(year, number(part)?, 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_back_from_their_names() {
        for (name, start, end) in [
            ("2026-10", "2026-10-01", "2026-11-01"),
            ("2024-02", "2024-02-01", "2024-03-01"),
            ("2026-Q4", "2026-10-01", "2027-01-01"),
            ("2026-W01", "2025-12-29", "2026-01-05"),
        ] {
            let period: Period = name.parse().unwrap();
            assert_eq!(
                (period.start.to_string(), period.end.to_string()),
                (start.to_owned(), end.to_owned())
            );
            assert_eq!(period.to_string(), name);
            assert_eq!(period.before().end, period.start);
        }
        for wrong in ["", "2026", "2026-13", "2026-1", "2026-Q5", "2026-Q0", "2026-W60", "26-10", "2026-+1"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn periods_of_two_cycles_begin_on_the_same_days_now_and_then() {
        let from = NaiveDate::from_ymd_opt(2026, 10, 1).unwrap();
        let next = |one: Cycle, other: Cycle| -> Vec<String> {
            one.begins_with(other, from, 2).iter().map(ToString::to_string).collect()
        };
        assert_eq!(next(Cycle::Month, Cycle::Week), ["2027-02-01", "2027-03-01"]);
        assert_eq!(next(Cycle::Quarter, Cycle::Month), ["2026-10-01", "2027-01-01"]);
        assert_eq!(next(Cycle::Week, Cycle::Quarter), ["2029-01-01", "2029-10-01"]);
        for cycle in [Cycle::Week, Cycle::Month, Cycle::Quarter] {
            for day in from.iter_days().take(800) {
                assert_eq!(cycle.begins_on(day), cycle.of(day).start == day, "{cycle} {day}");
            }
        }
    }

    #[test]
    fn a_period_begins_at_the_zones_midnight_whatever_the_clocks_do() {
        let zone: Tz = "America/Denver".parse().unwrap();
        let (start, end) = "2026-11".parse::<Period>().unwrap().bounds(zone);
        assert_eq!(start.to_rfc3339(), "2026-11-01T06:00:00+00:00", "still daylight time");
        assert_eq!(end.to_rfc3339(), "2026-12-01T07:00:00+00:00", "standard time");
        // In Beirut the clocks go forward at midnight: the day begins at one.
        let zone: Tz = "Asia/Beirut".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2022, 3, 27).unwrap();
        assert_eq!(midnight(day, zone).with_timezone(&zone).to_string(), "2022-03-27 01:00:00 EEST");
        let october: Period = "2026-10".parse().unwrap();
        assert_eq!(
            Cycle::Month.at(start - chrono::TimeDelta::microseconds(1), "America/Denver".parse().unwrap()),
            october
        );
    }
}
