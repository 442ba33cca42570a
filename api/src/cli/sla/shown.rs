//! Adherence and clocks, as a terminal shows them.

use chrono::{DateTime, Utc};
use domain::ids::LeadId;
use serde::Serialize;
use service::sla::reads::{Adherence, ClockRow, Figures, Standing};

use super::super::Row;

#[derive(Debug, Serialize)]
pub(super) struct AdherenceShown {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    of: Option<String>,
    clocks: i64,
    met: i64,
    missed: i64,
    percent: Option<f64>,
    /// In the time of the same length before.
    percent_before: Option<f64>,
    p50_seconds: Option<f64>,
    p90_seconds: Option<f64>,
    p95_seconds: Option<f64>,
}

impl Row for AdherenceShown {
    const COLUMNS: &'static [&'static str] = &[
        "from",
        "of",
        "clocks",
        "met",
        "missed",
        "percent",
        "percent_before",
        "p50_seconds",
        "p90_seconds",
        "p95_seconds",
    ];
}

fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

impl AdherenceShown {
    pub(super) fn of(row: &Adherence, name: Option<String>) -> Self {
        let Figures { total, met, missed, p50_us, p90_us, p95_us, .. } = row.figures;
        let seconds = |us: Option<f64>| us.map(|us| rounded(us / 1e6, 3));
        let percent = |of: &Figures| of.share().map(|share| rounded(share * 100.0, 1));
        Self {
            from: row.from_at,
            until: row.until_at,
            of: name,
            clocks: total,
            met,
            missed,
            percent: percent(&row.figures),
            percent_before: row.before.as_ref().and_then(percent),
            p50_seconds: seconds(p50_us),
            p90_seconds: seconds(p90_us),
            p95_seconds: seconds(p95_us),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ClockShown {
    lead: String,
    clock: String,
    standing: &'static str,
    started_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    breached_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

impl Row for ClockShown {
    const COLUMNS: &'static [&'static str] =
        &["lead", "clock", "standing", "started_at", "due_at", "breached_at", "reason"];
}

impl ClockShown {
    pub(super) fn of(row: ClockRow, now: DateTime<Utc>) -> Self {
        let standing = match row.standing(now) {
            Some(Standing::Running) => "running",
            Some(Standing::AtRisk) => "at risk",
            Some(Standing::Overdue) => "overdue",
            Some(Standing::Paused) => "paused",
            None => "stopped",
        };
        Self {
            lead: LeadId(row.lead_id).to_string(),
            clock: row.clock,
            standing,
            started_at: row.started_at,
            due_at: row.due_at,
            breached_at: row.breached_at,
            reason: row.reason,
        }
    }
}
