//! A tenant's life, as the operator sees it: suspend, resume, export, erase.
//!
//! No tenant's credential is needed and none is looked at: whoever reaches the data folder and the database's owner is
//! the operator. Each act is written to the tenant's own audit log and, because erasing takes that with it, to the
//! operator's: `operator-audit.ndjson` in the data folder, one JSON object a line, only ever appended.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{Actor, audit};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::intake::uploads;
use crate::{jobs, storage};

mod archive;

pub use archive::{Exported, export};

/// The operator's audit log.
const OPERATOR_AUDIT: &str = "operator-audit.ndjson";

/// Lets nobody in any more and stops deliveries and imports, or the reverse. Nothing is lost: what is due waits.
pub async fn set_suspended(app: &App, tenant: TenantId, suspended: bool) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE tenant SET suspended_at = CASE WHEN $2 THEN coalesce(suspended_at, $3) END WHERE id = $1",
    )
    .bind(tenant.uuid())
    .bind(suspended)
    .bind(now)
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    app.tenants.open(tenant).await?.set_suspended(suspended).await?;
    let action = if suspended { "tenant.suspended" } else { "tenant.resumed" };
    audit(app, tenant, Actor::Operator, action, tenant, json!({})).await?;
    operator_audit(app, action, Some(tenant), &json!({})).await
}

/// Every table that carries the tenant, in an order in which whoever refers to another comes before it.
async fn tables(tx: &mut crate::database::TenantTx) -> Result<Vec<String>, Error> {
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND (c.relname = 'tenant' OR EXISTS (SELECT FROM pg_attribute a
                                               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
         ORDER BY 1",
    )
    .fetch_all(tx.connection())
    .await?;
    let references: Vec<(String, String)> = sqlx::query_as(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
         WHERE contype = 'f' AND conrelid <> confrelid AND connamespace = 'public'::regnamespace",
    )
    .fetch_all(tx.connection())
    .await?;
    let mut left = named;
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let free = left.iter().position(|table| {
            !references.iter().any(|(from, to)| to == table && from != table && left.contains(from))
        });
        let Some(free) = free else {
            return Err(Error::internal("ordering the tables", "tables refer to each other in a circle"));
        };
        ordered.push(left.remove(free));
    }
    Ok(ordered)
}

/// What erasing took away, and that nothing is left.
#[derive(Debug, Clone, Serialize)]
pub struct Erased {
    /// Whose.
    pub tenant: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Rows removed, by table of the shared Postgres.
    pub removed: BTreeMap<String, u64>,
    /// Rows still there, over all tables, counted after the end of the removal. Always 0, or the erasure has failed.
    pub remaining: u64,
    /// Whether the tenant's own database was there and is gone.
    pub database_removed: bool,
    /// Files that waited for their import, and files of billing reports, that are gone.
    pub files_removed: u64,
}

/// Removes everything of a tenant from both stores and from the data folder, and counts what is left: nothing.
///
/// The tenant's own database goes first, the files next, the rows last and in one transaction: whatever interrupts it, the
/// tenant is still known and a second call goes on. Backups are the operator's to expire.
pub async fn erase(app: &App, tenant: TenantId) -> Result<Erased, Error> {
    let now = app.clock.now();
    // Nobody comes in while it goes, and no worker begins anything.
    let database_removed = if app.tenants.exists(tenant).await? {
        set_suspended(app, tenant, true).await?;
        app.tenants.remove(tenant).await?
    } else {
        false
    };
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let tables = tables(&mut tx).await?;
    let mut removed = BTreeMap::new();
    for table in &tables {
        let column = if table == "tenant" { "id" } else { "tenant_id" };
        let sql = format!("DELETE FROM {table} WHERE {column} = $1");
        let done = sqlx::query(AssertSqlSafe(sql)).bind(tenant.uuid()).execute(tx.connection()).await?;
        removed.insert(table.clone(), done.rows_affected());
    }
    removed.insert(format!("{}.jobs", jobs::SCHEMA), jobs::forget(tx.connection(), tenant).await?);
    let waiting = remove_uploads(app, tenant);
    let waiting = waiting.map_err(|error| Error::internal("removing a tenant's uploads", error))?;
    let files_removed = waiting + storage::remove(app.storage.as_ref(), tenant).await?;
    tx.commit().await?;
    let remaining = remaining(app, tenant, &tables).await?;
    let tenant_text = tenant.to_string();
    let erased = Erased { tenant: tenant_text, at: now, removed, remaining, database_removed, files_removed };
    operator_audit(app, "tenant.erased", Some(tenant), &json!(erased)).await?;
    if remaining > 0 || app.tenants.exists(tenant).await? {
        return Err(Error::internal(
            "erasing a tenant",
            format!("{remaining} rows of {tenant} are still there"),
        ));
    }
    Ok(erased)
}

/// Removes the files that wait for their import, and those that came when the tenant was suspended and have none yet; says how
/// many those were. One that cannot be removed keeps the tenant known.
fn remove_uploads(app: &App, tenant: TenantId) -> io::Result<u64> {
    let folder = app.settings.data_dir.join(uploads::folder(tenant));
    let waiting = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        found => found?.count() as u64,
    };
    fs::remove_dir_all(folder)?;
    Ok(waiting)
}

/// Counted by the owner where it is known, whom no policy hides anything from in the private cluster; else by the tenant.
async fn remaining(app: &App, tenant: TenantId, tables: &[String]) -> Result<u64, Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut left = 0;
    for table in tables {
        let column = if table == "tenant" { "id" } else { "tenant_id" };
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} = $1");
        let of_tenant: i64 = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .bind(tenant.uuid())
            .fetch_one(tx.connection())
            .await?;
        let of_owner: i64 = match &app.database.owner {
            Some(owner) => {
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(tenant.uuid()).fetch_one(owner).await?
            }
            None => 0,
        };
        left += u64::try_from(of_tenant.max(of_owner)).unwrap_or(0);
    }
    Ok(left)
}

/// Appends a line to the operator's audit log, about a tenant or the whole deployment, durable before the command goes on.
pub async fn operator_audit(
    app: &App,
    action: &'static str,
    tenant: Option<TenantId>,
    detail: &Value,
) -> Result<(), Error> {
    let by = std::env::var("SUDO_USER")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_else(|_| "unknown".to_owned());
    let line = json!({
        "at": app.clock.now(), "action": action, "tenant": tenant.map(|tenant| tenant.to_string()), "by": by, "detail": detail,
    });
    let path = app.settings.data_dir.join(OPERATOR_AUDIT);
    let write = move || -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        // One write, so that two commands at once do not mix their lines.
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    };
    let done = tokio::task::spawn_blocking(write).await;
    let done = done.map_err(|error| Error::internal("writing the operator's audit log", error))?;
    done.map_err(|error| Error::internal("writing the operator's audit log", error))
}
