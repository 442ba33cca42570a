//! Business time against a clock that is looked at every minute.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use domain::sla::{Calendar, CalendarSpec, Terms, WindowSpec};
use proptest::prelude::*;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn at(text: &str) -> DateTime<Utc> {
    text.parse::<DateTime<chrono::FixedOffset>>().expect("a time").with_timezone(&Utc)
}

fn window(weekday: u8, from: &str, until: &str) -> WindowSpec {
    WindowSpec { weekday, from: from.to_owned(), until: until.to_owned() }
}

fn spec(zone: &str, windows: Vec<WindowSpec>, holidays: &[&str]) -> CalendarSpec {
    CalendarSpec {
        time_zone: zone.to_owned(),
        windows,
        holidays: holidays.iter().map(|day| day.parse().expect("a day")).collect(),
    }
}

fn office(zone: &str) -> CalendarSpec {
    let days = 1..=5;
    let windows =
        days.flat_map(|day| [window(day, "09:00", "12:00"), window(day, "13:00", "17:00")]).collect();
    spec(zone, windows, &["2026-11-26", "2026-12-25"])
}

/// The rule read aloud, for one instant: what does the wall clock show?
struct WallClock {
    zone: Tz,
    /// Weekday, first minute, end.
    windows: Vec<(u32, u32, u32)>,
    holidays: Vec<NaiveDate>,
}

impl WallClock {
    fn of(spec: &CalendarSpec, zone: Tz) -> Self {
        let read = |text: &str| -> u32 {
            let (hours, minutes) = text.split_once(':').expect("a time");
            hours.parse::<u32>().expect("hours") * 60 + minutes.parse::<u32>().expect("minutes")
        };
        let windows = spec.windows.iter().map(|one| (one.weekday.into(), read(&one.from), read(&one.until)));
        Self { zone, windows: windows.collect(), holidays: spec.holidays.clone() }
    }

    fn shows_open(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone).naive_local();
        let minute = local.time().num_seconds_from_midnight() / 60;
        let today = local.date().weekday().number_from_monday();
        let yesterday = if today == 1 { 7 } else { today - 1 };
        !self.holidays.contains(&local.date())
            && self.windows.iter().any(|&(day, from, until)| {
                if from < until {
                    day == today && (from..until).contains(&minute)
                } else {
                    (day == today && minute >= from) || (day == yesterday && minute < until)
                }
            })
    }
}

/// Walks from minute to minute.
fn oracle_after(wall: &WallClock, start: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    let (mut now, mut left) = (start, minutes);
    while left > 0 {
        if wall.shows_open(now) {
            left -= 1;
        }
        now += MINUTE;
    }
    now
}

#[test]
fn a_deadline_stands_where_a_person_would_put_it() {
    let denver = office("America/Denver");
    let table = [
        // Saturday afternoon is due on Monday morning.
        ("2026-11-21T15:00:00-07:00", 60, "2026-11-23T10:00:00-07:00"),
        // Over lunch, over night.
        ("2026-11-23T11:30:00-07:00", 60, "2026-11-23T13:30:00-07:00"),
        ("2026-11-23T16:30:00-07:00", 60, "2026-11-24T09:30:00-07:00"),
        // To the end of the day is still that day.
        ("2026-11-23T16:00:00-07:00", 60, "2026-11-23T17:00:00-07:00"),
        // Over Thanksgiving.
        ("2026-11-25T16:30:00-07:00", 60, "2026-11-27T09:30:00-07:00"),
        // A week of seven-hour days.
        ("2026-11-30T09:00:00-07:00", 5 * 7 * 60, "2026-12-04T17:00:00-07:00"),
    ];
    let calendar = Calendar::new(&denver).expect("a calendar");
    for (start, minutes, due) in table {
        let found = calendar.after(at(start), TimeDelta::minutes(minutes)).expect("open time");
        assert_eq!(found, at(due), "{start} and {minutes} minutes");
        assert_eq!(calendar.between(at(start), found), TimeDelta::minutes(minutes));
    }
}

