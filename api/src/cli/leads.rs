//! `baton leads …`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use domain::ids::{DeliveryId, DestinationId, LeadId, SourceId, TenantId};
use domain::lead::Status;
use serde::Serialize;
use service::App;
use service::database::{Mode, StoredJson, TenantTx};
use service::delivery::{manage, reads};
use service::intake::leads::{self, CrmFilter, LeadFilter, LeadRow, Page};
use service::intake::sources;

use super::context::Context;
use super::deliveries::{AttemptShown, DeliveryShown, slugs_of_destinations};
use super::{Done, Failure, Output, Row, Style, tracking};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show leads, newest first.
    List(Filter),
    /// Show one lead with its journey, deliveries and attempts.
    Show {
        /// Its id, lead_….
        id: LeadId,
    },
    /// Leads that a destination has taken.
    #[command(subcommand)]
    Succeeded(tracking::Succeeded),
    /// Leads whose delivery failed, is held or is in doubt, and their second chance.
    #[command(subcommand)]
    Failed(tracking::Failed),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Filter {
    /// Of these sources.
    #[arg(long, value_name = "SLUG")]
    source: Vec<String>,
    /// That stand there.
    #[arg(long, value_enum)]
    status: Vec<StatusWord>,
    /// Of these states, two letters.
    #[arg(long)]
    state: Vec<String>,
    /// Words of a name, the beginning of an e-mail, digits of a phone.
    #[arg(long)]
    search: Option<String>,
    /// Of that user of a destination's service: its id there (baton crm users). Needs --destination.
    #[arg(long, value_name = "ID", requires = "destination", conflicts_with = "crm_campaign")]
    crm_user: Option<String>,
    /// In that campaign of a destination's service: its id there (baton crm campaigns). Needs --destination.
    #[arg(long, value_name = "ID", requires = "destination")]
    crm_campaign: Option<String>,
    /// The destination whose user or campaign it is.
    #[arg(long, value_name = "SLUG")]
    destination: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Older than this lead: the last one of the page before.
    #[arg(long, value_name = "ID")]
    after: Option<LeadId>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusWord {
    Accepted,
    Pending,
    Delivered,
    Held,
    Failed,
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Accepted => Self::Accepted,
            StatusWord::Pending => Self::Pending,
            StatusWord::Delivered => Self::Delivered,
            StatusWord::Held => Self::Held,
            StatusWord::Failed => Self::Failed,
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Pending => "pending",
        Status::Delivered => "delivered",
        Status::Held => "held",
        Status::Failed => "failed",
    }
}

#[derive(Serialize)]
struct LeadShown {
    id: String,
    source: String,
    status: &'static str,
    received_at: DateTime<Utc>,
    external_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone: Option<String>,
    phone_ext: Option<String>,
    alt_phones: Vec<String>,
    email: Option<String>,
    alt_emails: Vec<String>,
    address: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip: Option<String>,
    zip4: Option<String>,
    details: StoredJson,
    warnings: Option<StoredJson>,
}

impl Row for LeadShown {
    const COLUMNS: &'static [&'static str] =
        &["id", "received_at", "source", "status", "first_name", "last_name", "phone", "email", "state"];
}

/// A lead with everything that is known of it.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    lead: LeadShown,
    journey: Vec<EventShown>,
    deliveries: Vec<DeliveryShown>,
}

impl Row for Whole {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "source",
        "status",
        "received_at",
        "external_id",
        "first_name",
        "last_name",
        "phone",
        "phone_ext",
        "alt_phones",
        "email",
        "alt_emails",
        "address",
        "city",
        "state",
        "zip",
        "details",
        "warnings",
    ];
}

#[derive(Serialize)]
struct EventShown {
    at: DateTime<Utc>,
    event: String,
    actor: Option<String>,
    data: Option<serde_json::Value>,
}

impl Row for EventShown {
    const COLUMNS: &'static [&'static str] = &["at", "event", "actor", "data"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    match command {
        Command::List(filter) => {
            context.with_tenant(async |app, tenant| list(context, &app, tenant, filter).await).await
        }
        Command::Show { id } => {
            context.with_tenant(async |app, tenant| show(context, &app, tenant, id).await).await
        }
        Command::Succeeded(command) => tracking::succeeded(context, command).await,
        Command::Failed(command) => tracking::failed_leads(context, command).await,
    }
}

