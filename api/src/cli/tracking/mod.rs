//! `baton leads succeeded …`, `baton leads failed …`: what became of every submission (S003).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::{DeliveryId, DestinationId, LeadId, SourceId, TenantId};
use serde::Serialize;
use serde_json::Value;
use service::App;
use service::access::Actor;
use service::database::{Mode, TenantTx};
use service::delivery::{InDoubt, Retried, manage};
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use service::intake::sources;
use service::tracking::submissions::{self, Ending, Filter, SubmissionRow};
use service::tracking::{period, rates};
use uuid::Uuid;

use super::context::Context;
use super::deliveries::slugs_of_destinations;
use super::{Done, Failure, Output, Row, Style, failed};

mod table;

/// Rows of one list at most; more is a narrower filter.
const ROWS_MAX: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Succeeded {
    /// Show them, newest first. As CSV: a row a lead with its fields.
    List {
        #[command(flatten)]
        choice: Choice,
        /// Only those of whose answer nothing is kept.
        #[arg(long)]
        without_response: bool,
    },
    /// Show one with every attempt and its answer.
    Show {
        /// Its id, delivery_….
        id: DeliveryId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Failed {
    /// Show those that wait for a person, newest first, with the reason.
    List {
        #[command(flatten)]
        choice: Choice,
        /// Instead those that failed and were taken since.
        #[arg(long)]
        resolved: bool,
    },
    /// Show one with every attempt and its answer.
    Show {
        /// Its id, delivery_….
        id: DeliveryId,
    },
    /// Give some a second chance.
    Retry {
        /// Their ids, delivery_….
        #[arg(required = true)]
        ids: Vec<DeliveryId>,
        /// Also those that may have arrived already, at a destination that can neither be asked nor recognises a copy.
        #[arg(long)]
        in_doubt: bool,
    },
    /// Give all that the filter finds a second chance; one that may have arrived already, only where a second copy does no harm.
    RetryAll {
        #[command(flatten)]
        choice: Choice,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Of the last so many hours or days, as in 24h, 7d, 30d.
    #[arg(long, value_name = "LENGTH", conflicts_with = "month")]
    since: Option<String>,
    /// Of a calendar month of the tenant's zone, as in 2026-11.
    #[arg(long, value_name = "MONTH")]
    month: Option<String>,
    /// That arrived so: sms, voice, web, file, api.
    #[arg(long, value_parser = ["sms", "voice", "web", "file", "api"])]
    channel: Vec<String>,
    /// Of these sources.
    #[arg(long, value_name = "SLUG")]
    source: Vec<String>,
    /// To these destinations.
    #[arg(long, value_name = "SLUG")]
    destination: Vec<String>,
    /// How many at most; all when absent.
    #[arg(long)]
    limit: Option<usize>,
}

/// A submission as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    lead: String,
    destination: String,
    state: String,
    submitted_at: Option<DateTime<Utc>>,
    channel: String,
    session_id: Option<String>,
    session_key: Option<String>,
    source: String,
    attempts: i16,
    retries: i64,
    last_attempt_at: Option<DateTime<Utc>>,
    resolved: bool,
    error: Option<String>,
    remote_id: Option<String>,
    http_status: Option<i16>,
    response: Option<String>,
    lead_data: Value,
    #[serde(skip)]
    of_npa: bool,
}

/// As `view_succeeded_leads` lists them (S003-12).
#[derive(Serialize)]
#[serde(transparent)]
struct SucceededShown(Shown);

impl Row for SucceededShown {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "submitted_at",
        "channel",
        "session_id",
        "source",
        "destination",
        "remote_id",
        "http_status",
        "lead",
    ];
}

/// As `manage_failed_leads list` shows them (S003-8).
#[derive(Serialize)]
#[serde(transparent)]
struct FailedShown(Shown);

impl Row for FailedShown {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "submitted_at",
        "channel",
        "session_id",
        "destination",
        "state",
        "attempts",
        "retries",
        "last_attempt_at",
        "error",
    ];
}

#[derive(Serialize)]
struct RetrySummary {
    retried: u64,
    /// Left, because they may have arrived already.
    in_doubt: u64,
    skipped: u64,
}

impl Row for RetrySummary {
    const COLUMNS: &'static [&'static str] = &["retried", "in_doubt", "skipped"];
}

pub(crate) async fn succeeded(context: &Context, command: Succeeded) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| match command {
            Succeeded::List { choice, without_response } => {
                let ending =
                    if without_response { Ending::SucceededWithoutResponse } else { Ending::Succeeded };
                let shown = read(&app, tenant, &choice, ending).await?;
                match context.output.style() {
                    Style::Csv => Output::bytes(&table::csv(&shown)?)?,
                    _ => context
                        .output
                        .list(&shown.into_iter().map(|(_, one)| SucceededShown(one)).collect::<Vec<_>>())?,
                }
                Ok(Done::Well)
            }
            Succeeded::Show { id } => failed::show(context, &app, tenant, id).await,
        })
        .await
}

