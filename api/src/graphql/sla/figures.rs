//! What clocks came to.

use std::collections::HashMap;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, SourceId};
use domain::sla::{Bucket, Period};
use service::sla::reads::{self, Choices, ClockFilter, Dimension, Figures, HeatCell, Question};
use uuid::Uuid;

use super::super::destinations;
use super::super::error::ApiError;
use super::super::id::{Id, each};
use super::super::operation::{Reads, operation};
use super::super::sources as lead_sources;
use super::super::wants::{DestinationWants, Selected, SourceWants};
use super::{count, seconds};

/// The longest period; figures are counted when they are asked for.
const DAYS_MAX: i64 = 366;

/// What figures are told by.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "service::sla::reads::Dimension")]
pub enum SlaDimension {
    Source,
    LeadType,
    Team,
    Agent,
    Campaign,
    Destination,
    State,
}

/// How long the pieces of a period are, in the tenant's time zone.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::sla::Bucket")]
pub enum SlaBucket {
    Hour,
    Day,
    Week,
    Month,
}

/// Which clocks, and of `slaSources` which leads. Absent lists: all.
#[derive(Clone, Debug, InputObject)]
pub struct SlaFilter {
    /// `processing`, `response`, or the tenant's own. Figures are always of one clock; elsewhere an empty name is every clock.
    /// Leads are not chosen by it: it says whose agent and team are asked for.
    #[graphql(default = "response")]
    clock: String,
    source_ids: Option<Vec<Id<SourceId>>>,
    /// Of a clock as the lead was when the clock started; of a lead as it is. So with states and campaigns.
    lead_types: Option<Vec<String>>,
    states: Option<Vec<String>>,
    campaigns: Option<Vec<String>>,
    /// Of a lead those of its clock.
    agents: Option<Vec<String>>,
    /// Of a lead those of its clock.
    teams: Option<Vec<String>>,
    /// Of a clock the destination that took the lead; of a lead those that it was meant for.
    destination_ids: Option<Vec<Id<DestinationId>>>,
}

impl SlaFilter {
    pub(in super::super) fn read(given: Option<Self>) -> ClockFilter {
        let Some(given) = given else {
            return ClockFilter { clock: "response".to_owned(), ..ClockFilter::default() };
        };
        ClockFilter {
            clock: given.clock,
            sources: each(given.source_ids.as_ref()),
            lead_types: given.lead_types.unwrap_or_default(),
            states: given.states.unwrap_or_default(),
            campaigns: given.campaigns.unwrap_or_default(),
            agents: given.agents.unwrap_or_default(),
            teams: given.teams.unwrap_or_default(),
            destinations: each(given.destination_ids.as_ref()),
        }
    }
}

/// The period, when it can be one.
pub(super) fn period(
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Period, ApiError> {
    let period = Period { from: since, until: until.unwrap_or(now) };
    if period.until <= period.from {
        return Err(ApiError::invalid("until", "`until` must lie after `since`"));
    }
    if period.until - period.from > TimeDelta::days(DAYS_MAX) {
        return Err(ApiError::limit(format!("the period is longer than {DAYS_MAX} days")));
    }
    Ok(period)
}

/// What the clocks that started in a period came to.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct SlaFigures {
    total: i32,
    /// Stopped in time.
    met: i32,
    /// Ran out.
    missed: i32,
    /// Not decided yet.
    open: i32,
    /// Of the decided ones, the share that was met, 0 to 1.
    share: Option<f64>,
    /// Median of the time that counted, of those that have stopped.
    p50_seconds: Option<f64>,
    p90_seconds: Option<f64>,
    p95_seconds: Option<f64>,
    worst_seconds: Option<f64>,
}

impl From<Figures> for SlaFigures {
    fn from(figures: Figures) -> Self {
        Self {
            total: count(figures.total),
            met: count(figures.met),
            missed: count(figures.missed),
            open: count(figures.total - figures.met - figures.missed),
            share: figures.share(),
            p50_seconds: figures.p50_us.map(|us| us / 1e6),
            p90_seconds: figures.p90_us.map(|us| us / 1e6),
            p95_seconds: figures.p95_us.map(|us| us / 1e6),
            worst_seconds: figures.worst_us.map(seconds),
        }
    }
}

/// Adherence of a period.
#[derive(Default, SimpleObject)]
pub struct SlaAdherence {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Of the whole period.
    total: SlaFigures,
    /// Of the period of the same length before it.
    before: SlaFigures,
    /// By piece of the period and value of the dimension, in that order. A value without a clock in the piece has no row.
    rows: Vec<SlaAdherenceRow>,
}

/// A piece of the period and a value of the dimension.
#[derive(Clone, SimpleObject)]
pub struct SlaAdherenceRow {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    /// The value; of a source or a destination its id. null: the leads have none.
    pub(super) key: Option<String>,
    /// The value as people know it.
    pub(super) label: Option<String>,
    pub(super) figures: SlaFigures,
    /// Of the same value, in the piece's time shifted back by the length of the whole period; all 0 when there was none.
    pub(super) before: SlaFigures,
}

