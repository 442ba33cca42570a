//! `baton source …`

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::SourceId;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use service::access;
use service::database::Mode;
use service::intake::sources::{self, NewSource};

use super::context::Context;
use super::{Done, Failure, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a source.
    Add {
        /// Short name in addresses and commands.
        slug: String,
        /// How its records are read.
        #[arg(long, value_parser = ["experian", "transunion", "leadsource", "npa", "generic"])]
        kind: String,
        /// As people see it; the slug when absent.
        #[arg(long)]
        name: Option<String>,
        /// Of kind generic: the mapping, a JSON file.
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
    },
    /// Show all sources.
    List,
    /// Make a token for POST /ingest/{source}; it is shown once.
    Token {
        /// The source.
        slug: String,
        /// What the token is for, as the list of tokens shows it.
        #[arg(long, default_value = "made at the command line")]
        name: String,
    },
}

#[derive(Serialize)]
struct SourceRow {
    id: String,
    slug: String,
    name: String,
    kind: String,
    enabled: bool,
    created_at: DateTime<Utc>,
}

impl Row for SourceRow {
    const COLUMNS: &'static [&'static str] = &["slug", "name", "kind", "enabled", "id", "created_at"];
}

impl From<entity::lead_source::Model> for SourceRow {
    fn from(row: entity::lead_source::Model) -> Self {
        Self {
            id: SourceId(row.id).to_string(),
            slug: row.slug,
            name: row.name,
            kind: row.kind,
            enabled: row.enabled,
            created_at: row.created_at,
        }
    }
}

#[derive(Serialize)]
struct TokenRow {
    source: String,
    token: String,
}

impl Row for TokenRow {
    const COLUMNS: &'static [&'static str] = &["source", "token"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Command::Add { slug, kind, name, mapping } => {
                    let mapping = mapping.map(read_mapping).transpose()?;
                    let row = sources::create(&app, tenant, NewSource { slug, name, kind, mapping }).await?;
                    context.output.one(&SourceRow::from(row))?;
                }
                Command::List => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = sources::list(&tx).await?;
                    drop(tx);
                    context.output.list(&rows.into_iter().map(SourceRow::from).collect::<Vec<_>>())?;
                }
                Command::Token { slug, name } => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let source = sources::by_slug(&tx, &slug).await?;
                    drop(tx);
                    let token =
                        access::create_source_token(&app, tenant, SourceId(source.id), &name, None).await?;
                    context.output.note("The token is shown this once; it is stored nowhere.");
                    let token = token.expose_secret().to_owned();
                    context.output.one(&TokenRow { source: source.slug, token })?;
                }
            }
            Ok(Done::Well)
        })
        .await
}

fn read_mapping(file: PathBuf) -> Result<serde_json::Value, Failure> {
    let attempted = format!("reading the mapping {}", file.display());
    let text = std::fs::read(file).map_err(|error| Failure::failed(attempted.clone(), error))?;
    serde_json::from_slice(&text).map_err(|error| Failure::failed(attempted, error))
}
