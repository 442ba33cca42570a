//! `baton destination …`

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::DestinationId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use service::database::Mode;
use service::delivery::manage::{self, NewDestination};

use super::context::Context;
use super::{Done, Failure, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a destination. New leads go there from now on.
    Add {
        /// Short name in addresses and commands.
        slug: String,
        /// How leads are written and answers understood.
        #[arg(long, value_parser = ["bonzo", "webhook"])]
        kind: String,
        /// Where leads are posted. It is kept sealed, and shown masked.
        #[arg(long, env = "BATON_DESTINATION_URL", hide_env_values = true)]
        url: SecretString,
        /// As people see it; the slug when absent.
        #[arg(long)]
        name: Option<String>,
        /// What stands for a missing first name; without it such a lead is held.
        #[arg(long, value_name = "NAME")]
        first_name_fallback: Option<String>,
    },
    /// Show all destinations.
    List,
}

#[derive(Serialize)]
struct DestinationRow {
    id: String,
    slug: String,
    name: String,
    kind: String,
    url: String,
    first_name_fallback: Option<String>,
    enabled: bool,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

impl Row for DestinationRow {
    const COLUMNS: &'static [&'static str] =
        &["slug", "name", "kind", "url", "first_name_fallback", "enabled", "id", "created_at"];
}

/// A destination with the signing secret that is shown once.
#[derive(Serialize)]
#[serde(transparent)]
struct Created(DestinationRow);

impl Row for Created {
    const COLUMNS: &'static [&'static str] = &["slug", "name", "kind", "url", "id", "signing_secret"];
}

impl From<entity::destination::Model> for DestinationRow {
    fn from(row: entity::destination::Model) -> Self {
        Self {
            id: DestinationId(row.id).to_string(),
            slug: row.slug,
            name: row.name,
            kind: row.kind,
            url: row.url_masked,
            first_name_fallback: row.first_name_fallback,
            enabled: row.enabled,
            created_at: row.created_at,
            signing_secret: None,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Command::Add { slug, kind, url, name, first_name_fallback } => {
                    let new = NewDestination { slug, name, kind, url, first_name_fallback };
                    let (row, secret) = manage::create(&app, tenant, new).await?;
                    let mut row = DestinationRow::from(row);
                    row.signing_secret = secret.map(|text| text.expose_secret().to_owned());
                    if row.signing_secret.is_some() {
                        context
                            .output
                            .note("The signing secret is shown this once; give it to the receiver.");
                        context.output.one(&Created(row))?;
                    } else {
                        context.output.one(&row)?;
                    }
                }
                Command::List => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = manage::list(&tx).await?;
                    drop(tx);
                    context.output.list(&rows.into_iter().map(DestinationRow::from).collect::<Vec<_>>())?;
                }
            }
            Ok(Done::Well)
        })
        .await
}