/// A cell of the heat map: clocks by weekday and hour of their start, in the tenant's time zone.
#[derive(SimpleObject)]
pub struct SlaHeatCell {
    /// 1 is Monday.
    weekday: i32,
    hour: i32,
    total: i32,
    met: i32,
    missed: i32,
}

impl From<HeatCell> for SlaHeatCell {
    fn from(cell: HeatCell) -> Self {
        Self {
            weekday: cell.weekday,
            hour: cell.hour,
            total: count(cell.total),
            met: count(cell.met),
            missed: count(cell.missed),
        }
    }
}

/// What clocks can be filtered by.
#[derive(SimpleObject)]
pub struct SlaChoices {
    /// Names of clocks that a policy runs.
    clocks: Vec<String>,
    lead_types: Vec<String>,
    states: Vec<String>,
    campaigns: Vec<String>,
    agents: Vec<String>,
    teams: Vec<String>,
}

impl From<Choices> for SlaChoices {
    fn from(all: Choices) -> Self {
        Self {
            clocks: all.clocks,
            lead_types: all.lead_types,
            states: all.states,
            campaigns: all.campaigns,
            agents: all.agents,
            teams: all.teams,
        }
    }
}

/// Sources and destinations by name.
async fn labels(
    reads: &Reads,
    dimension: Option<Dimension>,
    keys: impl Iterator<Item = &str>,
) -> Result<HashMap<String, String>, ApiError> {
    let ids = keys.filter_map(|key| key.parse::<Uuid>().ok());
    Ok(match dimension {
        Some(Dimension::Source) => lead_sources::by_ids(reads, ids, SourceWants::default())
            .await?
            .into_iter()
            .map(|(id, source)| (id.to_string(), source.row.name.clone()))
            .collect(),
        Some(Dimension::Destination) => destinations::by_ids(reads, ids, DestinationWants::default())
            .await?
            .into_iter()
            .map(|(id, destination)| (id.to_string(), destination.row.name.clone()))
            .collect(),
        _ => HashMap::new(),
    })
}

/// An id of the dimension as the schema writes it.
fn outside(dimension: Option<Dimension>, key: String) -> String {
    match (dimension, key.parse::<Uuid>()) {
        (Some(Dimension::Source), Ok(id)) => SourceId(id).to_string(),
        (Some(Dimension::Destination), Ok(id)) => DestinationId(id).to_string(),
        _ => key,
    }
}

pub(super) async fn rows(reads: &Reads, question: &Question) -> Result<Vec<SlaAdherenceRow>, ApiError> {
    let dimension = question.dimension;
    let found = reads::adherence(reads, question).await?;
    let labels = labels(reads, dimension, found.iter().filter_map(|row| row.key.as_deref())).await?;
    let row = |row: reads::Adherence| SlaAdherenceRow {
        since: row.from_at,
        until: row.until_at,
        label: row.key.as_ref().map(|key| labels.get(key).unwrap_or(key).clone()),
        key: row.key.map(|key| outside(dimension, key)),
        figures: row.figures.into(),
        before: row.before.unwrap_or_default().into(),
    };
    Ok(found.into_iter().map(row).collect())
}

#[derive(Default)]
pub(in super::super) struct SlaQueries;

#[Object]
impl SlaQueries {
    /// The share of clocks that were met, and how long they took.
    #[graphql(complexity = "300 + child_complexity")]
    async fn sla_adherence(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        filter: Option<SlaFilter>,
        bucket: Option<SlaBucket>,
        dimension: Option<SlaDimension>,
    ) -> Result<SlaAdherence, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let filter = SlaFilter::read(filter);
        let selected = Selected::here(context);
        let mut answer = SlaAdherence { since: period.from, until: period.until, ..SlaAdherence::default() };
        if selected.has("total") {
            answer.total = reads::total(&reads, &filter, period).await?.into();
        }
        if selected.has("before") {
            answer.before = reads::total(&reads, &filter, period.before()).await?.into();
        }
        if selected.has("rows") {
            let question = Question {
                filter,
                period,
                bucket: bucket.map(Bucket::from),
                dimension: dimension.map(Dimension::from),
                compared: selected.field("rows").has("before"),
            };
            answer.rows = rows(&reads, &question).await?;
        }
        Ok(answer)
    }

    /// Clocks by weekday and hour of their start.
    #[graphql(complexity = "200 + child_complexity")]
    async fn sla_heat_map(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaHeatCell>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let cells = reads::heat_map(&reads, &SlaFilter::read(filter), period).await?;
        Ok(cells.into_iter().map(Into::into).collect())
    }

    /// What can be chosen in filters, of the clocks that were started last.
    async fn sla_choices(&self, context: &Context<'_>) -> Result<SlaChoices, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(reads::choices(&reads).await?.into())
    }
}
