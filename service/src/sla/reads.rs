//! What clocks came to, as people read it.
//!
//! The figures of a source and a period are one range of the index (source, time of start): a range scan for each of them
//! (`LATERAL`) sorts small groups in memory, where one `GROUP BY` over all would sort everything at once.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::sla::{Bucket, Period};
use sqlx::{FromRow, PgConnection, QueryBuilder};
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

pub use super::filter::ClockFilter;
use super::filter::{push_filter, push_sources};
pub use super::lists::{
    COUNTED_MAX, ClockPage, ClockRow, EXPORT_MAX, Now, Place, Standing, breaches, now, of_lead, open,
};

/// The most pieces of a period: a month of hours.
pub const PIECES_MAX: usize = 800;
/// The most rows of a list, and of its download.
pub const LIST_MAX: usize = 100;

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
    /// Each row beside the period before.
    pub compared: bool,
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
    /// What the same value came to in the piece's time shifted back by the length of the whole period, when that is asked.
    #[sqlx(skip)]
    pub before: Option<Figures>,
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

/// Adherence by piece of the period and by dimension, in the order of both. What has no clock has no row; what had some only
/// before has none either. The comparison is one statement more.
pub async fn adherence(tx: &TenantTx, question: &Question) -> Result<Vec<Adherence>, Error> {
    let pieces = match question.bucket {
        None => vec![question.period],
        Some(bucket) => question.period.split(bucket, zone(tx).await?, PIECES_MAX).ok_or_else(|| {
            Error::Limit(format!("the period has more than {PIECES_MAX} pieces; take longer ones").into())
        })?,
    };
    let mut connection = tx.lock().await;
    let tenant = tx.tenant().uuid();
    let sources = sources(&mut connection, tenant, &question.filter).await?;
    let counted = Counted { tenant, sources, pieces };
    let mut rows = counted.rows(&mut connection, question, TimeDelta::zero()).await?;
    if question.compared {
        let back = question.period.until - question.period.from;
        let before = counted.rows(&mut connection, question, back).await?;
        if before.len() == EXPORT_MAX {
            // What was cut off would read as nothing.
            let many = "the period before has too many rows to compare with; take longer pieces";
            return Err(Error::Limit(many.into()));
        }
        let mut before: HashMap<_, _> =
            before.into_iter().map(|row| ((row.from_at, row.key), row.figures)).collect();
        for row in &mut rows {
            row.before = Some(before.remove(&(row.from_at, row.key.clone())).unwrap_or_default());
        }
    }
    Ok(rows)
}

/// What the rows of an answer are counted of.
struct Counted {
    tenant: Uuid,
    sources: Vec<Uuid>,
    pieces: Vec<Period>,
}

impl Counted {
    /// The rows of the pieces, each counted in its time shifted back by so much; they bear the pieces' own times.
    async fn rows(
        &self,
        connection: &mut PgConnection,
        question: &Question,
        back: TimeDelta,
    ) -> Result<Vec<Adherence>, Error> {
        let ends = |piece: Period| (piece.from, piece.until);
        let (from, until): (Vec<_>, Vec<_>) = self.pieces.iter().copied().map(ends).unzip();
        let counted = self.pieces.iter().map(|piece| piece.earlier(back));
        let (begin, end): (Vec<_>, Vec<_>) = counted.map(ends).unzip();
        let by_source = question.dimension == Some(Dimension::Source);
        let mut query = QueryBuilder::new("SELECT p.from_at, p.until_at, ");
        query.push(if by_source { "s.id::text AS key, " } else { "a.key, " }).push(UNPACKED);
        query.push(" FROM unnest(").push_bind(from).push("::timestamptz[], ").push_bind(until);
        query.push("::timestamptz[], ").push_bind(begin).push("::timestamptz[], ").push_bind(end);
        query.push("::timestamptz[]) AS p(from_at, until_at, begin_at, end_at)");
        if by_source {
            query.push(" CROSS JOIN unnest(").push_bind(self.sources.clone()).push("::uuid[]) AS s(id)");
        }
        query.push(" CROSS JOIN LATERAL (SELECT ");
        let column = question.dimension.filter(|_| !by_source).map(Dimension::column);
        if !by_source {
            query.push(column.unwrap_or("NULL::text")).push(" AS key, ");
        }
        query.push(FIGURES).push(" FROM sla_clock c WHERE c.tenant_id = ").push_bind(self.tenant);
        query.push(" AND c.clock = ").push_bind(question.filter.clock.clone());
        if by_source {
            query.push(" AND c.source_id = s.id");
        } else {
            query.push(" AND c.source_id = ANY(").push_bind(self.sources.clone()).push(")");
        }
        query.push(" AND c.started_at >= p.begin_at AND c.started_at < p.end_at");
        push_filter(&mut query, &question.filter);
        if let Some(column) = column {
            query.push(" GROUP BY ").push(column);
        }
        query.push(format!(") a WHERE a.total > 0 ORDER BY 1, 3 NULLS LAST LIMIT {EXPORT_MAX}"));
        Ok(query.build_query_as().fetch_all(connection).await?)
    }
}

/// The figures of the whole.
pub async fn total(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Figures, Error> {
    let question =
        Question { filter: filter.clone(), period, bucket: None, dimension: None, compared: false };
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

/// Why clocks ran out in the period, and how many for each reason, the most frequent first.
pub async fn problems(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
    most: usize,
) -> Result<Vec<(Option<String>, i64)>, Error> {
    let mut query = QueryBuilder::new(
        "SELECT c.reason, count(*) FROM sla_clock c WHERE NOT c.in_target AND c.tenant_id = ",
    );
    query.push_bind(tx.tenant().uuid()).push(" AND c.breached_at >= ").push_bind(period.from);
    query.push(" AND c.breached_at < ").push_bind(period.until);
    push_sources(&mut query, filter);
    query.push(format!(" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {}", most.min(LIST_MAX)));
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}
