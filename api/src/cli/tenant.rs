//! `baton tenant …`

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::TenantId;
use serde::Serialize;
use serde_json::json;
use service::access::life::{self, Erased, Exported};
use service::access::{self, NewTenant};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a tenant.
    Create {
        /// Short name in addresses and commands: lower-case letters, digits, dashes.
        slug: String,
        /// As people see it; the slug when absent.
        #[arg(long)]
        name: Option<String>,
        /// An IANA name such as America/Denver; UTC when absent.
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// The id whose database you have made at the server of tenants' databases (`tenants.url` without `tenants.admin_url`).
        #[arg(long, value_name = "TENANT")]
        id: Option<TenantId>,
    },
    /// Show all tenants.
    List,
    /// Let nobody in and deliver nothing until it is resumed. Nothing is lost.
    Suspend {
        /// The tenant.
        slug: String,
    },
    /// Let people in again and deliver what has waited.
    Resume {
        /// The tenant.
        slug: String,
    },
    /// Write everything of a tenant into one archive (tar, gzip): JSON lines by table.
    Export {
        /// The tenant.
        slug: String,
        /// The archive; SLUG.tar.gz here when absent.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Remove everything of a tenant for good, and prove it.
    Erase {
        /// The tenant.
        slug: String,
        /// The same slug again: there is no way back.
        #[arg(long, value_name = "SLUG")]
        confirm: String,
    },
}

#[derive(Serialize)]
struct TenantRow {
    id: String,
    slug: String,
    name: String,
    time_zone: String,
    created_at: DateTime<Utc>,
    suspended_at: Option<DateTime<Utc>>,
}

impl Row for TenantRow {
    const COLUMNS: &'static [&'static str] =
        &["slug", "name", "time_zone", "id", "created_at", "suspended_at"];
}

impl Row for Exported {
    const COLUMNS: &'static [&'static str] = &["tenant", "at", "path"];
}

impl Row for Erased {
    const COLUMNS: &'static [&'static str] =
        &["tenant", "at", "remaining", "database_removed", "files_removed"];
}

impl From<entity::tenant::Model> for TenantRow {
    fn from(row: entity::tenant::Model) -> Self {
        Self {
            id: TenantId(row.id).to_string(),
            slug: row.slug,
            name: row.name,
            time_zone: row.time_zone,
            created_at: row.created_at,
            suspended_at: row.suspended_at,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_app(async |app| {
            match command {
                Command::Create { slug, name, time_zone, id } => {
                    let new = NewTenant { slug, name, time_zone };
                    let row = match id {
                        Some(id) => access::create_tenant_of_id(&app, id, new).await?,
                        None => access::create_tenant(&app, new).await?,
                    };
                    life::operator_audit(&app, "tenant.created", Some(TenantId(row.id)), &json!({})).await?;
                    context.output.one(&TenantRow::from(row))?;
                }
                Command::List => {
                    let rows = access::list_tenants(&app).await?;
                    context.output.list(&rows.into_iter().map(TenantRow::from).collect::<Vec<_>>())?;
                }
                Command::Suspend { slug } => {
                    life::set_suspended(&app, access::tenant(&app, &slug).await?, true).await?;
                    Output::note(&format!("{slug} is suspended."));
                }
                Command::Resume { slug } => {
                    life::set_suspended(&app, access::tenant(&app, &slug).await?, false).await?;
                    Output::note(&format!("{slug} works again."));
                }
                Command::Export { slug, to } => {
                    let path = to.unwrap_or_else(|| PathBuf::from(format!("{slug}.tar.gz")));
                    let exported = life::export(&app, access::tenant(&app, &slug).await?, &path).await?;
                    context.output.one(&exported)?;
                }
                Command::Erase { slug, confirm } => {
                    if slug != confirm {
                        return Err(Failure::Usage(format!("to erase {slug}, give --confirm {slug}")));
                    }
                    let erased = life::erase(&app, access::tenant(&app, &slug).await?).await?;
                    context.output.one(&erased)?;
                }
            }
            Ok(Done::Well)
        })
        .await
}
