//! Closed reports, as they are read.

use domain::billing::{Currency, Period};
use domain::ids::{BillingReportId, PartnerId, RatePlanId};
use entity::{Tenanted, billing_report};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::figures::Figures;
use crate::database::TenantTx;
use crate::error::Error;

/// Reports of a list at most.
const LIST_MAX: u64 = 500;

/// What a closed report adds up to.
pub fn figures(report: &billing_report::Model) -> Result<Figures, Error> {
    serde_json::from_value(report.summary.clone())
        .map_err(|error| Error::internal(format!("reading billing_report.summary of {}", report.id), error))
}

/// A closed report's period.
pub fn period(report: &billing_report::Model) -> Period {
    Period { start: report.period_start, end: report.period_end }
}

/// A closed report's currency.
pub fn currency(report: &billing_report::Model) -> Result<Currency, Error> {
    report
        .currency
        .parse()
        .map_err(|error| Error::internal(format!("reading billing_report.currency of {}", report.id), error))
}

/// The report of that id.
pub async fn by_id(tx: &TenantTx, id: BillingReportId) -> Result<billing_report::Model, Error> {
    let query = billing_report::Entity::of(tx.tenant()).filter(billing_report::Column::Id.eq(id.uuid()));
    query.one(tx).await?.ok_or_else(|| Error::not_found("billing report", id))
}

/// Closed reports, the latest period first: of one partner, of one period, or all of them.
pub async fn list(
    tx: &TenantTx,
    partner: Option<PartnerId>,
    period: Option<Period>,
) -> Result<Vec<billing_report::Model>, Error> {
    use billing_report::Column;
    let mut query = billing_report::Entity::of(tx.tenant());
    if let Some(partner) = partner {
        query = query.filter(Column::PartnerId.eq(partner.uuid()));
    }
    if let Some(period) = period {
        query = query.filter(Column::PeriodStart.eq(period.start)).filter(Column::PeriodEnd.eq(period.end));
    }
    let ordered = query
        .order_by_desc(Column::PeriodStart)
        .order_by_desc(Column::PeriodEnd)
        .order_by_asc(Column::PartnerId)
        .order_by_desc(Column::Version);
    Ok(ordered.limit(LIST_MAX).all(tx).await?)
}

/// The report of a partner's period that counts.
pub async fn live(
    tx: &TenantTx,
    partner: PartnerId,
    period: Period,
) -> Result<Option<billing_report::Model>, Error> {
    Ok(list(tx, Some(partner), Some(period)).await?.into_iter().find(|report| report.state == "closed"))
}

/// The plan that a report was closed with.
pub fn plan(report: &billing_report::Model) -> (RatePlanId, i32) {
    (RatePlanId(report.plan_id), report.plan_version)
}
