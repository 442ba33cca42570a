//! `baton destination …`

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use domain::ids::{DestinationId, LeadId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use service::App;
use service::access::Actor;
use service::database::Mode;
use service::delivery::Shown;
use service::delivery::dry_run::{DryRun, Verdict, dry_run};
use service::delivery::manage::{self, DestinationChange, NewDestination};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a destination. New leads go there from now on.
    Add {
        /// Short name in addresses and commands.
        slug: String,
        /// How leads are written and answers understood.
        #[arg(long, value_parser = ["bonzo", "bonzo_api", "npa", "boberdoo", "webhook"])]
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
        #[command(flatten)]
        data: Data,
    },
    /// Show all destinations.
    List,
    /// Show one: what differs from its kind, and whether leads flow.
    Show {
        /// Its short name.
        slug: String,
    },
    /// Change what it is. Credentials that are not named stay.
    Set {
        /// Its short name.
        slug: String,
        /// Where leads are posted. It is kept sealed, and shown masked.
        #[arg(long, env = "BATON_DESTINATION_URL", hide_env_values = true)]
        url: Option<SecretString>,
        #[command(flatten)]
        data: Data,
    },
    /// Stop it: its leads wait until it is resumed.
    Hold {
        /// Its short name.
        slug: String,
        /// Why, for whoever looks at it.
        #[arg(long, default_value = "held by hand")]
        reason: String,
    },
    /// Let it go on: what waits is sent now, and what failed because of it is tried again.
    Resume {
        /// Its short name.
        slug: String,
    },
    /// Give a webhook a new signing secret; the one before signs beside it for a while.
    RotateSecret {
        /// Its short name.
        slug: String,
        /// For how long the one before signs too, hours.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        overlap_hours: u32,
    },
    /// Show the exact request for a lead, secrets masked. Nothing is sent.
    DryRun {
        /// Its short name.
        slug: String,
        /// The lead, lead_….
        lead: LeadId,
    },
}

/// A destination as data.
#[derive(Debug, clap::Args)]
pub(crate) struct Data {
    /// What differs from the profile of its kind: a JSON file.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A secret that its kind asks for, as name=FILE; `-` reads it from standard input. It never stands on a command line.
    #[arg(long, value_name = "NAME=FILE")]
    credential: Vec<String>,
}

impl Data {
    fn settings(&self) -> Result<Option<serde_json::Value>, Failure> {
        let Some(path) = &self.settings else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
        let value = serde_json::from_str(&text)
            .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", path.display())))?;
        Ok(Some(value))
    }

    fn credentials(&self) -> Result<BTreeMap<String, SecretString>, Failure> {
        let mut credentials = BTreeMap::new();
        for given in &self.credential {
            let (name, file) = given
                .split_once('=')
                .ok_or_else(|| Failure::Usage("a credential is written name=FILE".to_owned()))?;
            let text = if file == "-" {
                std::io::read_to_string(std::io::stdin())
            } else {
                std::fs::read_to_string(file)
            };
            let text = text.map_err(|error| Failure::Usage(format!("cannot read {file}: {error}")))?;
            credentials.insert(name.to_owned(), SecretString::from(text.trim().to_owned()));
        }
        Ok(credentials)
    }
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
    breaker: String,
    breaker_reason: Option<String>,
    breaker_since: Option<DateTime<Utc>>,
    probe_at: Option<DateTime<Utc>>,
    settings: serde_json::Value,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

impl Row for DestinationRow {
    const COLUMNS: &'static [&'static str] =
        &["slug", "name", "kind", "url", "enabled", "breaker", "breaker_reason", "id", "created_at"];
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
            breaker: row.breaker,
            breaker_reason: row.breaker_reason,
            breaker_since: row.breaker_since,
            probe_at: row.probe_at,
            settings: row.settings,
            created_at: row.created_at,
            signing_secret: None,
        }
    }
}

async fn by_slug(
    app: &App,
    tenant: TenantId,
    slug: &str,
) -> Result<entity::destination::Model, service::Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    manage::by_slug(&tx, slug).await
}

#[derive(Serialize)]
struct Resumed {
    slug: String,
    released: u64,
}

impl Row for Resumed {
    const COLUMNS: &'static [&'static str] = &["slug", "released"];
}

