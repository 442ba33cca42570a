//! All partners of a period: what is closed, and what the others come to so far.

use chrono::{DateTime, Utc};
use domain::billing::{Currency, Period, Totals};
use domain::ids::PartnerId;
use entity::{billing_report, partner};

use super::book::Book;
use super::{facts, partners, rating, reports};
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

/// Partners that are rated at a time: their actions are in memory together.
const AT_A_TIME: usize = 20;

/// Every partner's figures for the period, by slug.
pub async fn partners(
    tx: &TenantTx,
    period: Period,
    now: DateTime<Utc>,
) -> Result<Vec<PartnerPeriod>, Error> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    for partner in partners::partners(tx).await? {
        let place = all.len();
        let (mut one, closed) = begin(tx, partner, period, now).await?;
        if !closed {
            match Book::open(tx, PartnerId(one.partner.id), period, None).await {
                Ok(book) => open.push((place, book)),
                Err(problem @ (Error::Conflict(_) | Error::Invalid { .. })) => {
                    one.problem = Some(problem.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        all.push(one);
        if open.len() == AT_A_TIME {
            rate(tx, &mut all, std::mem::take(&mut open)).await?;
        }
    }
    rate(tx, &mut all, open).await?;
    Ok(all)
}

/// A partner's period, with its totals when a report has them: then true.
async fn begin(
    tx: &TenantTx,
    partner: partner::Model,
    period: Period,
    now: DateTime<Utc>,
) -> Result<(PartnerPeriod, bool), Error> {
    let currency = partner
        .currency
        .parse()
        .map_err(|error| Error::internal(format!("reading partner.currency of {}", partner.id), error))?;
    let over = period.bounds(partners::zone(&partner)?).1 <= now;
    let report = reports::live(tx, PartnerId(partner.id), period).await?;
    let totals = report.as_ref().map(reports::figures).transpose()?.map(|figures| figures.totals);
    let closed = report.is_some();
    let totals = totals.unwrap_or_default();
    Ok((PartnerPeriod { partner, currency, report, totals, over, problem: None }, closed))
}

/// Rates the books of those places.
async fn rate(tx: &TenantTx, all: &mut [PartnerPeriod], open: Vec<(usize, Book)>) -> Result<(), Error> {
    let (places, books): (Vec<usize>, Vec<Book>) = open.into_iter().unzip();
    let facts = facts::load_all(tx, &books).await?;
    let rating = tokio::task::spawn_blocking(move || {
        let rated =
            books.iter().zip(facts).map(|(book, mut facts)| rating::run(book, &mut facts, |_, _| {}).totals);
        rated.collect::<Vec<Totals>>()
    });
    let rated = rating.await.map_err(|error| Error::internal("rating a period", error))?;
    for (place, totals) in places.into_iter().zip(rated) {
        all[place].totals = totals;
    }
    Ok(())
}
