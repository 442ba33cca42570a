//! `baton audit …`

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;
use tenants::{AuditEntry, AuditFilter};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what was done, newest first.
    List {
        /// Only actions that begin so, as in `user.`.
        #[arg(long)]
        action: Option<String>,
        /// Only those of that actor.
        #[arg(long)]
        actor: Option<String>,
        /// At most so many lines.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Check that no line was changed or taken out.
    Verify,
}

#[derive(Serialize)]
struct Line {
    number: i64,
    at: DateTime<Utc>,
    actor: String,
    action: String,
    subject: String,
    address: Option<String>,
    detail: String,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["number", "at", "actor", "action", "subject", "detail"];
}

impl From<AuditEntry> for Line {
    fn from(entry: AuditEntry) -> Self {
        Self {
            number: entry.number,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            address: entry.address,
            detail: entry.detail.to_string(),
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            let store = app.tenants.open(tenant).await?;
            match command {
                Command::List { action, actor, limit } => {
                    let filter = AuditFilter { action, actor, ..AuditFilter::default() };
                    let lines = store.audit_entries(filter, limit).await?;
                    context.output.list(&lines.into_iter().map(Line::from).collect::<Vec<_>>())?;
                    Ok(Done::Well)
                }
                Command::Verify => match store.verify_audit().await? {
                    None => {
                        Output::note("The audit log is whole.");
                        Ok(Done::Well)
                    }
                    Some(number) => Err(Failure::failed(
                        "verifying the audit log",
                        format!("line {number} was changed or is missing"),
                    )),
                },
            }
        })
        .await
}
