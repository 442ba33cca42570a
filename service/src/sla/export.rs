//! Every list of service levels as CSV. Times are RFC 3339 in UTC, durations seconds; cells that a spreadsheet would run are
//! neutralised. Columns `before_…` are of the period before; an empty cell is what nobody knows.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::ids::{LeadId, PolicyId, SourceId};
use domain::sla::Period;
use uuid::Uuid;

use super::reads::{
    self, Adherence, ClockFilter, ClockPage, ClockRow, Dimension, Figures, Question, Standing,
};
use super::sources::{self, Effectiveness, Worth};
use crate::database::TenantTx;
use crate::delivery::manage;
use crate::error::Error;
use crate::intake::sources as lead_sources;
use crate::sheet::Sheet;

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn seconds(micros: Option<f64>) -> String {
    micros.map(|us| format!("{:.3}", us / 1e6)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a duration of years is below 2^52 microseconds")]
fn whole(micros: Option<i64>) -> Option<f64> {
    micros.map(|us| us as f64)
}

const FIGURES: [&str; 9] = [
    "clocks",
    "met",
    "missed",
    "open",
    "share",
    "p50_seconds",
    "p90_seconds",
    "p95_seconds",
    "worst_seconds",
];

fn figures(of: &Figures) -> [String; 9] {
    [
        of.total.to_string(),
        of.met.to_string(),
        of.missed.to_string(),
        (of.total - of.met - of.missed).to_string(),
        of.share().map(|share| format!("{share:.4}")).unwrap_or_default(),
        seconds(of.p50_us),
        seconds(of.p90_us),
        seconds(of.p95_us),
        seconds(whole(of.worst_us)),
    ]
}

/// A sheet with those columns, and behind them those of the period before.
fn compared(columns: &[&str], before: &[&str]) -> Result<Sheet, Error> {
    let before: Vec<String> = before.iter().map(|column| format!("before_{column}")).collect();
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    Sheet::new(&[columns, before.as_slice()].concat())
}

/// Names of sources and destinations by their ids.
async fn names(tx: &TenantTx, dimension: Option<Dimension>) -> Result<HashMap<String, String>, Error> {
    let names = match dimension {
        Some(Dimension::Source) => {
            lead_sources::list(tx).await?.into_iter().map(|row| (row.id, row.slug)).collect::<Vec<_>>()
        }
        Some(Dimension::Destination) => {
            manage::list(tx).await?.into_iter().map(|row| (row.id, row.slug)).collect()
        }
        _ => Vec::new(),
    };
    Ok(names.into_iter().map(|(id, slug)| (id.to_string(), slug)).collect())
}

/// Adherence by piece of the period and by dimension, beside the period before when the question compares.
pub async fn adherence(tx: &TenantTx, question: &Question) -> Result<Vec<u8>, Error> {
    let names = names(tx, question.dimension).await?;
    let dimension = question.dimension.map_or("all", Dimension::as_str);
    let before: &[&str] = if question.compared { &FIGURES } else { &[] };
    let mut sheet = compared(&[&["from", "until", dimension][..], &FIGURES].concat(), before)?;
    for Adherence { from_at, until_at, key, figures: of, before } in reads::adherence(tx, question).await? {
        let key = key.map(|key| names.get(&key).cloned().unwrap_or(key)).unwrap_or_default();
        let mut cells = vec![time(Some(from_at)), time(Some(until_at)), key];
        cells.extend(figures(&of));
        cells.extend(before.iter().flat_map(figures));
        sheet.row(cells)?;
    }
    sheet.finish()
}

/// Clocks by weekday and hour of their start.
pub async fn heat_map(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<u8>, Error> {
    let mut sheet = Sheet::new(&["weekday", "hour", "clocks", "met", "missed"])?;
    for cell in reads::heat_map(tx, filter, period).await? {
        let numbers = [i64::from(cell.weekday), i64::from(cell.hour), cell.total, cell.met, cell.missed];
        sheet.row(numbers.iter().map(ToString::to_string).collect())?;
    }
    sheet.finish()
}

async fn clocks(tx: &TenantTx, rows: Vec<ClockRow>) -> Result<Vec<u8>, Error> {
    let sources = names(tx, Some(Dimension::Source)).await?;
    let mut sheet = Sheet::new(&[
        "lead",
        "clock",
        "policy",
        "version",
        "source",
        "lead_type",
        "state",
        "campaign",
        "agent",
        "team",
        "started_at",
        "at_risk_at",
        "due_at",
        "paused_at",
        "pause_reason",
        "stopped_at",
        "seconds",
        "in_target",
        "breached_at",
        "reason",
    ])?;
    for row in rows {
        sheet.row(vec![
            LeadId(row.lead_id).to_string(),
            row.clock,
            PolicyId(row.policy_id).to_string(),
            row.version.to_string(),
            sources.get(&row.source_id.to_string()).cloned().unwrap_or_default(),
            text(row.lead_type.as_deref()),
            text(row.state.as_deref()),
            text(row.campaign.as_deref()),
            text(row.agent.as_deref()),
            text(row.team.as_deref()),
            time(Some(row.started_at)),
            time(row.at_risk_at),
            time(row.due_at),
            time(row.paused_at),
            text(row.pause_reason.as_deref()),
            time(row.stopped_at),
            seconds(whole(row.elapsed_us)),
            row.in_target.map(|met| met.to_string()).unwrap_or_default(),
            time(row.breached_at),
            text(row.reason.as_deref()),
        ])?;
    }
    sheet.finish()
}

/// Open clocks by the time that is left.
pub async fn open(
    tx: &TenantTx,
    filter: &ClockFilter,
    standing: Option<Standing>,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, Error> {
    clocks(tx, reads::open(tx, filter, standing, &ClockPage::first(reads::EXPORT_MAX), now).await?).await
}

/// Clocks that ran out in the period.
pub async fn breaches(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<u8>, Error> {
    clocks(tx, reads::breaches(tx, filter, period, &ClockPage::first(reads::EXPORT_MAX)).await?).await
}

/// Amounts with their currencies in one cell, as in `12.50 USD`.
fn amounts(worth: &[Worth], of: impl Fn(&Worth) -> Option<i64>) -> Result<String, Error> {
    let mut all = Vec::new();
    for one in worth {
        if let Some(amount) = of(one) {
            let currency = one.currency()?;
            all.push(format!("{} {currency}", currency.show(amount)));
        }
    }
    Ok(all.join("; "))
}

const COUNTS: [&str; 6] = ["received", "accepted", "refused", "delivered", "contacted", "sold"];
const MONEY: [&str; 2] = ["cost", "revenue"];

fn counts(of: &Effectiveness) -> [String; 6] {
    let known = |count: Option<i64>| count.map(|count| count.to_string()).unwrap_or_default();
    [
        known(of.received),
        of.accepted.to_string(),
        known(of.refused),
        of.delivered.to_string(),
        of.contacted.to_string(),
        of.sold.to_string(),
    ]
}

fn money(worth: &[Worth]) -> Result<[String; 2], Error> {
    Ok([amounts(worth, |one| one.cost)?, amounts(worth, |one| one.revenue)?])
}

/// What sources came to in a period.
async fn brought(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
) -> Result<Vec<(Effectiveness, Vec<Worth>)>, Error> {
    let mut worth: HashMap<Uuid, Vec<Worth>> = HashMap::new();
    for one in sources::worth(tx, filter, period).await? {
        worth.entry(one.source_id).or_default().push(one);
    }
    let beside = |row: Effectiveness| {
        let worth = worth.remove(&row.source_id).unwrap_or_default();
        (row, worth)
    };
    Ok(sources::effectiveness(tx, filter, period).await?.into_iter().map(beside).collect())
}

/// What each source of the filter brought, beside the period before; its reasons of refusal in one cell.
pub async fn effectiveness(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<u8>, Error> {
    let names = names(tx, Some(Dimension::Source)).await?;
    let mut reasons: HashMap<Uuid, Vec<String>> = HashMap::new();
    for one in sources::refusals(tx, filter, period).await? {
        reasons.entry(one.source_id).or_default().push(format!("{} {}", one.code, one.count));
    }
    let before = brought(tx, filter, period.before()).await?;
    let before: HashMap<Uuid, _> = before.into_iter().map(|of| (of.0.source_id, of)).collect();
    let columns = [&["source"][..], &COUNTS, &["refusals"], &MONEY].concat();
    let mut sheet = compared(&columns, &[&COUNTS[..], &MONEY].concat())?;
    for (row, worth) in brought(tx, filter, period).await? {
        let id = row.source_id;
        let name = names.get(&id.to_string()).cloned();
        let mut cells = vec![name.unwrap_or_else(|| SourceId(id).to_string())];
        cells.extend(counts(&row));
        cells.push(reasons.remove(&id).unwrap_or_default().join("; "));
        cells.extend(money(&worth)?);
        // One transaction sees the same sources twice: there always is one.
        if let Some((row, worth)) = before.get(&id) {
            cells.extend(counts(row));
            cells.extend(money(worth)?);
        }
        sheet.row(cells)?;
    }
    sheet.finish()
}

/// How agents, or teams, answered the leads of the period, beside the period before.
pub async fn performance(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
    teams: bool,
) -> Result<Vec<u8>, Error> {
    let dimension = if teams { Dimension::Team } else { Dimension::Agent };
    let sold = sources::sold_by(tx, filter, teams, period).await?;
    let sold_before = sources::sold_by(tx, filter, teams, period.before()).await?;
    let question =
        Question { filter: filter.clone(), period, bucket: None, dimension: Some(dimension), compared: true };
    let columns = [&[dimension.as_str()][..], &FIGURES, &["sold"]].concat();
    let mut sheet = compared(&columns, &columns[1..])?;
    for row in reads::adherence(tx, &question).await? {
        let of = |sold: &[sources::Sold]| {
            sold.iter().find(|one| one.key == row.key).map_or(0, |one| one.sold).to_string()
        };
        let (now, then) = (of(&sold), of(&sold_before));
        let mut cells = vec![row.key.clone().unwrap_or_default()];
        cells.extend(figures(&row.figures));
        cells.push(now);
        cells.extend(figures(&row.before.unwrap_or_default()));
        cells.push(then);
        sheet.row(cells)?;
    }
    sheet.finish()
}
