//! `baton tenant …`

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::ids::TenantId;
use serde::Serialize;
use service::access::{self, NewTenant};

use super::context::Context;
use super::{Done, Failure, Row};

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
    },
    /// Show all tenants.
    List,
}

#[derive(Serialize)]
struct TenantRow {
    id: String,
    slug: String,
    name: String,
    time_zone: String,
    created_at: DateTime<Utc>,
}

impl Row for TenantRow {
    const COLUMNS: &'static [&'static str] = &["slug", "name", "time_zone", "id", "created_at"];
}

impl From<entity::tenant::Model> for TenantRow {
    fn from(row: entity::tenant::Model) -> Self {
        Self {
            id: TenantId(row.id).to_string(),
            slug: row.slug,
            name: row.name,
            time_zone: row.time_zone,
            created_at: row.created_at,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_app(async |app| {
            match command {
                Command::Create { slug, name, time_zone } => {
                    let row = access::create_tenant(&app, NewTenant { slug, name, time_zone }).await?;
                    context.output.one(&TenantRow::from(row))?;
                }
                Command::List => {
                    let rows = access::list_tenants(&app).await?;
                    context.output.list(&rows.into_iter().map(TenantRow::from).collect::<Vec<_>>())?;
                }
            }
            Ok(Done::Well)
        })
        .await
}
