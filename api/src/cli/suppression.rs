//! `baton suppression …`: who wants no more contact.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::{LeadId, SuppressionId};
use serde::Serialize;
use service::access::Actor;
use service::database::Mode;
use service::suppression::{self, Contact, Entry};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enter a phone or an e-mail; what waits for it is held.
    Add {
        /// Phone or e-mail.
        contact: String,
        /// Why, in words.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Show the list, newest first.
    List {
        /// Only what contains this.
        #[arg(long)]
        search: Option<String>,
    },
    /// Take an entry off the list.
    Remove {
        /// Its id, suppression_….
        id: SuppressionId,
    },
}

#[derive(Serialize)]
struct Shown {
    id: String,
    kind: String,
    value: String,
    reason: Option<String>,
    lead: Option<String>,
    actor: String,
    created_at: DateTime<Utc>,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["kind", "value", "reason", "actor", "created_at", "id"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Command::Add { contact, reason } => {
                    let entry = Entry {
                        contact: Contact::read(&contact)?,
                        reason,
                        lead: None,
                        actor: Actor::Operator.to_string(),
                    };
                    let new = suppression::add(&app, tenant, entry).await?;
                    Output::note(if new { "Entered." } else { "It was on the list." });
                }
                Command::List { search } => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = suppression::list(&tx, search.as_deref()).await?;
                    drop(tx);
                    let shown = |row: entity::suppression::Model| Shown {
                        id: SuppressionId(row.id).to_string(),
                        kind: row.kind,
                        value: row.value,
                        reason: row.reason,
                        lead: row.lead_id.map(|id| LeadId(id).to_string()),
                        actor: row.actor,
                        created_at: row.created_at,
                    };
                    context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
                }
                Command::Remove { id } => suppression::remove(&app, tenant, id).await?,
            }
            Ok(Done::Well)
        })
        .await
}
