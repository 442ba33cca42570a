//! `baton deliveries …`, and how deliveries are shown elsewhere.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use serde::Serialize;
use service::App;
use service::database::{Mode, StoredJson, TenantTx};
use service::delivery::manage;
use service::delivery::reads::{self, AttemptRow, DeliveryFilter, DeliveryRow};
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use uuid::Uuid;

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show deliveries, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// In these states.
        #[arg(long, value_parser = ["pending", "sending", "delivered", "failed", "held", "unknown", "rejected"])]
        state: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// To these destinations.
    #[arg(long, value_name = "SLUG")]
    pub(crate) destination: Vec<String>,
    /// With an attempt that was answered so.
    #[arg(long, value_name = "STATUS")]
    pub(crate) http_status: Option<i16>,
    /// Of this lead.
    #[arg(long, value_name = "ID")]
    pub(crate) lead: Option<LeadId>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Older than this delivery: the last one of the page before.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<DeliveryId>,
}

/// A delivery as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct DeliveryShown {
    pub(crate) id: String,
    pub(crate) lead: String,
    pub(crate) destination: String,
    pub(crate) state: String,
    pub(crate) tries: i16,
    pub(crate) code: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) remote_id: Option<String>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<AttemptShown>,
}

impl Row for DeliveryShown {
    const COLUMNS: &'static [&'static str] =
        &["id", "lead", "destination", "state", "tries", "due_at", "finished_at", "code", "reason"];
}

impl DeliveryShown {
    pub(crate) fn new(row: DeliveryRow, destinations: &HashMap<Uuid, String>, now: DateTime<Utc>) -> Self {
        let pending = row.state == "pending";
        let sending = pending && row.lease.is_some() && row.due_at > now;
        Self {
            id: DeliveryId(row.id).to_string(),
            lead: LeadId(row.lead_id).to_string(),
            destination: destinations.get(&row.destination_id).cloned().unwrap_or_default(),
            state: if sending { "sending".to_owned() } else { row.state },
            tries: row.attempts,
            code: row.code,
            reason: row.reason,
            remote_id: row.remote_id,
            due_at: pending.then_some(row.due_at),
            finished_at: row.finished_at,
            attempts: Vec::new(),
        }
    }

    pub(crate) fn with_attempts(self, attempts: Vec<AttemptShown>) -> Self {
        Self { attempts, ..self }
    }
}

/// An attempt as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct AttemptShown {
    number: i16,
    started_at: DateTime<Utc>,
    duration_ms: f64,
    outcome: String,
    http_status: Option<i16>,
    error: Option<String>,
    response_headers: Option<StoredJson>,
    response_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_up: Option<String>,
}

impl Row for AttemptShown {
    const COLUMNS: &'static [&'static str] =
        &["number", "started_at", "duration_ms", "outcome", "http_status", "error", "response_body"];
}

impl From<AttemptRow> for AttemptShown {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: row.number,
            started_at: row.started_at,
            duration_ms: f64::from(row.duration_us) / 1_000.0,
            outcome: row.outcome,
            http_status: row.http_status,
            error: row.error_kind,
            response_headers: row.response_headers,
            response_body: row.response_body,
            looked_up: row.looked_up,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let Command::List { filter, state } = command;
    context.with_tenant(async |app, tenant| list(context, &app, tenant, filter, state).await).await
}

/// Shows the deliveries that the filter finds.
pub(crate) async fn list(
    context: &Context,
    app: &App,
    tenant: TenantId,
    filter: Filter,
    states: Vec<String>,
) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut wanted = DeliveryFilter {
        destinations: Vec::new(),
        states,
        http_status: filter.http_status,
        lead: filter.lead,
    };
    for slug in &filter.destination {
        wanted.destinations.push(DestinationId(manage::by_slug(&tx, slug).await?.id));
    }
    let page = Page {
        rows: filter.limit.clamp(1, PAGE_ROWS_MAX),
        after: filter.after.map(DeliveryId::uuid),
        before: None,
        from_end: false,
    };
    let now = app.clock.now();
    let found = reads::list(&tx, &wanted, page, now).await?;
    let destinations = slugs_of_destinations(&tx).await?;
    drop(tx);
    let rows: Vec<_> =
        found.rows.into_iter().map(|row| DeliveryShown::new(row, &destinations, now)).collect();
    context.output.list(&rows)?;
    if let Some(last) = rows.last().filter(|_| found.more_after) {
        Output::note(&format!("There are more: --after {}", last.id));
    }
    Ok(Done::Well)
}

/// The short name of each destination.
pub(crate) async fn slugs_of_destinations(tx: &TenantTx) -> Result<HashMap<Uuid, String>, Failure> {
    Ok(manage::list(tx).await?.into_iter().map(|destination| (destination.id, destination.slug)).collect())
}
