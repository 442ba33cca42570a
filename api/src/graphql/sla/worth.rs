//! What sources are worth, how agents and teams answer, and why clocks run out.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::{Currency, InvalidCurrency};
use domain::ids::SourceId;
use entity::source_cost;
use rust_decimal::Decimal;
use service::sla::{costs, reads, sources};
use uuid::Uuid;

use super::super::error::{ApiError, UserError, expected};
use super::super::id::{Id, each};
use super::super::operation::operation;
use super::super::sources::{self as lead_sources, Source};
use super::super::wants::{Selected, SourceWants, Wants};
use super::count;
use super::figures::{SlaAdherenceRow, SlaDimension, SlaFigures, SlaFilter, period, rows};

/// A source in a period.
#[derive(SimpleObject)]
pub struct SlaSource {
    source: Option<Arc<Source>>,
    received: i32,
    accepted: i32,
    refused: i32,
    delivered: i32,
    contacted: i32,
    sold: i32,
    refusals: Vec<SlaRefusal>,
    /// What its new leads cost, a currency each; none when no cost was said of it.
    costs: Vec<SlaMoney>,
    /// What partners were billed for what these leads did, by closed reports that count; none when nothing was.
    revenues: Vec<SlaMoney>,
}

/// An amount.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaMoney {
    /// ISO 4217.
    currency: String,
    amount: Decimal,
}

impl SlaMoney {
    fn of(currency: Currency, minor_units: i64) -> Self {
        Self { currency: currency.to_string(), amount: Decimal::new(minor_units, currency.digits()) }
    }
}

/// What each new lead of a source costs from a day on.
#[derive(Clone, Debug, SimpleObject)]
pub struct SourceCost {
    source: ID,
    effective_from: NaiveDate,
    per_lead: SlaMoney,
    created_by: String,
}

impl SourceCost {
    fn of(row: source_cost::Model) -> Result<Self, ApiError> {
        let currency: Currency = row.currency.parse().map_err(|error: InvalidCurrency| {
            ApiError::internal("reading source_cost.currency", error.to_string())
        })?;
        Ok(Self {
            source: ID(SourceId(row.source_id).to_string()),
            effective_from: row.effective_from,
            per_lead: SlaMoney::of(currency, row.per_lead),
            created_by: row.created_by,
        })
    }
}

#[derive(InputObject)]
struct SetSourceCostInput {
    source: Id<SourceId>,
    /// The first day, in the tenant's zone. The same day again replaces it.
    effective_from: NaiveDate,
    /// ISO 4217.
    currency: String,
    /// As in `2.50`.
    per_lead: String,
}

#[derive(SimpleObject)]
struct SetSourceCostPayload {
    cost: Option<SourceCost>,
    error: Option<UserError>,
}

/// Clocks that ran out for the same reason.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaProblem {
    /// null: nobody knows why.
    reason: Option<String>,
    clocks: i32,
}

/// Refused records of one reason.
#[derive(SimpleObject)]
pub struct SlaRefusal {
    code: String,
    count: i32,
}

/// An agent or a team in a period.
#[derive(SimpleObject)]
pub struct SlaPerformance {
    /// null: nobody has reached them.
    name: Option<String>,
    figures: SlaFigures,
    sold: i32,
}

#[derive(Default)]
pub(in super::super) struct WorthQueries;

