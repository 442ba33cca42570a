//! What sources are worth, how agents and teams answer, and why clocks run out.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::{Currency, InvalidCurrency};
use domain::ids::SourceId;
use domain::sla::Period;
use entity::source_cost;
use rust_decimal::Decimal;
use service::sla::reads::{self, ClockFilter, Dimension, Question};
use service::sla::{costs, sources};
use uuid::Uuid;

use super::super::error::{ApiError, UserError, expected};
use super::super::id::Id;
use super::super::operation::{Reads, operation};
use super::super::sources::{self as lead_sources, Source};
use super::super::wants::{Selected, SourceWants, Wants};
use super::count;
use super::figures::{SlaAdherenceRow, SlaFigures, SlaFilter, period, rows};

/// A source in a period.
#[derive(SimpleObject)]
pub struct SlaSource {
    source: Option<Arc<Source>>,
    /// New leads and refused records. null with a filter by more than source: of a refused record nothing else is known.
    received: Option<i32>,
    /// New leads that fit the filter.
    accepted: i32,
    /// null as `received`.
    refused: Option<i32>,
    /// Of the accepted ones, those that a destination has; one of the filter's destinations, when it names some.
    delivered: i32,
    /// Of the accepted ones, those that somebody has reached.
    contacted: i32,
    /// Of the accepted ones.
    sold: i32,
    /// By reason, the most frequent first; null as `received`.
    refusals: Option<Vec<SlaRefusal>>,
    /// What the accepted leads cost, a currency each; none when no cost was said of the source.
    costs: Vec<SlaMoney>,
    /// What partners were billed for what these leads did, by closed reports that count; none when nothing was.
    revenues: Vec<SlaMoney>,
    /// The same of the period of the same length before it, with the same filter.
    before: SlaSourceBefore,
}

/// A source in the period before.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct SlaSourceBefore {
    received: Option<i32>,
    accepted: i32,
    refused: Option<i32>,
    delivered: i32,
    contacted: i32,
    sold: i32,
    costs: Vec<SlaMoney>,
    revenues: Vec<SlaMoney>,
}

impl SlaSourceBefore {
    fn of(row: &sources::Effectiveness, money: Money) -> Self {
        Self {
            received: row.received.map(count),
            accepted: count(row.accepted),
            refused: row.refused.map(count),
            delivered: count(row.delivered),
            contacted: count(row.contacted),
            sold: count(row.sold),
            costs: money.costs,
            revenues: money.revenues,
        }
    }
}

/// What a source cost and brought.
#[derive(Default)]
struct Money {
    costs: Vec<SlaMoney>,
    revenues: Vec<SlaMoney>,
}

impl Money {
    /// Of each source, when it is asked for.
    async fn read(
        reads: &Reads,
        filter: &ClockFilter,
        period: Period,
        selected: &Selected<'_>,
    ) -> Result<HashMap<Uuid, Self>, ApiError> {
        let mut all: HashMap<Uuid, Self> = HashMap::new();
        if selected.has("costs") || selected.has("revenues") {
            for row in sources::worth(reads, filter, period).await? {
                let currency = row.currency()?;
                let one = all.entry(row.source_id).or_default();
                one.costs.extend(row.cost.map(|amount| SlaMoney::of(currency, amount)));
                one.revenues.extend(row.revenue.map(|amount| SlaMoney::of(currency, amount)));
            }
        }
        Ok(all)
    }
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
    /// The same of the period of the same length before it.
    before: SlaPerformanceBefore,
}

/// An agent or a team in the period before; all 0 when there was nothing.
#[derive(Default, SimpleObject)]
pub struct SlaPerformanceBefore {
    figures: SlaFigures,
    sold: i32,
}

/// Sold leads by agent or team.
async fn sold(
    reads: &Reads,
    filter: &ClockFilter,
    teams: bool,
    period: Period,
) -> Result<HashMap<Option<String>, i32>, ApiError> {
    let rows = sources::sold_by(reads, filter, teams, period).await?;
    Ok(rows.into_iter().map(|row| (row.key, count(row.sold))).collect())
}

/// What the sources of the filter brought in the period before.
async fn sources_before(
    reads: &Reads,
    filter: &ClockFilter,
    period: Period,
    selected: &Selected<'_>,
) -> Result<HashMap<Uuid, SlaSourceBefore>, ApiError> {
    let mut money = Money::read(reads, filter, period, selected).await?;
    let rows = sources::effectiveness(reads, filter, period).await?;
    let one = |row: sources::Effectiveness| {
        let money = money.remove(&row.source_id).unwrap_or_default();
        (row.source_id, SlaSourceBefore::of(&row, money))
    };
    Ok(rows.into_iter().map(one).collect())
}

#[derive(Default)]
pub(in super::super) struct WorthQueries;

#[Object]
impl WorthQueries {
    /// What each source of the filter brought: of the leads that were received in the period and fit it.
    #[graphql(complexity = "300 + child_complexity")]
    async fn sla_sources(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaSource>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let filter = SlaFilter::read(filter);
        let selected = Selected::here(context);
        let rows = sources::effectiveness(&reads, &filter, period).await?;
        let wants = SourceWants::read(&selected.field("source"));
        let named = lead_sources::by_ids(&reads, rows.iter().map(|row| row.source_id), wants).await?;
        let mut refusals: HashMap<Uuid, Vec<SlaRefusal>> = HashMap::new();
        if selected.has("refusals") {
            for row in sources::refusals(&reads, &filter, period).await? {
                let one = SlaRefusal { code: row.code, count: count(row.count) };
                refusals.entry(row.source_id).or_default().push(one);
            }
        }
        let mut money = Money::read(&reads, &filter, period, &selected).await?;
        let wanted = selected.field("before");
        let mut before = HashMap::new();
        if wanted.exists() {
            before = sources_before(&reads, &filter, period.before(), &wanted).await?;
        }
        let source = |row: sources::Effectiveness| {
            let money = money.remove(&row.source_id).unwrap_or_default();
            SlaSource {
                source: named.get(&row.source_id).map(Arc::clone),
                received: row.received.map(count),
                accepted: count(row.accepted),
                refused: row.refused.map(count),
                delivered: count(row.delivered),
                contacted: count(row.contacted),
                sold: count(row.sold),
                refusals: row.refused.map(|_| refusals.remove(&row.source_id).unwrap_or_default()),
                costs: money.costs,
                revenues: money.revenues,
                before: before.remove(&row.source_id).unwrap_or_default(),
            }
        };
        Ok(rows.into_iter().map(source).collect())
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
        let wanted = Selected::here(context).field("before");
        let question = Question {
            filter: SlaFilter::read(filter),
            period,
            bucket: None,
            dimension: Some(if teams { Dimension::Team } else { Dimension::Agent }),
            compared: wanted.has("figures"),
        };
        let found = rows(&reads, &question).await?;
        let mut now = sold(&reads, &question.filter, teams, period).await?;
        let mut then = HashMap::new();
        if wanted.has("sold") {
            then = sold(&reads, &question.filter, teams, period.before()).await?;
        }
        let one = |row: SlaAdherenceRow| SlaPerformance {
            sold: now.remove(&row.key).unwrap_or(0),
            before: SlaPerformanceBefore { figures: row.before, sold: then.remove(&row.key).unwrap_or(0) },
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
