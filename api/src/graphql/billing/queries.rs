//! What is asked of billing.

use std::collections::HashMap;

use async_graphql::{Context, Object};
use domain::billing::{Currency, Period};
use domain::ids::{BillingReportId, LeadId, PartnerId, RatePlanId};
use entity::billing_report;
use service::billing::rating::{self, LineFilter};
use service::billing::{difference, lines, overview, partners, plans, products, reads, reports};

use super::catalog::{Partner, Product, RatePlan};
use super::difference::BillingDifference;
use super::report::{BillingDraft, BillingReport, BillingWhatIf, PartnerPeriod, partner_of};
use super::types::{
    BillLine, BillLineFilter, BillLinePage, BillingFigures, BillingTotals, money, period, window,
};
use crate::graphql::error::{ApiError, found};
use crate::graphql::id::Id;
use crate::graphql::operation::{Reads, operation};

#[derive(Default)]
pub struct BillingQueries;

/// Reports with their partners, in their order.
pub(super) async fn with_partners(
    reads: &Reads,
    rows: Vec<billing_report::Model>,
) -> Result<Vec<BillingReport>, ApiError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let partners: HashMap<uuid::Uuid, Partner> =
        partners::partners(reads).await?.into_iter().map(|row| (row.id, Partner::from(row))).collect();
    let report = |row: billing_report::Model| {
        let partner = partners.get(&row.partner_id).cloned();
        let partner =
            partner.ok_or_else(|| ApiError::internal("reading a report", "its partner is not there"))?;
        BillingReport::of(row, partner)
    };
    rows.into_iter().map(report).collect()
}

#[Object]
impl BillingQueries {
    async fn partners(&self, context: &Context<'_>) -> Result<Vec<Partner>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(partners::partners(&reads).await?.into_iter().map(Partner::from).collect())
    }

    async fn partner(&self, context: &Context<'_>, id: Id<PartnerId>) -> Result<Option<Partner>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(found(partners::partner(&reads, id.0).await)?.map(Partner::from))
    }

    async fn products(&self, context: &Context<'_>) -> Result<Vec<Product>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(products::products(&reads).await?.into_iter().map(Product::from).collect())
    }

    async fn rate_plans(&self, context: &Context<'_>) -> Result<Vec<RatePlan>, ApiError> {
        let reads = operation(context)?.read().await?;
        let mut plans = Vec::new();
        for row in plans::plans(&reads).await? {
            plans.push(RatePlan::load(&reads, row).await?);
        }
        Ok(plans)
    }

    async fn rate_plan(
        &self,
        context: &Context<'_>,
        id: Id<RatePlanId>,
    ) -> Result<Option<RatePlan>, ApiError> {
        let reads = operation(context)?.read().await?;
        match found(plans::plan(&reads, id.0).await)? {
            Some(row) => Ok(Some(RatePlan::load(&reads, row).await?)),
            None => Ok(None),
        }
    }

    /// Every partner's figures for a period, as in 2026-10: closed, or so far.
    #[graphql(complexity = "500 + child_complexity")]
    async fn billing_overview(
        &self,
        context: &Context<'_>,
        period: String,
    ) -> Result<Vec<PartnerPeriod>, ApiError> {
        let period = self::period(&period)?;
        let reads = operation(context)?.read().await?;
        let one = |row: overview::PartnerPeriod| {
            let partner = Partner::from(row.partner);
            Ok(PartnerPeriod {
                report: row.report.map(|report| BillingReport::of(report, partner.clone())).transpose()?,
                partner,
                currency: row.currency.to_string(),
                totals: BillingTotals::of(row.currency, &row.totals),
                over: row.over,
                problem: row.problem,
            })
        };
        overview::partners(&reads, period, reads.now).await?.into_iter().map(one).collect()
    }

    /// What the partner's report would say now, with a page of its lines.
    #[graphql(complexity = "500 + child_complexity")]
    async fn billing_draft(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        period: String,
        filter: Option<BillLineFilter>,
        #[graphql(default = 0)] offset: i32,
        #[graphql(default = 50)] first: i32,
    ) -> Result<BillingDraft, ApiError> {
        let period = self::period(&period)?;
        let reads = operation(context)?.read().await?;
        let filter = filter.unwrap_or_default().into();
        draft(&reads, partner.0, period, filter, window(offset, first)?).await
    }

