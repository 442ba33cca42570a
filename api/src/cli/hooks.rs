//! `baton hook …`: how destinations report back, and what they have reported.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::{DestinationId, InboundHookId, LeadId, TenantId};
use domain::inbound::Kind;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use service::database::Mode;
use service::delivery::manage;
use service::inbound::reads::{HookFilter, HookRow};
use service::intake::leads::Page;
use service::{App, inbound};

use super::context::Context;
use super::deliveries::slugs_of_destinations;
use super::{Done, Failure, Output, Row, Style};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let a destination report, or give it a new secret; the one before is taken until the next.
    Open {
        /// The destination's short name.
        destination: String,
        /// Who reports: by a code (bonzo, npa) or a signature (standard).
        #[arg(long, value_parser = ["bonzo", "standard", "npa"])]
        kind: String,
        /// The sender's own code, where it gives one; else one is made.
        #[arg(long, env = "BATON_HOOK_SECRET", hide_env_values = true)]
        secret: Option<SecretString>,
    },
    /// No longer take a destination's reports.
    Close {
        /// The destination's short name.
        destination: String,
    },
    /// Show what was reported, newest first.
    List {
        /// By this destination alone.
        #[arg(long, value_name = "SLUG")]
        destination: Option<String>,
        /// Only those that stand there.
        #[arg(long, value_parser = ["received", "processed", "ignored", "failed"])]
        state: Vec<String>,
    },
    /// Show one report as it came.
    Show {
        /// Its id, hook_….
        id: InboundHookId,
    },
    /// Process reports once more that failed or were ignored.
    Process {
        /// Their ids, hook_….
        #[arg(required = true)]
        ids: Vec<InboundHookId>,
    },
    /// Say what the sender's own words mean: word=meaning …; none: only the usual words count.
    Words {
        /// The destination's short name.
        destination: String,
        /// As in "In Escrow=qualified"; submitted, contacted, qualified, sold, lost, `opted_out` or ignored.
        #[arg(value_name = "WORD=MEANING")]
        words: Vec<String>,
    },
}

#[derive(Serialize)]
struct Opened {
    url: String,
    header: &'static str,
    secret: String,
}

impl Row for Opened {
    const COLUMNS: &'static [&'static str] = &["url", "header", "secret"];
}

#[derive(Serialize)]
struct Shown {
    id: String,
    destination: String,
    received_at: DateTime<Utc>,
    state: String,
    confirmation: Option<String>,
    lead: Option<String>,
    result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] =
        &["received_at", "destination", "state", "confirmation", "lead", "result", "id"];
}

impl Shown {
    fn new(row: HookRow, slugs: &HashMap<uuid::Uuid, String>, body: Option<String>) -> Self {
        Self {
            id: InboundHookId(row.id).to_string(),
            destination: slugs.get(&row.destination_id).cloned().unwrap_or_default(),
            received_at: row.received_at,
            state: row.state,
            confirmation: row.confirmation,
            lead: row.lead_id.map(|id| LeadId(id).to_string()),
            result: row.result,
            body,
        }
    }
}

#[derive(Serialize)]
struct Queued {
    queued: u64,
}

impl Row for Queued {
    const COLUMNS: &'static [&'static str] = &["queued"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Command::Open { destination, kind, secret } => {
                    let kind = Kind::parse(&kind)
                        .ok_or_else(|| Failure::Usage(format!("there is no kind of report `{kind}`")))?;
                    let id = by_slug(&app, tenant, &destination).await?;
                    let secret = inbound::open(&app, tenant, id, kind, secret).await?;
                    Output::note("The secret is shown this once; give it to the sender.");
                    context.output.one(&Opened {
                        url: format!("{}/hooks/{id}", app.settings.issuer),
                        header: kind.code_header().unwrap_or("webhook-signature"),
                        secret: secret.expose_secret().to_owned(),
                    })?;
                }
                Command::Close { destination } => {
                    let id = by_slug(&app, tenant, &destination).await?;
                    inbound::close(&app, tenant, id).await?;
                }
                Command::List { destination, state } => {
                    let destination = match destination {
                        Some(slug) => Some(by_slug(&app, tenant, &slug).await?),
                        None => None,
                    };
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let filter = HookFilter { destination, states: state };
                    let page =
                        Page { rows: inbound::reads::ROWS_MAX, after: None, before: None, from_end: false };
                    let rows = inbound::reads::list(&tx, &filter, page).await?.rows;
                    let slugs = slugs_of_destinations(&tx).await?;
                    drop(tx);
                    let shown = rows.into_iter().map(|row| Shown::new(row, &slugs, None));
                    context.output.list(&shown.collect::<Vec<_>>())?;
                }
                Command::Show { id } => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let (row, body) = inbound::reads::by_id(&tx, id).await?;
                    let slugs = slugs_of_destinations(&tx).await?;
                    drop(tx);
                    context.output.one(&Shown::new(row, &slugs, Some(body.clone())))?;
                    if context.output.style() == Style::Table {
                        Output::text(&format!("\n{body}\n"))?;
                    }
                }
                Command::Process { ids } => {
                    let queued = inbound::process::again(&app, tenant, &ids).await?;
                    context.output.one(&Queued { queued })?;
                    if queued < ids.len() as u64 {
                        Output::note("Only reports that failed or were ignored are processed again.");
                    }
                }
                Command::Words { destination, words } => {
                    let id = by_slug(&app, tenant, &destination).await?;
                    let pair = |text: &String| {
                        let (word, meaning) = text.rsplit_once('=')?;
                        Some((word.trim().to_owned(), meaning.trim().to_owned()))
                    };
                    let map: Option<BTreeMap<_, _>> = words.iter().map(pair).collect();
                    let map = map.ok_or_else(|| Failure::Usage("write WORD=MEANING".to_owned()))?;
                    inbound::set_status_map(&app, tenant, id, &map).await?;
                }
            }
            Ok(Done::Well)
        })
        .await
}

async fn by_slug(app: &App, tenant: TenantId, slug: &str) -> Result<DestinationId, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    Ok(DestinationId(manage::by_slug(&tx, slug).await?.id))
}
