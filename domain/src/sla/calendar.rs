//! Business time.
//!
//! The rule is one sentence: an instant is open when the wall clock of the calendar's zone shows a time within one of that
//! weekday's windows, on a day that is no holiday. Daylight saving needs no rule of its own: an hour that the wall clock skips
//! has no instants, one that it shows twice has twice as many, and both count.
//!
//! Arithmetic walks in *stretches*, in which neither the zone's offset nor the local day changes; within one, windows are
//! intervals of instants. So the cost is in proportion to the days crossed, whatever lies in them.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;
const DAY_MINUTES: u16 = 24 * 60;
/// How far arithmetic walks before it gives up: some twenty years of days.
const STRETCHES_MAX: usize = 7_500;
/// The most windows of a week, and the most holidays.
const WINDOWS_MAX: usize = 140;
const HOLIDAYS_MAX: usize = 2_000;
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A calendar as people write and keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// An IANA name, as in `America/Denver`.
    pub time_zone: String,
    /// When somebody works, several a day.
    pub windows: Vec<WindowSpec>,
    /// Days on which nobody works.
    #[serde(default)]
    pub holidays: Vec<NaiveDate>,
}

/// A stretch of every such weekday. One that ends where it begins or before goes on into the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    /// From this time on, `09:00`.
    pub from: String,
    /// Before this time, `17:30`; the end of the day is `24:00`.
    pub until: String,
}

/// What is wrong with a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CalendarError {
    /// The field, dotted, as in `windows.2.from`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

fn wrong(field: impl Into<String>, message: impl Into<String>) -> CalendarError {
    CalendarError { field: field.into(), message: message.into() }
}

/// The calendar has no open time for as long as anybody may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the calendar has not enough open time within twenty years")]
pub struct NeverOpen;

/// Business time, ready to reckon with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
    /// For each weekday from Monday: minutes of the local day, in order and apart.
    week: [Vec<(u16, u16)>; 7],
    holidays: BTreeSet<NaiveDate>,
}

impl Calendar {
    /// The calendar that the text describes, or what is wrong with it.
    pub fn new(spec: &CalendarSpec) -> Result<Self, CalendarError> {
        let zone: Tz = spec
            .time_zone
            .parse()
            .map_err(|_| wrong("time_zone", "the time zone must be an IANA name such as America/Denver"))?;
        if spec.windows.is_empty() {
            return Err(wrong("windows", "a calendar needs at least one window in which somebody works"));
        }
        if spec.windows.len() > WINDOWS_MAX || spec.holidays.len() > HOLIDAYS_MAX {
            let message = format!("a calendar has at most {WINDOWS_MAX} windows and {HOLIDAYS_MAX} holidays");
            return Err(wrong("windows", message));
        }
        let mut week: [Vec<(u16, u16)>; 7] = Default::default();
        for (place, window) in spec.windows.iter().enumerate() {
            let day = usize::from(window.weekday).wrapping_sub(1);
            if day > 6 {
                let message = "the weekday is a number from 1 (Monday) to 7 (Sunday)";
                return Err(wrong(format!("windows.{place}.weekday"), message));
            }
            let from = minutes(&window.from, false)
                .ok_or_else(|| wrong(format!("windows.{place}.from"), "a time is written as in 09:00"))?;
            let until = minutes(&window.until, true).ok_or_else(|| {
                wrong(
                    format!("windows.{place}.until"),
                    "a time is written as in 17:30, the end of a day as 24:00",
                )
            })?;
            if from < until {
                week[day].push((from, until));
            } else {
                week[day].push((from, DAY_MINUTES));
                if until > 0 {
                    week[(day + 1) % 7].push((0, until));
                }
            }
        }
        for (day, windows) in week.iter_mut().enumerate() {
            windows.sort_unstable();
            if windows.windows(2).any(|pair| pair[1].0 < pair[0].1) {
                return Err(wrong("windows", format!("two windows of {} overlap", WEEKDAYS[day])));
            }
        }
        Ok(Self { zone, week, holidays: spec.holidays.iter().copied().collect() })
    }