pub(crate) async fn failed_leads(context: &Context, command: Failed) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| match command {
            Failed::List { choice, resolved } => {
                let ending = if resolved { Ending::Resolved } else { Ending::Failed };
                let shown = read(&app, tenant, &choice, ending).await?;
                match context.output.style() {
                    Style::Csv => Output::bytes(&table::csv(&shown)?)?,
                    _ => context
                        .output
                        .list(&shown.into_iter().map(|(_, one)| FailedShown(one)).collect::<Vec<_>>())?,
                }
                Ok(Done::Well)
            }
            Failed::Show { id } => failed::show(context, &app, tenant, id).await,
            Failed::Retry { ids, in_doubt } => {
                let in_doubt = if in_doubt { InDoubt::Send } else { InDoubt::Leave };
                let actor = Actor::Operator.to_string();
                let retried = app.retries().retry_each(tenant, &ids, in_doubt, &actor).await;
                told(context, retried.map_err(service::Error::from)?)
            }
            Failed::RetryAll { choice } => {
                let tx = app.begin(tenant, Mode::ReadOnly).await?;
                let filter = filter(&tx, &choice, Ending::Failed, app.clock.now()).await?;
                drop(tx);
                let actor = Actor::Operator.to_string();
                let most = choice.limit.unwrap_or(usize::MAX);
                let (retried, _) = submissions::retry_all(&app, tenant, filter, most, &actor).await?;
                told(context, retried)
            }
        })
        .await
}

fn told(context: &Context, Retried { retried, in_doubt, skipped }: Retried) -> Result<Done, Failure> {
    let in_doubt = in_doubt.len() as u64;
    context.output.one(&RetrySummary { retried, in_doubt, skipped })?;
    if retried > 0 {
        Output::note("A running server or worker sends them now; without one: baton worker");
    }
    if in_doubt > 0 {
        Output::note(
            "Those in doubt may have arrived already. Look there, then: baton failed confirm ID, or baton leads failed retry ID --in-doubt",
        );
    }
    Ok(if in_doubt + skipped > 0 { Done::WithFailures } else { Done::Well })
}

/// Reads page by page in one transaction, so that the list agrees with itself.
async fn read(
    app: &App,
    tenant: TenantId,
    choice: &Choice,
    ending: Ending,
) -> Result<Vec<(DeliveryId, Shown)>, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let filter = filter(&tx, choice, ending, app.clock.now()).await?;
    let destinations = slugs_of_destinations(&tx).await?;
    let most = choice.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX);
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let rows = PAGE_ROWS_MAX.min(most - all.len());
        let page = Page { rows, after, before: None, from_end: false };
        let found = submissions::list(&tx, &filter, page).await?;
        after = found.rows.last().map(|row| row.id);
        all.extend(found.rows.into_iter().map(|row| (DeliveryId(row.id), shown(row, &destinations))));
        if !found.more_after || all.len() >= most {
            if found.more_after {
                Output::note(&format!("There are more than {most}; narrow the filter or raise --limit."));
            }
            return Ok(all);
        }
    }
}

async fn filter(
    tx: &TenantTx,
    choice: &Choice,
    ending: Ending,
    now: DateTime<Utc>,
) -> Result<Filter, Failure> {
    let mut filter = Filter { ending, channels: choice.channel.clone(), ..Filter::default() };
    if let Some(length) = &choice.since {
        filter.since = Some(now - period::length(length)?);
    }
    if let Some(month) = &choice.month {
        let zone = rates::zone(tx).await?;
        let zone =
            zone.parse().map_err(|_| Failure::failed("reading the tenant's time zone", zone.clone()))?;
        let (since, until) = period::month(month, zone)?;
        (filter.since, filter.until) = (Some(since), Some(until));
    }
    for slug in &choice.source {
        filter.sources.push(SourceId(sources::by_slug(tx, slug).await?.id));
    }
    for slug in &choice.destination {
        filter.destinations.push(DestinationId(manage::by_slug(tx, slug).await?.id));
    }
    Ok(filter)
}

fn shown(row: SubmissionRow, destinations: &HashMap<Uuid, String>) -> Shown {
    Shown {
        retries: row.retries(),
        id: DeliveryId(row.id).to_string(),
        lead: LeadId(row.lead_id).to_string(),
        destination: destinations.get(&row.destination_id).cloned().unwrap_or_default(),
        state: row.state,
        submitted_at: row.first_at,
        channel: row.channel,
        session_id: row.session_id,
        session_key: row.session_key,
        of_npa: row.source_kind == "npa",
        source: row.source,
        attempts: row.attempts,
        last_attempt_at: row.last_at,
        resolved: row.resolved,
        error: row.reason,
        remote_id: row.remote_id,
        http_status: row.http_status,
        response: row.response,
        lead_data: row.lead,
    }
}
