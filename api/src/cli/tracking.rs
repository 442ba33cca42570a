//! `baton leads succeeded …`, `baton leads failed …`: what became of every submission (S003).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::{DeliveryId, DestinationId, LeadId, SourceId, TenantId};
use serde::Serialize;
use serde_json::{Map, Value};
use service::App;
use service::access::Actor;
use service::database::{Mode, TenantTx};
use service::delivery::manage;
use service::intake::export::neutral;
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use service::intake::sources;
use service::tracking::submissions::{self, Ending, Filter, SubmissionRow};
use service::tracking::{period, rates};
use uuid::Uuid;

use super::context::Context;
use super::deliveries::slugs_of_destinations;
use super::{Done, Failure, Output, Row, Style, failed};

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
    },
    /// Give all that the filter finds a second chance.
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
    skipped: u64,
}

impl Row for RetrySummary {
    const COLUMNS: &'static [&'static str] = &["retried", "skipped"];
}

pub(crate) async fn succeeded(context: &Context, command: Succeeded) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| match command {
            Succeeded::List { choice, without_response } => {
                let ending =
                    if without_response { Ending::SucceededWithoutResponse } else { Ending::Succeeded };
                let shown = read(&app, tenant, &choice, ending).await?;
                match context.output.style() {
                    Style::Csv => Output::bytes(&csv(&shown)?)?,
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
                    Style::Csv => Output::bytes(&csv(&shown)?)?,
                    _ => context
                        .output
                        .list(&shown.into_iter().map(|(_, one)| FailedShown(one)).collect::<Vec<_>>())?,
                }
                Ok(Done::Well)
            }
            Failed::Show { id } => failed::show(context, &app, tenant, id).await,
            Failed::Retry { ids } => retry(context, &app, tenant, ids).await,
            Failed::RetryAll { choice } => {
                let rows = read(&app, tenant, &choice, Ending::Failed).await?;
                retry(context, &app, tenant, rows.into_iter().map(|(id, _)| id).collect()).await
            }
        })
        .await
}

/// Retries each; what is no longer failed or held by now is skipped and counted.
async fn retry(
    context: &Context,
    app: &App,
    tenant: TenantId,
    ids: Vec<DeliveryId>,
) -> Result<Done, Failure> {
    let actor = Actor::Operator.to_string();
    let mut summary = RetrySummary { retried: 0, skipped: 0 };
    for id in ids {
        match app.retries().retry(tenant, id, &actor).await.map_err(service::Error::from) {
            Ok(()) => summary.retried += 1,
            Err(service::Error::NotFound { .. } | service::Error::Conflict(_)) => summary.skipped += 1,
            Err(other) => return Err(other.into()),
        }
    }
    context.output.one(&summary)?;
    if summary.retried > 0 {
        Output::note("A running server or worker sends them now; without one: baton worker");
    }
    Ok(if summary.skipped > 0 { Done::WithFailures } else { Done::Well })
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
        retries: row.retries,
        last_attempt_at: row.last_at,
        resolved: row.resolved,
        error: row.reason,
        remote_id: row.remote_id,
        http_status: row.http_status,
        response: row.response,
        lead_data: row.lead,
    }
}

/// The columns of S003-13, which the reports of NPA leads have always had; a further one says why a lead failed.
const NPA_COLUMNS: [&str; 12] = [
    "id",
    "submitted_at",
    "channel",
    "session_id",
    "full_name",
    "phone",
    "email",
    "zip_code",
    "vehicle_make",
    "vehicle_model",
    "vehicle_year",
    "error",
];

/// What leads of other sources begin with; their fields follow.
const COLUMNS: [&str; 10] = [
    "id",
    "lead",
    "submitted_at",
    "channel",
    "session_id",
    "source",
    "destination",
    "state",
    "remote_id",
    "error",
];

fn csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, Failure> {
    let written = if !rows.is_empty() && rows.iter().all(|(_, row)| row.of_npa) {
        npa_csv(rows)
    } else {
        any_csv(rows)
    };
    written.map_err(|error| Failure::failed("writing CSV", error))
}

