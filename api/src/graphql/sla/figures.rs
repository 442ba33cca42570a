//! What clocks came to.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, LeadId, PolicyId, SourceId};
use domain::sla::{Bucket, Period};
use service::sla::reads::{
    self, Choices, ClockFilter, ClockRow, Dimension, Figures, HeatCell, Question, Standing,
};
use service::sla::sources;
use uuid::Uuid;

use super::super::destinations;
use super::super::error::ApiError;
use super::super::id::{Id, each};
use super::super::lead::Lead;
use super::super::leads;
use super::super::operation::{Reads, operation};
use super::super::sources::{self as lead_sources, Source};
use super::super::wants::{DestinationWants, LeadWants, Selected, SourceWants, Wants};
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

/// How an open clock stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "service::sla::reads::Standing")]
pub enum SlaStanding {
    Running,
    AtRisk,
    Overdue,
    Paused,
}

/// Which clocks. Absent lists: all.
#[derive(Clone, Debug, InputObject)]
pub struct SlaFilter {
    /// `processing`, `response`, or the tenant's own.
    #[graphql(default = "response")]
    clock: String,
    source_ids: Option<Vec<Id<SourceId>>>,
    lead_types: Option<Vec<String>>,
    states: Option<Vec<String>>,
    campaigns: Option<Vec<String>>,
    agents: Option<Vec<String>>,
    teams: Option<Vec<String>>,
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
    /// By piece of the period and value of the dimension, in that order.
    rows: Vec<SlaAdherenceRow>,
}

/// A piece of the period and a value of the dimension.
#[derive(Clone, SimpleObject)]
pub struct SlaAdherenceRow {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    /// The value; of a source or a destination its id. null: the leads have none.
    key: Option<String>,
    /// The value as people know it.
    label: Option<String>,
    figures: SlaFigures,
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

/// One clock of one lead.
pub struct SlaClock {
    lead: Option<Arc<Lead>>,
    source: Option<Arc<Source>>,
    standing: Option<SlaStanding>,
    row: ClockRow,
}

#[Object]
impl SlaClock {
    async fn lead(&self) -> Option<Arc<Lead>> {
        self.lead.clone()
    }

    async fn source(&self) -> Option<Arc<Source>> {
        self.source.clone()
    }

    /// null: it has stopped.
    async fn standing(&self) -> Option<SlaStanding> {
        self.standing
    }

    async fn lead_id(&self) -> ID {
        ID(LeadId(self.row.lead_id).to_string())
    }

    async fn clock(&self) -> &str {
        &self.row.clock
    }

    async fn policy_id(&self) -> ID {
        ID(PolicyId(self.row.policy_id).to_string())
    }

    /// The version of the policy that applied when it started.
    async fn version(&self) -> i32 {
        self.row.version
    }

    async fn lead_type(&self) -> Option<&str> {
        self.row.lead_type.as_deref()
    }

    async fn state(&self) -> Option<&str> {
        self.row.state.as_deref()
    }

    async fn campaign(&self) -> Option<&str> {
        self.row.campaign.as_deref()
    }

    async fn agent(&self) -> Option<&str> {
        self.row.agent.as_deref()
    }

    async fn team(&self) -> Option<&str> {
        self.row.team.as_deref()
    }

    async fn started_at(&self) -> DateTime<Utc> {
        self.row.started_at
    }

    /// null while it is paused.
    async fn at_risk_at(&self) -> Option<DateTime<Utc>> {
        self.row.at_risk_at
    }

    /// null while it is paused.
    async fn due_at(&self) -> Option<DateTime<Utc>> {
        self.row.due_at
    }

    async fn paused_at(&self) -> Option<DateTime<Utc>> {
        self.row.paused_at
    }

    async fn pause_reason(&self) -> Option<&str> {
        self.row.pause_reason.as_deref()
    }

    async fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.row.stopped_at
    }

    /// The time that counted, once it has stopped.
    async fn elapsed_seconds(&self) -> Option<f64> {
        self.row.elapsed_us.map(seconds)
    }

    /// null: not decided yet.
    async fn in_target(&self) -> Option<bool> {
        self.row.in_target
    }

    async fn breached_at(&self) -> Option<DateTime<Utc>> {
        self.row.breached_at
    }

    /// Why it ran out.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }
}

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
    dimension: Option<SlaDimension>,
    keys: impl Iterator<Item = &str>,
) -> Result<HashMap<String, String>, ApiError> {
    let ids = keys.filter_map(|key| key.parse::<Uuid>().ok());
    Ok(match dimension {
        Some(SlaDimension::Source) => lead_sources::by_ids(reads, ids, SourceWants::default())
            .await?
            .into_iter()
            .map(|(id, source)| (id.to_string(), source.row.name.clone()))
            .collect(),
        Some(SlaDimension::Destination) => destinations::by_ids(reads, ids, DestinationWants::default())
            .await?
            .into_iter()
            .map(|(id, destination)| (id.to_string(), destination.row.name.clone()))
            .collect(),
        _ => HashMap::new(),
    })
}

/// An id of the dimension as the schema writes it.
fn outside(dimension: Option<SlaDimension>, key: String) -> String {
    match (dimension, key.parse::<Uuid>()) {
        (Some(SlaDimension::Source), Ok(id)) => SourceId(id).to_string(),
        (Some(SlaDimension::Destination), Ok(id)) => DestinationId(id).to_string(),
        _ => key,
    }
}

