//! Calendar days, in the ways that exports write them.

use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate};

use super::super::codes::{AMBIGUOUS_DATE, INVALID_DATE};
use super::Fault;
use super::text::trim;

const FAULT: Fault =
    Fault::new(INVALID_DATE, "The date cannot be read or does not exist; write it as 2019-03-15.");
const AMBIGUOUS: Fault = Fault::new(
    AMBIGUOUS_DATE,
    "A spreadsheet cut the date: it can be a month of a year or a day of a month.",
);

/// ISO (`2019-03-15`, also with a time), US (`03/15/2019`), compact (`20190315`), a spreadsheet's serial number
/// (`43539`) or with the month's name (`15-Mar-2019`, `Mar 15, 2019`); blank is `None`.
pub fn date(text: &str) -> Result<Option<NaiveDate>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = text.as_bytes();
    let found = match bytes {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/', ..] => iso(text),
        _ if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') => serial_or_compact(text),
        _ if bytes.iter().any(u8::is_ascii_alphabetic) && !bytes[0].is_ascii_digit()
            || bytes.iter().take(6).any(u8::is_ascii_alphabetic) =>
        {
            return named(text).map(Some);
        }
        _ => american(text),
    };
    found.filter(|date| is_plausible(*date)).map(Some).ok_or(FAULT)
}

/// Nobody alive, and no loan, is older; nothing in a lead is later.
fn is_plausible(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (1900..=2199).contains(&date.year())
}

/// The number that as many digits and nothing else say.
fn digits(text: &str, lengths: RangeInclusive<usize>) -> Option<u32> {
    if lengths.contains(&text.len()) && is_digits(text) { text.parse().ok() } else { None }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// `2019-03-15`, `2019/3/15`, and the same before a time.
fn iso(text: &str) -> Option<NaiveDate> {
    let separator = text.as_bytes()[4];
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    if !is_time(time) {
        return None;
    }
    let mut parts = date.split(char::from(separator));
    let (year, month, number) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    day(digits(year, 4..=4)?, digits(month, 1..=2)?, digits(number, 1..=2)?)
}

/// Whether the text is empty or can be a time with its offset: the day is all that matters.
fn is_time(text: &str) -> bool {
    text.is_empty()
        || text.as_bytes()[0].is_ascii_digit()
            && text.len() <= 40
            && text.bytes().all(|byte| {
                byte.is_ascii_digit()
                    || matches!(byte, b':' | b'.' | b'+' | b'-' | b' ' | b'Z' | b'A' | b'P' | b'M')
            })
}

/// `03/15/2019`, `3-15-2019`, and the same before a time: month first, as in the United States.
fn american(text: &str) -> Option<NaiveDate> {
    let (date, time) = text.split_once(' ').unwrap_or((text, ""));
    if !is_time(time) {
        return None;
    }
    let separator = if date.contains('/') { '/' } else { '-' };
    let mut parts = date.split(separator);
    let (month, number, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    day(digits(year, 4..=4)?, digits(month, 1..=2)?, digits(number, 1..=2)?)
}

/// `20190315`, or the days since the end of 1899 that spreadsheets count, as `43539` or `43539.0`.
fn serial_or_compact(text: &str) -> Option<NaiveDate> {
    if text.len() == 8 && !text.contains('.') {
        return day(digits(&text[..4], 4..=4)?, digits(&text[4..6], 2..=2)?, digits(&text[6..], 2..=2)?);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    // The time of the day, to any precision: only the day matters.
    if !(1..=20).contains(&fraction.len()) || !is_digits(fraction) {
        return None;
    }
    let days = digits(whole, 5..=5)?;
    NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(u64::from(days)))
}

/// `15-Mar-2019`, `15 March 2019`, `March 15, 2019`; `Mar-19` has two readings.
fn named(text: &str) -> Result<NaiveDate, Fault> {
    let mut parts = text.split(['-', ' ', ',', '/']).filter(|part| !part.is_empty());
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(FAULT);
    }
    match (first, second, third) {
        (Some(number), Some(name), Some(year)) if month(name).is_some() => (digits(year, 4..=4))
            .zip(digits(number, 1..=2))
            .and_then(|(year, number)| day(year, month(name)?, number))
            .filter(|date| is_plausible(*date))
            .ok_or(FAULT),
        (Some(name), Some(number), Some(year)) if month(name).is_some() => (digits(year, 4..=4))
            .zip(digits(number, 1..=2))
            .and_then(|(year, number)| day(year, month(name)?, number))
            .filter(|date| is_plausible(*date))
            .ok_or(FAULT),
        (Some(one), Some(other), None)
            if month(one).is_some() && digits(other, 1..=4).is_some()
                || month(other).is_some() && digits(one, 1..=4).is_some() =>
        {
            Err(AMBIGUOUS)
        }
        _ => Err(FAULT),
    }
}

/// The number of a month by its English name or its first three letters.
fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let name = name.trim_end_matches('.');
    let matches = |full: &&str| {
        name.eq_ignore_ascii_case(full)
            || name.eq_ignore_ascii_case(&full[..3])
            || name.eq_ignore_ascii_case("sept") && full.starts_with("sept")
    };
    NAMES.iter().zip(1_u32..).find(|(full, _)| matches(full)).map(|(_, number)| number)
}
