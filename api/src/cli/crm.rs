//! `baton crm …`: users and campaigns of a destination's service, as they are kept here.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::DestinationId;
use serde::Serialize;
use serde_json::Value;
use service::database::Mode;
use service::delivery::manage;
use service::reconciliation::curated::{self, CrmFilter, CrmRow};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Users of a destination's service.
    Users(Which),
    /// Its campaigns.
    Campaigns(Which),
    /// What changed of them, newest first.
    Changes {
        /// The destination's short name.
        #[arg(value_name = "SLUG")]
        destination: String,
    },
    /// Read both from its API now, and not only at night.
    Sync {
        /// The destination's short name.
        #[arg(value_name = "SLUG")]
        destination: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The destination's short name.
    #[arg(value_name = "SLUG")]
    destination: String,
    /// Also those that the service does not have or call active any more.
    #[arg(long)]
    inactive: bool,
    /// Only those whose name or e-mail contains this.
    #[arg(long)]
    search: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    email: Option<String>,
    active: bool,
    leads: i64,
    first_seen_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    synced_at: DateTime<Utc>,
    data: Value,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "email", "active", "leads", "changed_at", "synced_at"];
}

impl From<CrmRow> for Shown {
    fn from(row: CrmRow) -> Self {
        Self {
            id: row.remote_id,
            name: row.name,
            email: row.email,
            active: row.active,
            leads: row.leads,
            first_seen_at: row.first_seen_at,
            changed_at: row.changed_at,
            synced_at: row.synced_at,
            data: row.data,
        }
    }
}

#[derive(Serialize)]
struct ChangeShown {
    at: DateTime<Utc>,
    kind: String,
    id: String,
    change: String,
    fields: Value,
}

impl Row for ChangeShown {
    const COLUMNS: &'static [&'static str] = &["at", "kind", "id", "change", "fields"];
}

#[derive(Serialize)]
struct Synced {
    added: u64,
    changed: u64,
    removed: u64,
}

impl Row for Synced {
    const COLUMNS: &'static [&'static str] = &["added", "changed", "removed"];
}

/// Changes that are shown.
const CHANGES: u64 = 200;

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let (slug, kind) = match &command {
        Command::Users(which) => (&which.destination, Some("user")),
        Command::Campaigns(which) => (&which.destination, Some("campaign")),
        Command::Changes { destination } | Command::Sync { destination } => (destination, None),
    };
    context
        .with_tenant(async |app, tenant| {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let destination = DestinationId(manage::by_slug(&tx, slug).await?.id);
            match &command {
                Command::Users(which) | Command::Campaigns(which) => {
                    let filter = CrmFilter {
                        destination: Some(destination),
                        kind: kind.map(str::to_owned),
                        inactive: which.inactive,
                        search: which.search.clone(),
                        count: true,
                    };
                    let rows = curated::shown(&tx, &filter).await?;
                    drop(tx);
                    context.output.list(&rows.into_iter().map(Shown::from).collect::<Vec<_>>())?;
                }
                Command::Changes { .. } => {
                    let rows = curated::latest_changes(&tx, destination, CHANGES).await?;
                    drop(tx);
                    let shown = |row: entity::crm_change::Model| ChangeShown {
                        at: row.at,
                        kind: row.kind,
                        id: row.remote_id,
                        change: row.change,
                        fields: row.fields,
                    };
                    context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
                }
                Command::Sync { .. } => {
                    drop(tx);
                    let synced = curated::sync(&app, tenant, destination).await?;
                    context.output.one(&Synced {
                        added: synced.added,
                        changed: synced.changed,
                        removed: synced.removed,
                    })?;
                    Output::note("baton crm users and campaigns show them; changes says what changed.");
                }
            }
            Ok(Done::Well)
        })
        .await
}