#[Object]
impl WorthQueries {
    /// What each source brought: of the leads that were received in the period.
    #[graphql(complexity = "300 + child_complexity")]
    async fn sla_sources(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        source_ids: Option<Vec<Id<SourceId>>>,
    ) -> Result<Vec<SlaSource>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let selected = Selected::here(context);
        let rows = sources::effectiveness(&reads, &each(source_ids.as_ref()), period).await?;
        let wants = SourceWants::read(&selected.field("source"));
        let named = lead_sources::by_ids(&reads, rows.iter().map(|row| row.source_id), wants).await?;
        let mut refusals: HashMap<Uuid, Vec<SlaRefusal>> = HashMap::new();
        if selected.has("refusals") {
            for row in sources::refusals(&reads, period).await? {
                let one = SlaRefusal { code: row.code, count: count(row.count) };
                refusals.entry(row.source_id).or_default().push(one);
            }
        }
        let mut money: HashMap<Uuid, (Vec<SlaMoney>, Vec<SlaMoney>)> = HashMap::new();
        if selected.has("costs") || selected.has("revenues") {
            for row in sources::worth(&reads, period, reads::zone(&reads).await?).await? {
                let currency = row.currency()?;
                let (costs, revenues) = money.entry(row.source_id).or_default();
                costs.extend(row.cost.map(|amount| SlaMoney::of(currency, amount)));
                revenues.extend(row.revenue.map(|amount| SlaMoney::of(currency, amount)));
            }
        }
        let mut source = |row: sources::Effectiveness| {
            let (costs, revenues) = money.remove(&row.source_id).unwrap_or_default();
            SlaSource {
                costs,
                revenues,
                source: named.get(&row.source_id).map(Arc::clone),
                received: count(row.received),
                accepted: count(row.accepted),
                refused: count(row.refused),
                delivered: count(row.delivered),
                contacted: count(row.contacted),
                sold: count(row.sold),
                refusals: refusals.remove(&row.source_id).unwrap_or_default(),
            }
        };
        Ok(rows.into_iter().map(&mut source).collect())
    }

    /// How agents, or teams, answered the leads of the period.
    #[graphql(complexity = "300 + child_complexity")]
    async fn sla_performance(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        #[graphql(default = false)] teams: bool,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaPerformance>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let dimension = if teams { SlaDimension::Team } else { SlaDimension::Agent };
        let filter = SlaFilter::read(filter);
        let found = rows(&reads, &filter, period, None, Some(dimension)).await?;
        let sold: HashMap<Option<String>, i64> = sources::sold_by(&reads, &filter, teams, period)
            .await?
            .into_iter()
            .map(|row| (row.key, row.sold))
            .collect();
        let one = |row: SlaAdherenceRow| SlaPerformance {
            sold: count(sold.get(&row.key).copied().unwrap_or(0)),
            name: row.label,
            figures: row.figures,
        };
        Ok(found.into_iter().map(one).collect())
    }

    /// Why clocks ran out in the period, the most frequent reason first.
    #[graphql(complexity = "100 + child_complexity")]
    async fn sla_problems(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        filter: Option<SlaFilter>,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Vec<SlaProblem>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let most = usize::try_from(first).unwrap_or(0).min(reads::LIST_MAX);
        let rows = reads::problems(&reads, &SlaFilter::read(filter), period, most).await?;
        Ok(rows.into_iter().map(|(reason, clocks)| SlaProblem { reason, clocks: count(clocks) }).collect())
    }

    /// What the leads of sources cost, the latest day of each first.
    #[graphql(complexity = "20 + child_complexity")]
    async fn source_costs(
        &self,
        context: &Context<'_>,
        source: Option<Id<SourceId>>,
    ) -> Result<Vec<SourceCost>, ApiError> {
        let reads = operation(context)?.read().await?;
        costs::list(&reads, source.map(|id| id.0)).await?.into_iter().map(SourceCost::of).collect()
    }
}

#[derive(Default)]
pub(in super::super) struct WorthMutations;

#[Object]
impl WorthMutations {
    /// Says what each new lead of a source costs from a day on.
    async fn set_source_cost(
        &self,
        context: &Context<'_>,
        input: SetSourceCostInput,
    ) -> Result<SetSourceCostPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let setting = async {
            let currency: Currency = input
                .currency
                .parse()
                .map_err(|error: InvalidCurrency| service::Error::invalid("currency", error.to_string()))?;
            let (source, from) = (input.source.0, input.effective_from);
            costs::set(&operation.app, viewer.tenant, source, from, (currency, &input.per_lead), viewer.actor)
                .await
        };
        Ok(match expected(operation.change(setting).await)? {
            Ok(row) => SetSourceCostPayload { cost: Some(SourceCost::of(row)?), error: None },
            Err(error) => SetSourceCostPayload { cost: None, error: Some(error) },
        })
    }
}
