//! `GET /exports/billing/{read}.csv`: the reads of billing as CSV.
//!
//! Of a closed report (`?report=…`) or of a partner's period as it stands (`?partner=SLUG&period=2026-10`): `products`,
//! `lead-types`, `lead-users`, `days`, `savings`, `duplicates`. Of a period, all partners: `partners?period=…`. Of a partner,
//! its closed periods: `trend?partner=…`. Of a lead: `lead?lead=…`.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::access::Right;
use http::{HeaderMap, Method};
use serde::Deserialize;
use service::billing::export::{self, Of, Read};
use service::database::Mode;
use service::{App, Error};

use super::problem::Problem;
use super::{caller, exports};

/// What may stand behind the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    report: Option<String>,
    partner: Option<String>,
    period: Option<String>,
    lead: Option<String>,
}

fn read<T: FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: Option<String>,
) -> Result<Option<T>, Error> {
    let read = |text: String| text.parse().map_err(|error: T::Err| Error::invalid(field, error.to_string()));
    text.map(read).transpose()
}

impl Wanted {
    fn of(self) -> Result<Of, Error> {
        Ok(Of {
            report: read("report", self.report)?,
            partner: self.partner,
            period: read("period", self.period)?,
            lead: read("lead", self.lead)?,
        })
    }
}

/// Answers a read. One transaction, so that it agrees with itself; rows are bounded.
pub async fn csv(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = caller::viewer(&app, &Method::GET, &headers).await?;
    let Query(wanted) = wanted.map_err(|error| Error::invalid("query", error.body_text()))?;
    let read = file.strip_suffix(".csv").and_then(Read::parse);
    let read = read.ok_or_else(|| Error::not_found("report", file.as_str()))?;
    viewer.require(if read == Read::Lead { Right::LeadsRead } else { Right::BillingRead })?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    let body = export::csv(&tx, read, &wanted.of()?, app.clock.now()).await?;
    Ok(exports::csv(&format!("billing-{file}"), body))
}
