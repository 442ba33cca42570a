//! `baton hook …`: how destinations report back, and what they have reported.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::{DestinationId, InboundHookId, LeadId, TenantId};
use domain::inbound::Kind;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use service::database::Mode;
use service::delivery::manage;
use service::{App, inbound};

use super::context::Context;
use super::deliveries::slugs_of_destinations;
use super::{Done, Failure, Output, Row};

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
    lead: Option<String>,
    result: Option<String>,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["received_at", "destination", "state", "lead", "result"];
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
                Command::List { destination } => {
                    let id = match destination {
                        Some(slug) => Some(by_slug(&app, tenant, &slug).await?),
                        None => None,
                    };
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = inbound::reads::list(&tx, id, inbound::reads::ROWS_MAX).await?;
                    let slugs = slugs_of_destinations(&tx).await?;
                    drop(tx);
                    let shown = |row: inbound::reads::HookRow| Shown {
                        id: InboundHookId(row.id).to_string(),
                        destination: slugs.get(&row.destination_id).cloned().unwrap_or_default(),
                        received_at: row.received_at,
                        state: row.state,
                        lead: row.lead_id.map(|id| LeadId(id).to_string()),
                        result: row.result,
                    };
                    context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
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