    /// What another plan would make of the partner's period. `spec` is a version's content.
    #[graphql(complexity = "1000 + child_complexity")]
    async fn billing_what_if(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        period: String,
        spec: serde_json::Value,
    ) -> Result<BillingWhatIf, ApiError> {
        let period = self::period(&period)?;
        let reads = operation(context)?.read().await?;
        partners::partner(&reads, partner.0).await?;
        let spec = plans::read_spec(spec)?;
        let now = rating::draft(&reads, partner.0, period, None, LineFilter::default(), (0, 0)).await?;
        let then =
            rating::draft(&reads, partner.0, period, Some(spec), LineFilter::default(), (0, 0)).await?;
        let currency = now.book.rules.currency();
        Ok(BillingWhatIf {
            difference: money(currency, then.figures.totals.billed - now.figures.totals.billed),
            now: BillingFigures::of(currency, &now.figures),
            then: BillingFigures::of(currency, &then.figures),
        })
    }

    /// Closed reports, the latest period first, at most 500.
    #[graphql(complexity = "50 + 20 * child_complexity")]
    async fn billing_reports(
        &self,
        context: &Context<'_>,
        partner: Option<Id<PartnerId>>,
        period: Option<String>,
    ) -> Result<Vec<BillingReport>, ApiError> {
        let period = period.as_deref().map(self::period).transpose()?;
        let reads = operation(context)?.read().await?;
        let rows = reports::list(&reads, partner.map(|id| id.0), period).await?;
        with_partners(&reads, rows).await
    }

    async fn billing_report(
        &self,
        context: &Context<'_>,
        id: Id<BillingReportId>,
    ) -> Result<Option<BillingReport>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = found(reports::by_id(&reads, id.0).await)?;
        Ok(with_partners(&reads, row.into_iter().collect()).await?.pop())
    }

    /// The partner's closed periods that count, the oldest first.
    #[graphql(complexity = "50 + 12 * child_complexity")]
    async fn billing_trend(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        #[graphql(default = 12)] periods: i32,
    ) -> Result<Vec<BillingReport>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = partners::partner(&reads, partner.0).await?;
        let points = reads::trend(&reads, partner.0, usize::try_from(periods).unwrap_or(0)).await?;
        let partner = Partner::from(row);
        points.into_iter().map(|point| BillingReport::of(point.report, partner.clone())).collect()
    }

    /// Compares two reports of one partner line by line.
    #[graphql(complexity = "200 + child_complexity")]
    async fn billing_difference(
        &self,
        context: &Context<'_>,
        before: Id<BillingReportId>,
        after: Id<BillingReportId>,
    ) -> Result<BillingDifference, ApiError> {
        let reads = operation(context)?.read().await?;
        let difference = difference::between(&reads, before.0, after.0).await?;
        let partner = partners::partner(&reads, partner_of(&difference.after)).await?;
        BillingDifference::of(difference, &partner.into())
    }

    /// What reports that count say of one lead's actions.
    #[graphql(complexity = "50 + child_complexity")]
    async fn lead_billing(&self, context: &Context<'_>, lead: Id<LeadId>) -> Result<Vec<BillLine>, ApiError> {
        let reads = operation(context)?.read().await?;
        let mut currencies: HashMap<BillingReportId, Currency> = HashMap::new();
        let mut found = Vec::new();
        for (report, line) in lines::of_lead(&reads, lead.0).await? {
            let currency = match currencies.get(&report) {
                Some(known) => *known,
                None => reports::currency(&reports::by_id(&reads, report).await?)?,
            };
            currencies.insert(report, currency);
            found.push(BillLine::of(currency, line)?);
        }
        Ok(found)
    }
}

async fn draft(
    reads: &Reads,
    partner: PartnerId,
    period: Period,
    filter: LineFilter,
    window: (usize, usize),
) -> Result<BillingDraft, ApiError> {
    let draft = rating::draft(reads, partner, period, None, filter, window).await?;
    let report = reports::live(reads, partner, period).await?;
    let currency = draft.book.rules.currency();
    let over = draft.book.bounds.1 <= reads.now;
    let partner = Partner::from(draft.book.partner);
    Ok(BillingDraft {
        report: report.map(|report| BillingReport::of(report, partner.clone())).transpose()?,
        partner,
        period: period.to_string(),
        period_start: period.start,
        period_end: period.end,
        over,
        rate_plan_version: draft.book.plan.row.version,
        figures: BillingFigures::of(currency, &draft.figures),
        lines: BillLinePage::of(currency, draft.page)?,
    })
}