async fn list(context: &Context, app: &App, tenant: TenantId, filter: Filter) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let names = slugs_of_sources(&tx).await?;
    let mut wanted = LeadFilter {
        states: filter.state.iter().map(|state| state.to_uppercase()).collect(),
        statuses: filter.status.into_iter().map(Status::from).collect(),
        search: filter.search,
        ..LeadFilter::default()
    };
    for slug in &filter.source {
        wanted.sources.push(SourceId(sources::by_slug(&tx, slug).await?.id));
    }
    let crm = filter.crm_user.map(|id| ("user", id)).or(filter.crm_campaign.map(|id| ("campaign", id)));
    if let (Some((kind, remote_id)), Some(slug)) = (crm, &filter.destination) {
        let destination = DestinationId(manage::by_slug(&tx, slug).await?.id);
        wanted.crm = Some(CrmFilter { destination, kind, remote_id });
    }
    let page = Page {
        rows: filter.limit.clamp(1, leads::PAGE_ROWS_MAX),
        after: filter.after.map(LeadId::uuid),
        before: None,
        from_end: false,
    };
    let found = leads::list(&tx, &wanted, page).await?;
    let rows = shown(&tx, &names, found.rows).await?;
    drop(tx);
    context.output.list(&rows)?;
    if let Some(last) = rows.last().filter(|_| found.more_after) {
        Output::note(&format!("There are more: --after {}", last.id));
    }
    Ok(Done::Well)
}

async fn show(context: &Context, app: &App, tenant: TenantId, id: LeadId) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let names = slugs_of_sources(&tx).await?;
    let found = leads::by_ids(&tx, &[id]).await?;
    let lead = shown(&tx, &names, found).await?.pop().ok_or_else(|| service::Error::not_found("lead", id))?;
    let journey = leads::events(&tx, id).await?;
    let destinations = slugs_of_destinations(&tx).await?;
    let rows = reads::of_leads(&tx, &[id]).await?;
    let ids: Vec<_> = rows.iter().map(|row| DeliveryId(row.id)).collect();
    let mut attempts = reads::attempts_of(&tx, &ids).await?;
    drop(tx);
    let now = app.clock.now();
    let deliveries = rows
        .into_iter()
        .map(|row| {
            let own = attempts.extract_if(.., |attempt| attempt.delivery_id == row.id);
            let own = own.map(AttemptShown::from).collect();
            DeliveryShown::new(row, &destinations, now).with_attempts(own)
        })
        .collect();
    let journey = journey
        .into_iter()
        .map(|event| EventShown { at: event.at, event: event.kind, actor: event.actor, data: event.data })
        .collect();
    print_whole(context, &Whole { lead, journey, deliveries })
}

fn print_whole(context: &Context, whole: &Whole) -> Result<Done, Failure> {
    context.output.one(whole)?;
    if context.output.style() == Style::Table {
        Output::text("\nJourney\n")?;
        context.output.list(&whole.journey)?;
        for delivery in &whole.deliveries {
            Output::text("\nDelivery\n")?;
            context.output.one(delivery)?;
            context.output.list(&delivery.attempts)?;
        }
    }
    Ok(Done::Well)
}

async fn slugs_of_sources(tx: &TenantTx) -> Result<HashMap<uuid::Uuid, String>, Failure> {
    Ok(sources::list(tx).await?.into_iter().map(|source| (source.id, source.slug)).collect())
}

async fn shown(
    tx: &TenantTx,
    names: &HashMap<uuid::Uuid, String>,
    rows: Vec<LeadRow>,
) -> Result<Vec<LeadShown>, Failure> {
    let ids: Vec<_> = rows.iter().map(|row| LeadId(row.id)).collect();
    let mut states: HashMap<LeadId, Vec<String>> = HashMap::new();
    for (lead, _, state) in leads::delivery_states(tx, &ids).await? {
        states.entry(lead).or_default().push(state);
    }
    let standing = |id| Status::of(states.get(&id).into_iter().flatten().map(String::as_str));
    Ok(rows.into_iter().map(|row| lead_shown(names, standing(LeadId(row.id)), row)).collect())
}

fn lead_shown(names: &HashMap<uuid::Uuid, String>, status: Status, row: LeadRow) -> LeadShown {
    LeadShown {
        id: LeadId(row.id).to_string(),
        source: names.get(&row.source_id).cloned().unwrap_or_default(),
        status: word(status),
        received_at: row.received_at,
        external_id: row.external_id,
        first_name: row.first_name,
        last_name: row.last_name,
        phone: row.phone,
        phone_ext: row.phone_ext,
        alt_phones: row.alt_phones.unwrap_or_default(),
        email: row.email,
        alt_emails: row.alt_emails.unwrap_or_default(),
        address: row.address,
        city: row.city,
        state: row.state,
        zip: row.zip,
        zip4: row.zip4,
        details: row.details,
        warnings: row.warnings,
    }
}
