//! All partners of a period: what is closed, and what the others come to so far.

use chrono::{DateTime, Utc};
use domain::billing::{Currency, Period, Totals};
use domain::ids::PartnerId;
use entity::{billing_report, partner};
use tokio::task::JoinHandle;

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

/// Partners that are loaded at a time: their actions, and those that are rated meanwhile, are in memory together.
const AT_A_TIME: usize = 14;

/// Every partner's figures for the period, by slug.
pub async fn partners(
    tx: &TenantTx,
    period: Period,
    now: DateTime<Utc>,
) -> Result<Vec<PartnerPeriod>, Error> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    let mut rated = Vec::new();
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
            let next = load(tx, std::mem::take(&mut open)).await?;
            settle(&mut all, std::mem::replace(&mut rated, next)).await?;
        }
    }
    let last = load(tx, open).await?;
    settle(&mut all, rated).await?;
    settle(&mut all, last).await?;
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

/// A partner's place in the list, and its totals on their way.
type Rated = (usize, JoinHandle<Totals>);

/// Loads the actions of the books of those places and begins to rate them, off the async threads: the next ones are loaded
/// meanwhile.
async fn load(tx: &TenantTx, open: Vec<(usize, Book)>) -> Result<Vec<Rated>, Error> {
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let (places, books): (Vec<usize>, Vec<Book>) = open.into_iter().unzip();
    let facts = facts::load_all(tx, &books).await?;
    let rating = books.into_iter().zip(facts).map(|(book, mut facts)| {
        tokio::task::spawn_blocking(move || rating::run(&book, &mut facts, |_, _| {}).totals)
    });
    Ok(places.into_iter().zip(rating).collect())
}

/// Enters what was rated.
async fn settle(all: &mut [PartnerPeriod], rated: Vec<Rated>) -> Result<(), Error> {
    for (place, totals) in rated {
        all[place].totals = totals.await.map_err(|error| Error::internal("rating a period", error))?;
    }
    Ok(())
}
