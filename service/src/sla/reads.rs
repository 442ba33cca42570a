//! What clocks came to, as people read it.
//!
//! The figures of a source and a period are one range of the index (source, time of start): a range scan for each of them
//! (`LATERAL`) sorts small groups in memory, where one `GROUP BY` over all would sort everything at once.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::ids::{DestinationId, SourceId};
use domain::sla::{Bucket, Period};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

/// The most pieces of a period: a month of hours.
pub const PIECES_MAX: usize = 800;
/// The most rows of a list, and of its download.
pub const LIST_MAX: usize = 100;
/// Rows of a download.
pub const EXPORT_MAX: usize = 100_000;
/// Counting of open clocks ends here.
pub const COUNTED_MAX: i64 = 100_000;

/// Which clocks. Empty lists: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockFilter {
    /// `processing`, `response`, or the tenant's own.
    pub clock: String,
    /// Of leads of these sources.
    pub sources: Vec<SourceId>,
    /// Of these lead types.
    pub lead_types: Vec<String>,
    /// Of these states.
    pub states: Vec<String>,
    /// Of these campaigns.
    pub campaigns: Vec<String>,
    /// Of these agents.
    pub agents: Vec<String>,
    /// Of these teams.
    pub teams: Vec<String>,
    /// Of leads that these destinations took.
    pub destinations: Vec<DestinationId>,
}

/// What figures are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The lead's source.
    Source,
    /// The tenant's label of the lead.
    LeadType,
    /// The team of who reached it.
    Team,
    /// Who reached it.
    Agent,
    /// The campaign.
    Campaign,
    /// Which destination took it.
    Destination,
    /// The state that it lives in.
    State,
}

impl Dimension {
    /// The word of it, and of the column of a download.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::LeadType => "lead_type",
            Self::Team => "team",
            Self::Agent => "agent",
            Self::Campaign => "campaign",
            Self::Destination => "destination",
            Self::State => "state",
        }
    }

    /// The dimension of that word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Source,
            Self::LeadType,
            Self::Team,
            Self::Agent,
            Self::Campaign,
            Self::Destination,
            Self::State,
        ];
        all.into_iter().find(|one| one.as_str() == word)
    }

    fn column(self) -> &'static str {
        match self {
            Self::Source => "c.source_id::text",
            Self::LeadType => "c.lead_type",
            Self::Team => "c.team",
            Self::Agent => "c.agent",
            Self::Campaign => "c.campaign",
            Self::Destination => "c.destination_id::text",
            Self::State => "c.state",
        }
    }
}

/// What the clocks that started in a period came to.
#[derive(Clone, Debug, Default, PartialEq, FromRow)]
pub struct Figures {
    /// All of them.
    pub total: i64,
    /// Stopped in time.
    pub met: i64,
    /// Ran out.
    pub missed: i64,
    /// Median of the time that counted, of those that have stopped, microseconds.
    pub p50_us: Option<f64>,
    /// 90th percentile.
    pub p90_us: Option<f64>,
    /// 95th percentile.
    pub p95_us: Option<f64>,
    /// The longest.
    pub worst_us: Option<i64>,
}

impl Figures {
    /// Of the decided ones, the share in target.
    pub fn share(&self) -> Option<f64> {
        let decided = self.met + self.missed;
        #[expect(clippy::cast_precision_loss, reason = "counts of clocks are far below 2^52")]
        (decided > 0).then(|| self.met as f64 / decided as f64)
    }
}

const FIGURES: &str = "count(*) AS total, count(*) FILTER (WHERE c.in_target) AS met,
     count(*) FILTER (WHERE NOT c.in_target) AS missed, max(c.elapsed_us) AS worst_us,
     percentile_cont(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (ORDER BY c.elapsed_us) AS percentiles";
const UNPACKED: &str =
    "a.total, a.met, a.missed, a.worst_us, a.percentiles[1] AS p50_us, a.percentiles[2] AS p90_us,
     a.percentiles[3] AS p95_us";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which clocks.
    pub filter: ClockFilter,
    /// Started in it.
    pub period: Period,
    /// Told for each of its pieces; for the whole without.
    pub bucket: Option<Bucket>,
    /// Told for each value.
    pub dimension: Option<Dimension>,
}

