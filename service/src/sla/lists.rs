//! Clocks, one by one, and how the open ones stand.

use chrono::{DateTime, Utc};
use domain::sla::Period;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::filter::{ClockFilter, push_sources};
use crate::database::TenantTx;
use crate::error::Error;

/// Rows of a download.
pub const EXPORT_MAX: usize = 100_000;
/// Counting of open clocks ends here.
pub const COUNTED_MAX: i64 = 100_000;

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

/// A clock's place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the list is ordered by; none of a paused clock.
    pub at: Option<DateTime<Utc>>,
    /// Its lead.
    pub lead: Uuid,
    /// Its name.
    pub clock: String,
}

/// A page of a list of clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockPage {
    /// How many at most.
    pub rows: usize,
    /// Those after that place; from the beginning without.
    pub after: Option<Place>,
}

impl ClockPage {
    /// The first rows.
    pub fn first(rows: usize) -> Self {
        Self { rows, after: None }
    }
}

/// Open clocks by the time that is left, the shortest first; a walk along the index of the open ones. Without a standing:
/// those that still can be kept, at risk or not.
pub async fn open(
    tx: &TenantTx,
    filter: &ClockFilter,
    standing: Option<Standing>,
    page: &ClockPage,
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
    if let Some(after) = &page.after {
        match after.at {
            Some(at) => query.push(" AND (c.due_at, c.lead_id, c.clock) > (").push_bind(at).push(", "),
            None => query.push(" AND (c.lead_id, c.clock) > ("),
        };
        query.push_bind(after.lead).push(", ").push_bind(after.clock.clone()).push(")");
    }
    query.push(format!(" ORDER BY c.due_at, c.lead_id, c.clock LIMIT {}", page.rows.min(EXPORT_MAX)));
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// Clocks that ran out in the period, the latest first.
pub async fn breaches(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
    page: &ClockPage,
) -> Result<Vec<ClockRow>, Error> {
    let mut query = QueryBuilder::new(format!("SELECT {ROW} FROM sla_clock c WHERE c.tenant_id = "));
    query.push_bind(tx.tenant().uuid()).push(" AND c.breached_at >= ").push_bind(period.from);
    query.push(" AND c.breached_at < ").push_bind(period.until);
    push_sources(&mut query, filter);
    if let Some(Place { at: Some(at), lead, clock }) = &page.after {
        query.push(" AND (c.breached_at, c.lead_id, c.clock) < (").push_bind(*at).push(", ");
        query.push_bind(*lead).push(", ").push_bind(clock.clone()).push(")");
    }
    let rows = page.rows.min(EXPORT_MAX);
    query.push(format!(" ORDER BY c.breached_at DESC, c.lead_id DESC, c.clock DESC LIMIT {rows}"));
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