#[test]
fn an_hour_that_is_skipped_has_no_time_and_one_that_is_shown_twice_has_two() {
    let night = spec("America/Denver", (1..=7).map(|day| window(day, "01:00", "03:00")).collect(), &[]);
    let calendar = Calendar::new(&night).expect("a calendar");
    let open = |day: &str| {
        let from = at(&format!("{day}T07:00:00Z"));
        calendar.between(from, from + TimeDelta::hours(12)).num_minutes()
    };
    assert_eq!((open("2026-03-07"), open("2026-03-08"), open("2026-11-01")), (120, 60, 180));
}

#[test]
fn a_window_over_midnight_is_two() {
    let late = spec("Europe/Paris", vec![window(5, "22:00", "02:00")], &[]);
    let calendar = Calendar::new(&late).expect("a calendar");
    let friday = at("2026-11-20T21:00:00+01:00");
    assert_eq!(calendar.after(friday, TimeDelta::hours(3)), Ok(at("2026-11-21T01:00:00+01:00")));
    assert!(
        calendar.is_open(at("2026-11-21T01:59:59+01:00"))
            && !calendar.is_open(at("2026-11-21T02:00:00+01:00"))
    );
    // All day, all week: business time is calendar time.
    let always = spec("Europe/Paris", (1..=7).map(|day| window(day, "00:00", "24:00")).collect(), &[]);
    let calendar = Calendar::new(&always).expect("a calendar");
    assert_eq!(calendar.after(friday, TimeDelta::days(200)), Ok(friday + TimeDelta::days(200)));
}

#[test]
fn what_cannot_be_a_calendar_names_its_field() {
    let refused = |spec: &CalendarSpec| Calendar::new(spec).expect_err("refused").field;
    assert_eq!(refused(&office("Mars/Olympus")), "time_zone");
    assert_eq!(refused(&spec("UTC", vec![], &[])), "windows");
    assert_eq!(refused(&spec("UTC", vec![window(8, "09:00", "10:00")], &[])), "windows.0.weekday");
    assert_eq!(refused(&spec("UTC", vec![window(1, "9:00", "10:00")], &[])), "windows.0.from");
    assert_eq!(refused(&spec("UTC", vec![window(1, "24:00", "24:00")], &[])), "windows.0.from");
    assert_eq!(refused(&spec("UTC", vec![window(1, "09:00", "24:01")], &[])), "windows.0.until");
    let twice = spec("UTC", vec![window(1, "09:00", "12:00"), window(1, "11:00", "13:00")], &[]);
    let error = Calendar::new(&twice).expect_err("refused");
    assert!(error.message.contains("Monday overlap"), "{error}");
}

#[test]
fn a_calendar_of_holidays_alone_is_never_open() {
    let first = NaiveDate::from_ymd_opt(2026, 1, 5).expect("a Monday");
    let mut mondays = spec("UTC", vec![window(1, "09:00", "10:00")], &[]);
    mondays.holidays = (0..1500).map(|week| first + TimeDelta::weeks(week)).collect();
    let calendar = Calendar::new(&mondays).expect("a calendar");
    calendar.after(at("2026-01-01T00:00:00Z"), MINUTE).expect_err("never");
}

