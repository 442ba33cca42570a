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
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/001_users.sql"),
    include_str!("../migrations/002_credentials.sql"),
    include_str!("../migrations/003_access.sql"),
];

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

#[cfg(test)]
mod tests {
    use libsql::{Builder, Database};
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    async fn database(folder: &tempfile::TempDir) -> Database {
        Builder::new_local(folder.path().join("tenant.db")).build().await.unwrap()
    }

    async fn count(connection: &Connection, sql: &str) -> i64 {
        let mut rows = connection.query(sql, ()).await.unwrap();
        rows.next().await.unwrap().unwrap().get(0).unwrap()
    }

    #[tokio::test]
    async fn every_older_version_comes_up_and_keeps_its_rows() {
        for version in 0..MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let connection = database(&folder).await.connect().unwrap();
            run(&connection, TENANT, &MIGRATIONS[..version]).await.unwrap();
            assert_eq!(user_version(&connection).await.unwrap(), version);
            if version > 0 {
                let sql = "INSERT INTO user (id, email, name, role, created_at) VALUES ('user_1', 'a@b', 'A', 'admin', 7)";
                connection.execute(sql, ()).await.unwrap();
            }
            migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
            assert_eq!(user_version(&connection).await.unwrap(), MIGRATIONS.len());
            assert_eq!(count(&connection, "SELECT count(*) FROM user").await, i64::from(version > 0));
            let keys = "SELECT count(*) FROM signing_key WHERE retired_at IS NULL";
            assert_eq!(count(&connection, keys).await, 1);
            migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
            assert_eq!(count(&connection, keys).await, 1);
        }
    }

    #[tokio::test]
    async fn a_failing_migration_leaves_the_version_before() {
        const BROKEN: &[&str] = &[MIGRATIONS[0], "CREATE TABLE half (id TEXT); CREATE TABLE half (id TEXT);"];
        let folder = tempfile::tempdir().unwrap();
        let connection = database(&folder).await.connect().unwrap();
        run(&connection, TENANT, &MIGRATIONS[..1]).await.unwrap();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).await.unwrap();
        run(&transaction, TENANT, BROKEN).await.unwrap_err();
        drop(transaction);
        assert_eq!(user_version(&connection).await.unwrap(), 1);
        assert_eq!(count(&connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'").await, 0);
    }

    #[tokio::test]
    async fn a_newer_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database(&folder).await.connect().unwrap();
        connection.execute_batch("PRAGMA user_version = 999").await.unwrap();
        let refused = migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap_err();
        assert!(matches!(refused, Fault::Refused(Error::DatabaseTooNew { version: 999, .. })));
        assert_eq!(count(&connection, "SELECT count(*) FROM sqlite_schema").await, 0);
    }

    #[tokio::test]
    async fn a_second_active_signing_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database(&folder).await.connect().unwrap();
        migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
        let sql =
            "INSERT INTO signing_key (kid, private_key, public_key, created_at) VALUES ('k', x'', x'', 1)";
        assert!(connection.execute(sql, ()).await.is_err());
    }
}
