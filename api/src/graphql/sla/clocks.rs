//! Clocks, one by one: the open ones, those that ran out, those of a lead.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::ids::{LeadId, PolicyId};
use service::sla::reads::{self, ClockPage, ClockRow, Place, Standing};
use uuid::Uuid;

use super::super::error::ApiError;
use super::super::id::Id;
use super::super::lead::Lead;
use super::super::leads;
use super::super::operation::{Reads, operation};
use super::super::sources::{self as lead_sources, Source};
use super::super::wants::{LeadWants, Selected, SourceWants, Wants};
use super::figures::{SlaFilter, period};
use super::seconds;

/// How an open clock stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "service::sla::reads::Standing")]
pub enum SlaStanding {
    Running,
    AtRisk,
    Overdue,
    Paused,
}

/// One clock of one lead.
pub struct SlaClock {
    lead: Option<Arc<Lead>>,
    source: Option<Arc<Source>>,
    standing: Option<SlaStanding>,
    row: ClockRow,
    cursor: String,
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

    /// Its place in the list that it came with: what comes after it begins there.
    async fn cursor(&self) -> &str {
        &self.cursor
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

async fn clocks(
    reads: &Reads,
    rows: Vec<ClockRow>,
    selected: &Selected<'_>,
    at: fn(&ClockRow) -> Option<DateTime<Utc>>,
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
            cursor: place(&row, at(&row)),
            row,
        })
        .collect())
}

/// A clock's place in a list: its time there, its lead, its name; opaque to clients.
fn place(row: &ClockRow, at: Option<DateTime<Utc>>) -> String {
    let at = at.map(|at| at.timestamp_micros().to_string()).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(format!("{at} {} {}", row.lead_id, row.clock))
}

fn read_place(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(3, ' ');
    let at = match parts.next()? {
        "" => None,
        micros => Some(DateTime::from_timestamp_micros(micros.parse().ok()?)?),
    };
    Some(Place { at, lead: parts.next()?.parse::<Uuid>().ok()?, clock: parts.next()?.to_owned() })
}

/// The rows that a list may have, and where they begin.
fn page(first: i32, after: Option<&str>) -> Result<ClockPage, ApiError> {
    let rows = match usize::try_from(first) {
        Ok(rows) if rows <= reads::LIST_MAX => rows,
        Ok(rows) => {
            let most = reads::LIST_MAX;
            return Err(ApiError::limit(format!("`first` is {rows}; a page has at most {most} rows")));
        }
        Err(_) => return Err(ApiError::invalid("first", "`first` must not be negative")),
    };
    let after = match after {
        None => None,
        Some(cursor) => Some(
            read_place(cursor)
                .ok_or_else(|| ApiError::invalid("after", "`after` is not a cursor of this list"))?,
        ),
    };
    Ok(ClockPage { rows, after })
}

#[derive(Default)]
pub(in super::super) struct ClockQueries;

#[Object]
impl ClockQueries {
    /// Open clocks by the time that is left, the shortest first; without a standing those that can still be met.
    #[graphql(complexity = "10 + child_complexity * 20")]
    async fn sla_open_clocks(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        after: Option<String>,
        standing: Option<SlaStanding>,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaClock>, ApiError> {
        let page = page(first, after.as_deref())?;
        let reads = operation(context)?.read().await?;
        let standing = standing.map(Standing::from);
        let rows = reads::open(&reads, &SlaFilter::read(filter), standing, &page, reads.now).await?;
        clocks(&reads, rows, &Selected::here(context), |row| row.due_at).await
    }

    /// Clocks that ran out in the period, the latest first.
    #[graphql(complexity = "10 + child_complexity * 20")]
    async fn sla_breaches(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        #[graphql(default = 50)] first: i32,
        after: Option<String>,
        filter: Option<SlaFilter>,
    ) -> Result<Vec<SlaClock>, ApiError> {
        let page = page(first, after.as_deref())?;
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let rows = reads::breaches(&reads, &SlaFilter::read(filter), period, &page).await?;
        clocks(&reads, rows, &Selected::here(context), |row| row.breached_at).await
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
        Ok(Some(clocks(&reads, rows, &Selected::here(context), |row| Some(row.started_at)).await?))
    }
}