/// Every zone, at each change of its offset in ten years that a day's look finds, and at one ordinary day.
#[test]
fn every_zone_agrees_with_the_minutes_around_its_changes() {
    let windows = (1..=7).flat_map(|day| [window(day, "00:15", "02:40"), window(day, "09:00", "17:30")]);
    let mut spec = spec("UTC", windows.collect(), &["2030-05-01"]);
    let mut changes = 0;
    for (number, zone) in TZ_VARIANTS.iter().enumerate() {
        zone.name().clone_into(&mut spec.time_zone);
        let calendar = Calendar::new(&spec).expect("a calendar");
        let offset = |day: i64| {
            let utc = at("2024-01-01T12:00:00Z") + TimeDelta::days(day);
            chrono::Offset::fix(&zone.offset_from_utc_datetime(&utc.naive_utc())).local_minus_utc()
        };
        let mut days: Vec<i64> = (1..3650).filter(|day| offset(*day) != offset(day - 1)).collect();
        changes += days.len();
        // Of some twenty changes one, another for each zone.
        let pick = number % days.len().max(1);
        days = days.into_iter().cycle().skip(pick).take(1).collect();
        days.push(i64::try_from(number * 6).expect("small"));
        for day in days {
            let start = at("2024-01-01T06:00:00Z") + TimeDelta::days(day - 1);
            let wall = WallClock::of(&spec, *zone);
            let (mut open, mut was_open) = (0, wall.shows_open(start));
            for minute in 0..30 * 60 {
                let now = start + MINUTE * minute;
                let is_open = wall.shows_open(now);
                // Looked at when the wall clock opens or closes, and every half hour.
                if is_open != was_open || minute % 30 == 0 {
                    assert_eq!(calendar.between(start, now).num_minutes(), open, "{zone} {start} {now}");
                    assert_eq!(calendar.is_open(now), is_open, "{zone} {now}");
                }
                open += i64::from(is_open);
                was_open = is_open;
            }
            let due = calendar.after(start, TimeDelta::minutes(open)).expect("open time");
            assert_eq!(due, oracle_after(&wall, start, open), "{zone} {start}");
        }
    }
    assert!(TZ_VARIANTS.len() > 500 && changes > 3000, "{} zones, {changes} changes", TZ_VARIANTS.len());
}

fn windows() -> impl Strategy<Value = Vec<WindowSpec>> {
    let time = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let day = prop::collection::btree_set(0_u32..1440, 0..7);
    prop::collection::vec(day, 7).prop_map(move |days| {
        let mut windows = Vec::new();
        for (weekday, edges) in (1_u8..).zip(&days) {
            let edges: Vec<u32> = edges.iter().copied().collect();
            for pair in edges.chunks_exact(2) {
                windows.push(WindowSpec { weekday, from: time(pair[0]), until: time(pair[1]) });
            }
        }
        windows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_calendar_in_any_zone_agrees_with_the_minutes(
        windows in windows(),
        zone in prop::sample::select(TZ_VARIANTS.to_vec()),
        start in 0_i64..10 * 366 * 1440,
        minutes in 1_i64..600,
        holiday in 0_i64..5,
    ) {
        prop_assume!(!windows.is_empty());
        let start = at("2020-01-01T00:00:00Z") + MINUTE * i32::try_from(start).expect("small");
        let mut spec = spec(zone.name(), windows, &[]);
        spec.holidays.push(start.date_naive() + TimeDelta::days(holiday));
        let calendar = Calendar::new(&spec).expect("a calendar");
        let wall = WallClock::of(&spec, zone);
        prop_assert_eq!(calendar.is_open(start), wall.shows_open(start));
        let longest = start + TimeDelta::days(9);
        let open = calendar.between(start, longest).num_minutes();
        let minutes = minutes.min(open);
        let due = calendar.after(start, TimeDelta::minutes(minutes)).expect("open time");
        prop_assert_eq!(due, oracle_after(&wall, start, minutes));
        prop_assert_eq!(calendar.between(start, due), TimeDelta::minutes(minutes));
    }

    #[test]
    fn a_pause_moves_the_deadline_and_takes_nothing(
        start in 0_i64..1_000_000_000_000,
        target in 1_i64..500_000,
        run in 0_i64..500_000,
        pause in 0_i64..1_000_000,
        business in any::<bool>(),
    ) {
        let start = at("2024-01-01T00:00:00Z") + TimeDelta::microseconds(start * 300);
        let calendar = business.then(|| Calendar::new(&office("America/Denver")).expect("a calendar"));
        let terms = Terms::new(TimeDelta::seconds(target), 80, calendar).expect("terms");
        let first = terms.start(start).expect("open time");
        prop_assert!(start <= first.at_risk_at && first.at_risk_at <= first.due_at);
        let paused = start + TimeDelta::seconds(run);
        prop_assume!(paused < first.due_at);
        let used = terms.elapsed(start, paused);
        let again = paused + TimeDelta::seconds(pause);
        let resumed = terms.resume(again, used).expect("open time");
        prop_assert!(resumed.due_at >= first.due_at.max(again));
        prop_assert_eq!(used + terms.elapsed(again, resumed.due_at), terms.target());
    }
}