#[derive(Serialize)]
struct DryRunShown {
    verdict: &'static str,
    code: Option<String>,
    reason: Option<String>,
    method: Option<&'static str>,
    url: Option<String>,
    headers: Option<String>,
    body: Option<String>,
    lookups: Option<String>,
}

impl Row for DryRunShown {
    const COLUMNS: &'static [&'static str] =
        &["verdict", "code", "reason", "method", "url", "headers", "body", "lookups"];
}

impl From<DryRun> for DryRunShown {
    fn from(run: DryRun) -> Self {
        let (verdict, code, reason) = match run.verdict {
            Verdict::Send => ("send", None, None),
            Verdict::Rejected { code, reason } => ("rejected", Some(code), Some(reason)),
            Verdict::Held { reason } => ("held", None, Some(reason)),
        };
        let lines = |shown: &Shown| {
            let lines = shown.headers.iter().map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let asked = run.lookups.iter().map(|one| format!("{} {}?{}", one.method, one.url, one.body));
        let asked = asked.collect::<Vec<_>>().join("\n");
        let request = run.request;
        Self {
            verdict,
            code,
            reason,
            method: request.as_ref().map(|shown| shown.method),
            url: request.as_ref().map(|shown| shown.url.clone()),
            headers: request.as_ref().map(lines),
            body: request.map(|shown| shown.body),
            lookups: (!asked.is_empty()).then_some(asked),
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Command::Add { slug, kind, url, name, first_name_fallback, data } => {
                    let (settings, credentials) = (data.settings()?, data.credentials()?);
                    let new =
                        NewDestination { slug, name, kind, url, first_name_fallback, settings, credentials };
                    let (row, secret) = manage::create(&app, tenant, new).await?;
                    let mut row = DestinationRow::from(row);
                    row.signing_secret = secret.map(|text| text.expose_secret().to_owned());
                    if row.signing_secret.is_some() {
                        Output::note("The signing secret is shown this once; give it to the receiver.");
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
                Command::Show { slug } => {
                    let row = by_slug(&app, tenant, &slug).await?;
                    context.output.one(&DestinationRow::from(row))?;
                }
                Command::Set { slug, url, data } => {
                    let id = DestinationId(by_slug(&app, tenant, &slug).await?.id);
                    let change = DestinationChange {
                        url,
                        settings: data.settings()?,
                        credentials: data.credentials()?,
                        ..DestinationChange::default()
                    };
                    let row = manage::update(&app, tenant, id, change).await?;
                    context.output.one(&DestinationRow::from(row))?;
                    Output::note("What failed before: baton destination resume, or baton failed retry-all");
                }
                Command::Hold { slug, reason } => {
                    let id = DestinationId(by_slug(&app, tenant, &slug).await?.id);
                    app.retries().hold(tenant, id, &reason).await.map_err(service::Error::from)?;
                    let row = by_slug(&app, tenant, &slug).await?;
                    context.output.one(&DestinationRow::from(row))?;
                }
                Command::Resume { slug } => {
                    let id = DestinationId(by_slug(&app, tenant, &slug).await?.id);
                    let actor = Actor::Operator.to_string();
                    let released = app.retries().resume(tenant, id, &actor).await;
                    let released = released.map_err(service::Error::from)?;
                    context.output.one(&Resumed { slug, released })?;
                    Output::note("A running server or worker sends them now; without one: baton worker");
                }
                Command::RotateSecret { slug, overlap_hours } => {
                    let id = DestinationId(by_slug(&app, tenant, &slug).await?.id);
                    let overlap = TimeDelta::hours(overlap_hours.into());
                    let (row, secret) = manage::rotate_signing_secret(&app, tenant, id, overlap).await?;
                    let mut row = DestinationRow::from(row);
                    row.signing_secret = Some(secret.expose_secret().to_owned());
                    Output::note("The signing secret is shown this once; give it to the receiver.");
                    context.output.one(&Created(row))?;
                }
                Command::DryRun { slug, lead } => {
                    let id = DestinationId(by_slug(&app, tenant, &slug).await?.id);
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let run = dry_run(&app, &tx, id, lead).await.map_err(service::Error::from)?;
                    tx.commit().await?;
                    let run = run.ok_or_else(|| service::Error::not_found("lead", lead))?;
                    context.output.one(&DryRunShown::from(run))?;
                }
            }
            Ok(Done::Well)
        })
        .await
}
