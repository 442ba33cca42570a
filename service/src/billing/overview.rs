//! All partners of a period: what is closed, and what the others come to so far.

use chrono::{DateTime, Utc};
use domain::billing::{Currency, Period, Totals};
use domain::ids::PartnerId;
use entity::{billing_report, partner};

use super::{partners, rating, reports};
use crate::database::TenantTx;
use crate::error::Error;

/// A partner's period.
#[derive(Clone, Debug)]
pub struct PartnerPeriod {
    /// The partner.
    pub partner: partner::Model,
    /// Its currency.
    pub currency: Currency,
    /// The report that counts, when the period is closed.
    pub report: Option<billing_report::Model>,
    /// What it adds up to: closed, or so far. Minor units.
    pub totals: Totals,
    /// Whether the period is over.
    pub over: bool,
    /// Why the period cannot be rated: no version of the plan is in force, or the plan bills by another cycle.
    pub problem: Option<String>,
}

/// Every partner's figures for the period, by slug.
pub async fn partners(
    tx: &TenantTx,
    period: Period,
    now: DateTime<Utc>,
) -> Result<Vec<PartnerPeriod>, Error> {
    let mut all = Vec::new();
    for partner in partners::partners(tx).await? {
        all.push(one(tx, partner, period, now).await?);
    }
    Ok(all)
}

async fn one(
    tx: &TenantTx,
    partner: partner::Model,
    period: Period,
    now: DateTime<Utc>,
) -> Result<PartnerPeriod, Error> {
    let id = PartnerId(partner.id);
    let currency = partner
        .currency
        .parse()
        .map_err(|error| Error::internal(format!("reading partner.currency of {}", partner.id), error))?;
    let over = period.bounds(partners::zone(&partner)?).1 <= now;
    if let Some(report) = reports::live(tx, id, period).await? {
        let totals = reports::figures(&report)?.totals;
        return Ok(PartnerPeriod { partner, currency, report: Some(report), totals, over, problem: None });
    }
    let (totals, problem) = match rating::summed(tx, id, period, |_, summary| summary.totals).await {
        Ok(totals) => (totals, None),
        Err(problem @ (Error::Conflict(_) | Error::Invalid { .. })) => {
            (Totals::default(), Some(problem.to_string()))
        }
        Err(error) => return Err(error),
    };
    Ok(PartnerPeriod { partner, currency, report: None, totals, over, problem })
}