    /// Its time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether somebody works at that instant.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let at = at.timestamp_micros();
        let stretch = self.stretch(at);
        self.open(stretch).any(|(from, until)| (from..until).contains(&at))
    }

    /// The earliest instant by which that much open time has passed since `start`; `start` itself for none.
    pub fn after(&self, start: DateTime<Utc>, work: TimeDelta) -> Result<DateTime<Utc>, NeverOpen> {
        let mut left = work.num_microseconds().ok_or(NeverOpen)?;
        let mut at = start.timestamp_micros();
        if left <= 0 {
            return Ok(start);
        }
        for _ in 0..STRETCHES_MAX {
            let stretch = self.stretch(at);
            for (from, until) in self.open(stretch) {
                let span = until - from;
                if left <= span {
                    return DateTime::from_timestamp_micros(from + left).ok_or(NeverOpen);
                }
                left -= span;
            }
            at = stretch.until;
        }
        Err(NeverOpen)
    }

    /// The open time between two instants; none when the second is not the later one. Counted up to twenty years.
    pub fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        let (mut at, end) = (from.timestamp_micros(), until.timestamp_micros());
        let mut open = 0;
        for _ in 0..STRETCHES_MAX {
            if at >= end {
                break;
            }
            let stretch = self.stretch(at);
            let stretch = Stretch { until: stretch.until.min(end), ..stretch };
            open += self.open(stretch).map(|(from, until)| until - from).sum::<i64>();
            at = stretch.until;
        }
        TimeDelta::microseconds(open)
    }

    /// The open intervals within a stretch, in order.
    fn open(&self, stretch: Stretch) -> impl Iterator<Item = (i64, i64)> {
        let day = NaiveDate::from_ymd_opt(1970, 1, 1)
            .and_then(|epoch| epoch.checked_add_signed(TimeDelta::days(stretch.day)));
        let windows: &[(u16, u16)] = match day {
            Some(day) if !self.holidays.contains(&day) => {
                &self.week[day.weekday().num_days_from_monday() as usize]
            }
            _ => &[],
        };
        let midnight = stretch.day * DAY - stretch.offset;
        windows.iter().filter_map(move |(from, until)| {
            let from = (midnight + i64::from(*from) * MINUTE).max(stretch.from);
            let until = (midnight + i64::from(*until) * MINUTE).min(stretch.until);
            (from < until).then_some((from, until))
        })
    }

    /// From that instant up to where the local day ends or the zone's offset changes, whichever comes first.
    fn stretch(&self, at: i64) -> Stretch {
        let offset = self.offset(at);
        let day = (at + offset).div_euclid(DAY);
        let midnight = (day + 1) * DAY - offset;
        let last = midnight - 1;
        let until = if self.offset(last) == offset { midnight } else { self.change(at, last, offset) };
        Stretch { from: at, until, day, offset }
    }

    /// The first instant after `from`, up to `until`, whose offset is another one. Zones change theirs at whole seconds.
    fn change(&self, from: i64, until: i64, offset: i64) -> i64 {
        let (mut same, mut other) = (from.div_euclid(SECOND), until.div_euclid(SECOND));
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if self.offset(middle * SECOND) == offset {
                same = middle;
            } else {
                other = middle;
            }
        }
        other * SECOND
    }

    fn offset(&self, at: i64) -> i64 {
        let utc = DateTime::from_timestamp_micros(at).unwrap_or(DateTime::UNIX_EPOCH).naive_utc();
        i64::from(self.zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND
    }
}

/// Instants (microseconds since 1970) of one local day and one offset.
#[derive(Clone, Copy)]
struct Stretch {
    from: i64,
    until: i64,
    /// Days since 1970-01-01, local.
    day: i64,
    /// Microseconds east of UTC.
    offset: i64,
}

/// `09:30` as minutes of the day.
fn minutes(text: &str, end: bool) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !text.bytes().all(|one| one.is_ascii_digit() || one == b':')
    {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours * 60 + minutes;
    (minutes < 60 && (all < DAY_MINUTES || (end && all == DAY_MINUTES))).then_some(all)
}
