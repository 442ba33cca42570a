//! Which leads a run is about: a rolling length of time, since a day, or a month of the tenant's calendar.

use chrono::{DateTime, NaiveDate, Utc};
use service::tracking::period::{length, month, start_of};

use crate::cli::Failure;

/// From and until; none: no bound.
pub(super) type Period = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// `24h`, `7d`, a day or a month as a period; days and months are the tenant's.
pub(super) fn period(
    since: Option<&str>,
    of_month: Option<&str>,
    now: DateTime<Utc>,
    zone: chrono_tz::Tz,
) -> Result<Period, Failure> {
    if let Some(text) = of_month {
        let (since, before) = month(text, zone)?;
        return Ok((Some(since), Some(before)));
    }
    let Some(since) = since else { return Ok((None, None)) };
    if let Ok(day) = since.parse::<NaiveDate>() {
        return Ok((Some(start_of(day, zone)), None));
    }
    let length = length(since).map_err(|_| {
        Failure::Usage(format!("`{since}` is no period; write 24h, 7d, 30d or a day (2026-11-01)"))
    })?;
    Ok((Some(now - length), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_rolling_or_the_tenants_calendar() {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let read = |since, month| {
            let (since, before) = period(since, month, now, chrono_tz::America::Denver).ok()?;
            Some((since.map(|time| time.to_rfc3339()), before.map(|time| time.to_rfc3339())))
        };
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(read(Some("24h"), None), Some((at("2026-11-19T12:00:00+00:00"), None)));
        assert_eq!(read(Some("2026-11-01"), None), Some((at("2026-11-01T06:00:00+00:00"), None)));
        assert_eq!(
            read(None, Some("2026-11")),
            Some((at("2026-11-01T06:00:00+00:00"), at("2026-12-01T07:00:00+00:00")))
        );
        for wrong in ["", "h", "7w", "-1d", "é", "2026-13-01"] {
            assert_eq!(read(Some(wrong), None), None, "{wrong}");
        }
    }
}