async fn rows(
    reads: &Reads,
    filter: &ClockFilter,
    period: Period,
    bucket: Option<SlaBucket>,
    dimension: Option<SlaDimension>,
) -> Result<Vec<SlaAdherenceRow>, ApiError> {
    let question = Question {
        filter: filter.clone(),
        period,
        bucket: bucket.map(Bucket::from),
        dimension: dimension.map(Dimension::from),
    };
    let found = reads::adherence(reads, &question).await?;
    let labels = labels(reads, dimension, found.iter().filter_map(|row| row.key.as_deref())).await?;
    let row = |row: reads::Adherence| SlaAdherenceRow {
        since: row.from_at,
        until: row.until_at,
        label: row.key.as_ref().map(|key| labels.get(key).unwrap_or(key).clone()),
        key: row.key.map(|key| outside(dimension, key)),
        figures: row.figures.into(),
    };
    Ok(found.into_iter().map(row).collect())
}

async fn clocks(
    reads: &Reads,
    rows: Vec<ClockRow>,
    selected: &Selected<'_>,
) -> Result<Vec<SlaClock>, ApiError> {
    let wanted = selected.field("lead");
    let found = if wanted.exists() {
        leads::by_ids(reads, rows.iter().map(|row| row.lead_id), &LeadWants::read(&wanted)).await?
    } else {
        HashMap::new()
    };
    let sources = if selected.has("source") {
        let wants = SourceWants::read(&selected.field("source"));
        lead_sources::by_ids(reads, rows.iter().map(|row| row.source_id), wants).await?
    } else {
        HashMap::new()
    };
    Ok(rows
        .into_iter()
        .map(|row| SlaClock {
            lead: found.get(&row.lead_id).map(Arc::clone),
            source: sources.get(&row.source_id).map(Arc::clone),
            standing: row.standing(reads.now).map(SlaStanding::from),
            row,
        })
        .collect())
}

/// The rows that a list may have.
fn most(first: i32) -> Result<usize, ApiError> {
    match usize::try_from(first) {
        Ok(rows) if rows <= reads::LIST_MAX => Ok(rows),
        Ok(rows) => {
            Err(ApiError::limit(format!("`first` is {rows}; a list has at most {} rows", reads::LIST_MAX)))
        }
        Err(_) => Err(ApiError::invalid("first", "`first` must not be negative")),
    }
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
            answer.rows = rows(&reads, &filter, period, bucket, dimension).await?;
        }
        Ok(answer)
    }

    /// Open clocks by the time that is left, the shortest first; without a standing those that can still be met.
    #[graphql(complexity = "10 + child_complexity * 20")]
    async fn sla_open_clocks(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        standing: Option<SlaStanding>,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaClock>, ApiError> {
        let most = most(first)?;
        let reads = operation(context)?.read().await?;
        let standing = standing.map(Standing::from);
        let rows = reads::open(&reads, &SlaFilter::read(filter), standing, most, reads.now).await?;
        clocks(&reads, rows, &Selected::here(context)).await
    }

    /// Clocks that ran out in the period, the latest first.
    #[graphql(complexity = "10 + child_complexity * 20")]
    async fn sla_breaches(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        #[graphql(default = 50)] first: i32,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaClock>, ApiError> {
        let most = most(first)?;
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let rows = reads::breaches(&reads, &SlaFilter::read(filter), period, most).await?;
        clocks(&reads, rows, &Selected::here(context)).await
    }

    /// The clocks of a lead, in the order of their start; null when there is no such lead.
    async fn sla_clocks(
        &self,
        context: &Context<'_>,
        lead: Id<LeadId>,
    ) -> Result<Option<Vec<SlaClock>>, ApiError> {
        let reads = operation(context)?.read().await?;
        if service::intake::leads::by_ids(&reads, &[lead.0]).await?.is_empty() {
            return Ok(None);
        }
        let rows = reads::of_lead(&reads, lead.0.uuid()).await?;
        Ok(Some(clocks(&reads, rows, &Selected::here(context)).await?))
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

    /// What each source brought: of the leads that were received in the period.
    #[graphql(complexity = "300 + child_complexity")]
    async fn sla_sources(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Vec<SlaSource>, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let selected = Selected::here(context);
        let rows = sources::effectiveness(&reads, period).await?;
        let wants = SourceWants::read(&selected.field("source"));
        let named = lead_sources::by_ids(&reads, rows.iter().map(|row| row.source_id), wants).await?;
        let mut refusals: HashMap<Uuid, Vec<SlaRefusal>> = HashMap::new();
        if selected.has("refusals") {
            for row in sources::refusals(&reads, period).await? {
                let one = SlaRefusal { code: row.code, count: count(row.count) };
                refusals.entry(row.source_id).or_default().push(one);
            }
        }
        let source = |row: sources::Effectiveness| SlaSource {
            source: named.get(&row.source_id).map(Arc::clone),
            received: count(row.received),
            accepted: count(row.accepted),
            refused: count(row.refused),
            delivered: count(row.delivered),
            contacted: count(row.contacted),
            sold: count(row.sold),
            refusals: refusals.remove(&row.source_id).unwrap_or_default(),
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
        let dimension = if teams { SlaDimension::Team } else { SlaDimension::Agent };
        let found = rows(&reads, &SlaFilter::read(filter), period, None, Some(dimension)).await?;
        let sold: HashMap<Option<String>, i64> = sources::sold_by(&reads, teams, period)
            .await?
            .into_iter()
            .map(|row| (row.key, row.sold))
            .collect();
        let one = |row: SlaAdherenceRow| SlaPerformance {
            sold: count(sold.get(&row.key).copied().unwrap_or(0)),
            name: row.key,
            figures: row.figures,
        };
        Ok(found.into_iter().map(one).collect())
    }

    /// What can be chosen in filters, of the clocks that were started last.
    async fn sla_choices(&self, context: &Context<'_>) -> Result<SlaChoices, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(reads::choices(&reads).await?.into())
    }
}