/// A row of the answer.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct Adherence {
    /// The piece of the period.
    pub from_at: DateTime<Utc>,
    /// Its end.
    pub until_at: DateTime<Utc>,
    /// The value of the dimension; of a source or a destination its id.
    pub key: Option<String>,
    /// What it came to.
    #[sqlx(flatten)]
    pub figures: Figures,
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    let texts = [
        ("c.lead_type", &filter.lead_types),
        ("c.state", &filter.states),
        ("c.campaign", &filter.campaigns),
        ("c.agent", &filter.agents),
        ("c.team", &filter.teams),
    ];
    for (column, wanted) in texts {
        if !wanted.is_empty() {
            query.push(format!(" AND {column} = ANY(")).push_bind(wanted.clone()).push(")");
        }
    }
    if !filter.destinations.is_empty() {
        let ids: Vec<Uuid> = filter.destinations.iter().map(|id| id.uuid()).collect();
        query.push(" AND c.destination_id = ANY(").push_bind(ids).push(")");
    }
}

/// The sources asked for, or all of the tenant: with them, the index gives a range of time.
async fn sources(
    connection: &mut PgConnection,
    tenant: Uuid,
    filter: &ClockFilter,
) -> Result<Vec<Uuid>, Error> {
    if !filter.sources.is_empty() {
        return Ok(filter.sources.iter().map(|id| id.uuid()).collect());
    }
    Ok(sqlx::query_scalar("SELECT id FROM lead_source WHERE tenant_id = $1 ORDER BY id")
        .bind(tenant)
        .fetch_all(connection)
        .await?)
}

/// The tenant's time zone, in which its days begin.
pub async fn zone(tx: &TenantTx) -> Result<Tz, Error> {
    let mut connection = tx.lock().await;
    let name: String = sqlx::query_scalar("SELECT time_zone FROM tenant WHERE id = $1")
        .bind(tx.tenant().uuid())
        .fetch_one(&mut *connection)
        .await?;
    name.parse().map_err(|_| Error::internal("reading tenant.time_zone", format!("`{name}` is no time zone")))
}

