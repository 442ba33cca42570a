//! `GET /exports/sla/{report}`: the lists and figures of service levels as CSV, with the filters of the dashboard's address.
//!
//! Reports: `adherence.csv`, `open.csv`, `breaches.csv`, `heat-map.csv`, `sources.csv`, `agents.csv`, `teams.csv`.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use domain::access::Right;
use domain::ids::InvalidId;
use domain::sla::{Bucket, Period};
use http::{HeaderMap, Method};
use serde::Deserialize;
use service::database::Mode;
use service::sla::export;
use service::sla::reads::{ClockFilter, Dimension, Question, Standing};
use service::{App, Error};

use super::problem::Problem;
use super::{caller, exports};

/// Lists are written with commas.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    clock: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    sources: String,
    lead_types: String,
    states: String,
    campaigns: String,
    agents: String,
    teams: String,
    destinations: String,
    bucket: Option<String>,
    dimension: Option<String>,
    standing: Option<String>,
}

fn texts(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}

fn ids<T: std::str::FromStr<Err = InvalidId>>(field: &'static str, list: &str) -> Result<Vec<T>, Error> {
    let read =
        |one: &String| one.parse().map_err(|error: InvalidId| Error::invalid(field, error.to_string()));
    texts(list).iter().map(read).collect()
}

impl Wanted {
    fn filter(&self) -> Result<ClockFilter, Error> {
        Ok(ClockFilter {
            clock: self.clock.clone().unwrap_or_else(|| "response".to_owned()),
            sources: ids("sources", &self.sources)?,
            lead_types: texts(&self.lead_types),
            states: texts(&self.states),
            campaigns: texts(&self.campaigns),
            agents: texts(&self.agents),
            teams: texts(&self.teams),
            destinations: ids("destinations", &self.destinations)?,
        })
    }

    fn period(&self, now: DateTime<Utc>) -> Result<Period, Error> {
        let until = self.until.unwrap_or(now);
        let period = Period { from: self.since.unwrap_or(until - TimeDelta::days(30)), until };
        if period.until <= period.from || period.until - period.from > TimeDelta::days(366) {
            return Err(Error::invalid("since", "`since` lies before `until`, by at most 366 days"));
        }
        Ok(period)
    }

    fn question(&self, now: DateTime<Utc>) -> Result<Question, Error> {
        let bucket = match self.bucket.as_deref() {
            None => None,
            Some("hour") => Some(Bucket::Hour),
            Some("day") => Some(Bucket::Day),
            Some("week") => Some(Bucket::Week),
            Some("month") => Some(Bucket::Month),
            Some(_) => return Err(Error::invalid("bucket", "one of: hour, day, week, month")),
        };
        let dimension = match self.dimension.as_deref() {
            None => None,
            Some(word) => Some(Dimension::parse(word).ok_or_else(|| {
                let all = "one of: source, lead_type, team, agent, campaign, destination, state";
                Error::invalid("dimension", all)
            })?),
        };
        let (filter, period) = (self.filter()?, self.period(now)?);
        Ok(Question { filter, period, bucket, dimension, compared: true })
    }

    fn standing(&self) -> Result<Option<Standing>, Error> {
        Ok(match self.standing.as_deref() {
            None => None,
            Some("running") => Some(Standing::Running),
            Some("at_risk") => Some(Standing::AtRisk),
            Some("overdue") => Some(Standing::Overdue),
            Some("paused") => Some(Standing::Paused),
            Some(_) => return Err(Error::invalid("standing", "one of: running, at_risk, overdue, paused")),
        })
    }
}

/// Answers a report. One transaction, so that it agrees with itself; rows are bounded.
pub async fn report(
    State(app): State<Arc<App>>,
    Path(report): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = caller::viewer(&app, &Method::GET, &headers).await?;
    let Query(wanted) = wanted.map_err(|error| Error::invalid("query", error.body_text()))?;
    let now = app.clock.now();
    viewer.require(Right::SlaRead)?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    let (filter, period) = (wanted.filter()?, wanted.period(now)?);
    let body = match report.as_str() {
        "adherence.csv" => export::adherence(&tx, &wanted.question(now)?).await?,
        "open.csv" => export::open(&tx, &filter, wanted.standing()?, now).await?,
        "breaches.csv" => export::breaches(&tx, &filter, period).await?,
        "heat-map.csv" => export::heat_map(&tx, &filter, period).await?,
        "sources.csv" => export::effectiveness(&tx, &filter, period).await?,
        "agents.csv" => export::performance(&tx, &filter, period, false).await?,
        "teams.csv" => export::performance(&tx, &filter, period, true).await?,
        _ => return Err(Error::not_found("report", report).into()),
    };
    Ok(exports::csv(&format!("sla-{report}"), body))
}
