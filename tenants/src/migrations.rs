//! Numbered migrations of a tenant's database; `user_version` counts those that have run.
//!
//! A released migration never changes: a change is a new one at the end. All that are pending run in one transaction,
//! so that a database is never between two versions.

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use libsql::{Connection, TransactionBehavior};

use crate::error::Fault;
use crate::{Error, signing};

/// In order; the first brings a database to version 1.
const MIGRATIONS: &[&str] =
    &[include_str!("../migrations/001_users.sql"), include_str!("../migrations/002_credentials.sql")];

/// Brings a database up to date and makes its first signing key; does nothing to one that has both.
pub(crate) async fn migrate(
    connection: &Connection,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    if pending(connection, tenant, MIGRATIONS).await?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).await?;
    run(&transaction, tenant, MIGRATIONS).await?;
    signing::ensure_active_key(&transaction, now).await?;
    transaction.commit().await?;
    Ok(())
}

async fn run(connection: &Connection, tenant: TenantId, migrations: &'static [&str]) -> Result<(), Fault> {
    // Asked again inside the transaction: another process may have migrated since.
    for migration in pending(connection, tenant, migrations).await? {
        connection.execute_batch(migration).await?;
    }
    connection.execute_batch(&format!("PRAGMA user_version = {}", migrations.len())).await?;
    Ok(())
}

async fn pending(
    connection: &Connection,
    tenant: TenantId,
    migrations: &'static [&'static str],
) -> Result<&'static [&'static str], Fault> {
    let version = user_version(connection).await?;
    migrations
        .get(version..)
        .ok_or_else(|| Error::DatabaseTooNew { tenant, version, known: migrations.len() }.into())
}

async fn user_version(connection: &Connection) -> Result<usize, Fault> {
    let mut rows = connection.query("PRAGMA user_version", ()).await?;
    let version = rows.next().await?.map_or(Ok(0), |row| row.get::<i64>(0))?;
    // A negative version is nobody's: too new, rather than a second start from nothing.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