/// Adherence by piece of the period and by dimension, in the order of both. What has no clock has no row.
pub async fn adherence(tx: &TenantTx, question: &Question) -> Result<Vec<Adherence>, Error> {
    let pieces = match question.bucket {
        None => vec![question.period],
        Some(bucket) => question.period.split(bucket, zone(tx).await?, PIECES_MAX).ok_or_else(|| {
            Error::Limit(format!("the period has more than {PIECES_MAX} pieces; take longer ones").into())
        })?,
    };
    let (from, until): (Vec<_>, Vec<_>) = pieces.iter().map(|piece| (piece.from, piece.until)).unzip();
    let mut connection = tx.lock().await;
    let sources = sources(&mut connection, tx.tenant().uuid(), &question.filter).await?;
    let by_source = question.dimension == Some(Dimension::Source);
    let mut query = QueryBuilder::new("SELECT p.from_at, p.until_at, ");
    query.push(if by_source { "s.id::text AS key, " } else { "a.key, " }).push(UNPACKED);
    query.push(" FROM unnest(").push_bind(from).push("::timestamptz[], ").push_bind(until);
    query.push("::timestamptz[]) AS p(from_at, until_at)");
    if by_source {
        query.push(" CROSS JOIN unnest(").push_bind(sources.clone()).push("::uuid[]) AS s(id)");
    }
    query.push(" CROSS JOIN LATERAL (SELECT ");
    let column = question.dimension.filter(|_| !by_source).map(Dimension::column);
    if !by_source {
        query.push(column.unwrap_or("NULL::text")).push(" AS key, ");
    }
    query.push(FIGURES).push(" FROM sla_clock c WHERE c.tenant_id = ").push_bind(tx.tenant().uuid());
    query.push(" AND c.clock = ").push_bind(question.filter.clock.clone());
    if by_source {
        query.push(" AND c.source_id = s.id");
    } else {
        query.push(" AND c.source_id = ANY(").push_bind(sources).push(")");
    }
    query.push(" AND c.started_at >= p.from_at AND c.started_at < p.until_at");
    push_filter(&mut query, &question.filter);
    if let Some(column) = column {
        query.push(" GROUP BY ").push(column);
    }
    query.push(format!(") a WHERE a.total > 0 ORDER BY 1, 3 NULLS LAST LIMIT {EXPORT_MAX}"));
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// The figures of the whole.
pub async fn total(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Figures, Error> {
    let question = Question { filter: filter.clone(), period, bucket: None, dimension: None };
    Ok(adherence(tx, &question).await?.into_iter().next().map(|row| row.figures).unwrap_or_default())
}

/// A cell of the heat map.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct HeatCell {
    /// 1 is Monday, in the tenant's zone.
    pub weekday: i32,
    /// 0 to 23, in the tenant's zone.
    pub hour: i32,
    /// Clocks that started then.
    pub total: i64,
    /// In time.
    pub met: i64,
    /// Ran out.
    pub missed: i64,
}

/// Adherence by weekday and hour of the start.
pub async fn heat_map(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<HeatCell>, Error> {
    let zone = zone(tx).await?;
    let mut connection = tx.lock().await;
    let sources = sources(&mut connection, tx.tenant().uuid(), filter).await?;
    let mut query = QueryBuilder::new("SELECT extract(isodow FROM local)::integer AS weekday, extract(hour FROM local)::integer AS hour,
        count(*) AS total, count(*) FILTER (WHERE in_target) AS met, count(*) FILTER (WHERE NOT in_target) AS missed
        FROM (SELECT c.started_at AT TIME ZONE ");
    query.push_bind(zone.name()).push(" AS local, c.in_target FROM sla_clock c WHERE c.tenant_id = ");
    query.push_bind(tx.tenant().uuid()).push(" AND c.clock = ").push_bind(filter.clock.clone());
    query.push(" AND c.source_id = ANY(").push_bind(sources).push(") AND c.started_at >= ");
    query.push_bind(period.from).push(" AND c.started_at < ").push_bind(period.until);
    push_filter(&mut query, filter);
    query.push(") started GROUP BY 1, 2 ORDER BY 1, 2");
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// How an open clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Before its at-risk share.
    Running,
    /// Past it.
    AtRisk,
    /// Past its target.
    Overdue,
    /// Stands still for a reason.
    Paused,
}

/// A clock as it is listed.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table sla_clock, whose migration says what they mean")]
pub struct ClockRow {
    pub lead_id: Uuid,
    pub clock: String,
    pub policy_id: Uuid,
    pub version: i32,
    pub source_id: Uuid,
    pub lead_type: Option<String>,
    pub state: Option<String>,
    pub campaign: Option<String>,
    pub agent: Option<String>,
    pub team: Option<String>,
    pub started_at: DateTime<Utc>,
    pub at_risk_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub paused_at: Option<DateTime<Utc>>,
    pub pause_reason: Option<String>,
    pub stopped_at: Option<DateTime<Utc>>,
    pub elapsed_us: Option<i64>,
    pub in_target: Option<bool>,
    pub breached_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

const ROW: &str = "c.lead_id, c.clock, c.policy_id, c.version, c.source_id, c.lead_type, c.state, c.campaign, c.agent, c.team,
     c.started_at, c.at_risk_at, c.due_at, c.paused_at, c.pause_reason, c.stopped_at, c.elapsed_us, c.in_target, c.breached_at,
     c.reason";

impl ClockRow {
    /// How it stands; none when it has stopped.
    pub fn standing(&self, now: DateTime<Utc>) -> Option<Standing> {
        if self.stopped_at.is_some() {
            return None;
        }
        Some(match (self.due_at, self.at_risk_at) {
            (None, _) => Standing::Paused,
            (Some(due), _) if due <= now => Standing::Overdue,
            (_, Some(at_risk)) if at_risk <= now => Standing::AtRisk,
            _ => Standing::Running,
        })
    }
}

fn push_sources(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    if !filter.clock.is_empty() {
        query.push(" AND c.clock = ").push_bind(filter.clock.clone());
    }
    if !filter.sources.is_empty() {
        let ids: Vec<Uuid> = filter.sources.iter().map(|id| id.uuid()).collect();
        query.push(" AND c.source_id = ANY(").push_bind(ids).push(")");
    }
    push_filter(query, filter);
}

/// Open clocks by the time that is left, the shortest first; a walk along the index of the open ones. Without a standing:
/// those that still can be kept, at risk or not.
pub async fn open(
    tx: &TenantTx,
    filter: &ClockFilter,
    standing: Option<Standing>,
    most: usize,
    now: DateTime<Utc>,
) -> Result<Vec<ClockRow>, Error> {
    let mut query = QueryBuilder::new(format!(
        "SELECT {ROW} FROM sla_clock c WHERE c.stopped_at IS NULL AND c.tenant_id = "
    ));
    query.push_bind(tx.tenant().uuid());
    match standing {
        None => query.push(" AND c.due_at > ").push_bind(now),
        Some(Standing::Running) => query.push(" AND c.at_risk_at > ").push_bind(now),
        Some(Standing::AtRisk) => {
            query.push(" AND c.due_at > ").push_bind(now).push(" AND c.at_risk_at <= ").push_bind(now)
        }
        Some(Standing::Overdue) => query.push(" AND c.due_at <= ").push_bind(now),
        Some(Standing::Paused) => query.push(" AND c.due_at IS NULL"),
    };
    push_sources(&mut query, filter);
    query.push(format!(" ORDER BY c.due_at LIMIT {}", most.min(EXPORT_MAX)));
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// Clocks that ran out in the period, the latest first.
pub async fn breaches(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
    most: usize,
) -> Result<Vec<ClockRow>, Error> {
    let mut query = QueryBuilder::new(format!("SELECT {ROW} FROM sla_clock c WHERE c.tenant_id = "));
    query.push_bind(tx.tenant().uuid()).push(" AND c.breached_at >= ").push_bind(period.from);
    query.push(" AND c.breached_at < ").push_bind(period.until);
    push_sources(&mut query, filter);
    query.push(format!(" ORDER BY c.breached_at DESC, c.lead_id LIMIT {}", most.min(EXPORT_MAX)));
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// The clocks of a lead, in the order of their start.
pub async fn of_lead(tx: &TenantTx, lead: Uuid) -> Result<Vec<ClockRow>, Error> {
    let mut connection = tx.lock().await;
    let sql = format!(
        "SELECT {ROW} FROM sla_clock c WHERE c.tenant_id = $1 AND c.lead_id = $2 ORDER BY c.started_at, c.clock"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(lead)
        .fetch_all(&mut *connection)
        .await?)
}

/// Open clocks by how they stand, each counted up to [`COUNTED_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Now {
    /// Running and not at risk.
    pub running: i64,
    /// At risk.
    pub at_risk: i64,
    /// Ran out, and still open.
    pub overdue: i64,
    /// Paused.
    pub paused: i64,
}

/// How the open clocks stand now. At risk is told of the [`COUNTED_MAX`] that are due next.
pub async fn now(tx: &TenantTx, filter: &ClockFilter, now: DateTime<Utc>) -> Result<Now, Error> {
    let mut query = QueryBuilder::new(
        "SELECT count(*) FILTER (WHERE kind = 1 AND NOT warned) AS running,
        count(*) FILTER (WHERE kind = 1 AND warned) AS at_risk, count(*) FILTER (WHERE kind = 2) AS overdue,
        count(*) FILTER (WHERE kind = 3) AS paused FROM (",
    );
    for (kind, which) in [(1, "c.due_at > "), (2, "c.due_at <= "), (3, "c.due_at IS NULL")] {
        if kind > 1 {
            query.push(" UNION ALL ");
        }
        query.push(format!("(SELECT {kind} AS kind, c.at_risk_at <= ")).push_bind(now);
        query.push(" AS warned FROM sla_clock c WHERE c.stopped_at IS NULL AND c.tenant_id = ");
        query.push_bind(tx.tenant().uuid()).push(" AND ").push(which);
        if kind < 3 {
            query.push_bind(now);
        }
        push_sources(&mut query, filter);
        query.push(format!(" ORDER BY c.due_at LIMIT {COUNTED_MAX})"));
    }
    query.push(") open");
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_one(&mut *connection).await?)
}

/// The values that clocks have had, for filters: each list bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Choices {
    /// Names of clocks that a policy runs.
    pub clocks: Vec<String>,
    /// Lead types.
    pub lead_types: Vec<String>,
    /// States.
    pub states: Vec<String>,
    /// Campaigns.
    pub campaigns: Vec<String>,
    /// Agents.
    pub agents: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
}

/// What can be chosen, of the last clocks that were started.
pub async fn choices(tx: &TenantTx) -> Result<Choices, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "WITH recent AS MATERIALIZED (
             SELECT lead_type, state, campaign, agent, team FROM sla_clock WHERE tenant_id = $1
             ORDER BY lead_id DESC LIMIT 20000)
         SELECT ARRAY(SELECT DISTINCT clock FROM sla_policy WHERE tenant_id = $1 ORDER BY 1) AS clocks,
                ARRAY(SELECT DISTINCT lead_type FROM recent WHERE lead_type IS NOT NULL ORDER BY 1 LIMIT 200) AS lead_types,
                ARRAY(SELECT DISTINCT state FROM recent WHERE state IS NOT NULL ORDER BY 1 LIMIT 200) AS states,
                ARRAY(SELECT DISTINCT campaign FROM recent WHERE campaign IS NOT NULL ORDER BY 1 LIMIT 200) AS campaigns,
                ARRAY(SELECT DISTINCT agent FROM recent WHERE agent IS NOT NULL ORDER BY 1 LIMIT 200) AS agents,
                ARRAY(SELECT DISTINCT team FROM recent WHERE team IS NOT NULL ORDER BY 1 LIMIT 200) AS teams",
    )
    .bind(tx.tenant().uuid())
    .fetch_one(&mut *connection)
    .await?)
}