fn npa_csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = rows.iter().any(|(_, row)| row.error.is_some());
    let columns = if failed { &NPA_COLUMNS[..] } else { &NPA_COLUMNS[..NPA_COLUMNS.len() - 1] };
    writer.write_record(columns)?;
    for (_, row) in rows {
        let lead = |name: &str| text(row.lead_data.get(name));
        let names = [lead("first_name"), lead("last_name")];
        let full_name =
            names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
        let cells = [
            row.id.clone(),
            row.submitted_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
            row.channel.clone(),
            row.session_id.clone().unwrap_or_default(),
            full_name,
            ten_digits(&lead("phone")),
            lead("email"),
            lead("zip"),
            lead("vehicle_make"),
            lead("vehicle_model"),
            lead("vehicle_year"),
            row.error.clone().unwrap_or_default(),
        ];
        writer.write_record(cells[..columns.len()].iter().map(|cell| neutral(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn any_csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, csv::Error> {
    let nothing = Map::new();
    let fields: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(_, row)| row.lead_data.as_object().unwrap_or(&nothing).keys().map(String::as_str))
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().copied().chain(fields.iter().copied()))?;
    for (_, row) in rows {
        let own = [
            row.id.clone(),
            row.lead.clone(),
            row.submitted_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
            row.channel.clone(),
            row.session_id.clone().unwrap_or_default(),
            row.source.clone(),
            row.destination.clone(),
            row.state.clone(),
            row.remote_id.clone().unwrap_or_default(),
            row.error.clone().unwrap_or_default(),
        ];
        let lead = fields.iter().map(|name| match (*name, row.lead_data.get(*name)) {
            ("phone", Some(Value::String(phone))) => ten_digits(phone),
            ("alt_phones", Some(Value::Array(phones))) => {
                phones.iter().map(|phone| ten_digits(&text(Some(phone)))).collect::<Vec<_>>().join(", ")
            }
            (_, value) => text(value),
        });
        writer.write_record(own.into_iter().chain(lead).map(|cell| neutral(&cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A North American number as people and CRMs there write it.
fn ten_digits(phone: &str) -> String {
    phone.strip_prefix("+1").filter(|digits| digits.len() == 10).unwrap_or(phone).to_owned()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => values.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(of_npa: bool, error: Option<&str>, lead_data: Value) -> (DeliveryId, Shown) {
        let id = DeliveryId(Uuid::nil());
        let shown = Shown {
            id: "delivery_1".to_owned(),
            lead: "lead_1".to_owned(),
            destination: "npa".to_owned(),
            state: "delivered".to_owned(),
            submitted_at: DateTime::from_timestamp(1_795_176_000, 0),
            channel: "sms".to_owned(),
            session_id: Some("901".to_owned()),
            session_key: None,
            source: "ivr".to_owned(),
            attempts: 1,
            retries: 0,
            last_attempt_at: None,
            resolved: false,
            error: error.map(str::to_owned),
            remote_id: None,
            http_status: None,
            response: None,
            lead_data,
            of_npa,
        };
        (id, shown)
    }

    #[test]
    fn leads_of_npa_have_the_columns_that_they_always_had() {
        let lead = json!({"first_name": "Pat", "last_name": "Rider01", "phone": "+14065550101", "zip": "59101",
                          "vehicle_make": "Harley-Davidson", "vehicle_year": 2020});
        let text = String::from_utf8(csv(&[row(true, None, lead.clone())]).expect("written")).expect("text");
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "id,submitted_at,channel,session_id,full_name,phone,email,zip_code,vehicle_make,vehicle_model,vehicle_year"
            )
        );
        assert_eq!(
            lines.next(),
            Some(
                "delivery_1,2026-11-20T12:00:00+00:00,sms,901,Pat Rider01,4065550101,,59101,Harley-Davidson,,2020"
            )
        );
        let failed =
            String::from_utf8(csv(&[row(true, Some("HTTP 200: no"), lead)]).expect("written")).expect("text");
        assert!(
            failed.lines().all(|line| line.ends_with(",error") || line.ends_with(",HTTP 200: no")),
            "{failed}"
        );
    }

    #[test]
    fn other_leads_have_all_their_fields() {
        let rows = [row(false, None, json!({"city": "Boulder"})), row(true, None, json!({"ltv": 55.5}))];
        let text = String::from_utf8(csv(&rows).expect("written")).expect("text");
        assert!(text.lines().next().is_some_and(|header| header.ends_with("error,city,ltv")), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.ends_with(",Boulder,")), "{text}");
    }
}
