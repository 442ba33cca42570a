//! `baton source …`

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Subcommand;
use domain::billing::Currency;
use domain::ids::SourceId;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use service::access::{self, Actor};
use service::database::Mode;
use service::intake::sources::{self, NewSource};
use service::sla::costs;

use super::context::Context;
use super::{Done, Failure, Output, Row};

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
    /// Say what each new lead of a source costs from a day on.
    Cost {
        /// The source.
        slug: String,
        /// As in 2.50.
        #[arg(long, value_name = "AMOUNT")]
        per_lead: String,
        /// ISO 4217.
        #[arg(long, default_value = "USD")]
        currency: Currency,
        /// The first day, in the tenant's time zone.
        #[arg(long, value_name = "DAY")]
        from: NaiveDate,
    },
    /// Show what the leads of sources cost.
    Costs,
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

#[derive(Serialize)]
struct CostRow {
    source: String,
    from: NaiveDate,
    per_lead: String,
    currency: String,
}

impl Row for CostRow {
    const COLUMNS: &'static [&'static str] = &["source", "from", "per_lead", "currency"];
}

impl CostRow {
    fn of(row: entity::source_cost::Model, named: &[entity::lead_source::Model]) -> Self {
        let source = named.iter().find(|source| source.id == row.source_id);
        let show = |currency: Currency| currency.show(row.per_lead);
        Self {
            source: source.map_or_else(String::new, |source| source.slug.clone()),
            from: row.effective_from,
            per_lead: row.currency.parse().map_or_else(|_| row.per_lead.to_string(), show),
            currency: row.currency,
        }
    }
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
                Command::Cost { slug, per_lead, currency, from } => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let source = sources::by_slug(&tx, &slug).await?;
                    drop(tx);
                    let (id, cost) = (SourceId(source.id), (currency, per_lead.as_str()));
                    let row = costs::set(&app, tenant, id, from, cost, Actor::Operator).await?;
                    context.output.one(&CostRow::of(row, &[source]))?;
                }
                Command::Costs => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let named = sources::list(&tx).await?;
                    let rows = costs::list(&tx, None).await?;
                    drop(tx);
                    let rows: Vec<_> = rows.into_iter().map(|row| CostRow::of(row, &named)).collect();
                    context.output.list(&rows)?;
                }
                Command::Token { slug, name } => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let source = sources::by_slug(&tx, &slug).await?;
                    drop(tx);
                    let token =
                        access::create_source_token(&app, tenant, SourceId(source.id), &name, None).await?;
                    Output::note("The token is shown this once; it is stored nowhere.");
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
