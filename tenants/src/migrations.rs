//! Numbered migrations of a tenant's database; `user_version` counts those that have run.
//!
//! A released migration never changes: a change is a new one at the end. All that are pending run in one transaction,
//! so that a database is never between two versions.

use chrono::{DateTime, Utc};
use domain::ids::TenantId;

use crate::database::{Connection, Row, Transaction, select};
use crate::error::Fault;
use crate::{Error, signing};

/// In order; the first brings a database to version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/001_users.sql"),
    include_str!("../migrations/002_credentials.sql"),
    include_str!("../migrations/003_access.sql"),
    include_str!("../migrations/004_sign_in.sql"),
    include_str!("../migrations/005_frames.sql"),
    include_str!("../migrations/006_spent_proofs.sql"),
];

/// Brings a database up to date and makes its first signing key; does nothing to one that has both.
pub(crate) async fn migrate(
    connection: &Connection,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let version = connection.read(USER_VERSION, (), read_version).await?;
    if pending(version, tenant, MIGRATIONS)?.is_empty() {
        return Ok(());
    }
    let work = async move |transaction: &Transaction| {
        run(transaction, tenant, MIGRATIONS).await?;
        signing::ensure_active_key(transaction, now).await
    };
    connection.write(work).await
}

/// The same for a database that nobody has begun; one that has tables belongs to somebody.
pub(crate) async fn create(
    connection: &Connection,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let work = async move |transaction: &Transaction| {
        if user_version(transaction).await? != 0 {
            return Err(Error::DatabaseExists { tenant }.into());
        }
        run(transaction, tenant, MIGRATIONS).await?;
        signing::ensure_active_key(transaction, now).await
    };
    connection.write(work).await
}

async fn run(transaction: &Transaction, tenant: TenantId, migrations: &'static [&str]) -> Result<(), Fault> {
    // Asked again inside the transaction: another process may have migrated since.
    let version = user_version(transaction).await?;
    for migration in pending(vec![version], tenant, migrations)? {
        transaction.batch(migration).await?;
    }
    transaction.batch(&format!("PRAGMA user_version = {}", migrations.len())).await
}

fn pending(
    version: Vec<usize>,
    tenant: TenantId,
    migrations: &'static [&'static str],
) -> Result<&'static [&'static str], Fault> {
    let version = version.into_iter().next().unwrap_or(0);
    migrations
        .get(version..)
        .ok_or_else(|| Error::DatabaseTooNew { tenant, version, known: migrations.len() }.into())
}

const USER_VERSION: &str = "PRAGMA user_version";

fn read_version(row: &Row) -> Result<usize, Fault> {
    // A negative version is nobody's: too new, rather than a second start from nothing.
    Ok(usize::try_from(row.get::<i64>(0)?).unwrap_or(usize::MAX))
}

async fn user_version(transaction: &Transaction) -> Result<usize, Fault> {
    Ok(select(transaction, USER_VERSION, (), read_version).await?.into_iter().next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use libsql::Builder;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    /// An empty database, and a second connection to look into it.
    async fn database(folder: &tempfile::TempDir) -> (Connection, libsql::Connection) {
        let database = Builder::new_local(folder.path().join("tenant.db")).build().await.unwrap();
        (Connection::file(database.connect().unwrap()), database.connect().unwrap())
    }

    async fn run_all(connection: &Connection, migrations: &'static [&str]) -> Result<(), Fault> {
        connection.write(async |transaction| run(transaction, TENANT, migrations).await).await
    }

    async fn count(connection: &libsql::Connection, sql: &str) -> i64 {
        let mut rows = connection.query(sql, ()).await.unwrap();
        rows.next().await.unwrap().unwrap().get(0).unwrap()
    }

    #[tokio::test]
    async fn every_older_version_comes_up_and_keeps_its_rows() {
        for version in 0..MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let (connection, look) = database(&folder).await;
            run_all(&connection, &MIGRATIONS[..version]).await.unwrap();
            let version = i64::try_from(version).unwrap();
            assert_eq!(count(&look, USER_VERSION).await, version);
            if version > 0 {
                let sql = "INSERT INTO user (id, email, name, role, created_at) VALUES ('user_1', 'a@b', 'A', 'admin', 7)";
                look.execute(sql, ()).await.unwrap();
            }
            migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
            assert_eq!(count(&look, USER_VERSION).await, i64::try_from(MIGRATIONS.len()).unwrap());
            assert_eq!(count(&look, "SELECT count(*) FROM user").await, i64::from(version > 0));
            let keys = "SELECT count(*) FROM signing_key WHERE retired_at IS NULL";
            assert_eq!(count(&look, keys).await, 1);
            migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
            assert_eq!(count(&look, keys).await, 1);
        }
    }

    #[tokio::test]
    async fn a_failing_migration_leaves_the_version_before() {
        const BROKEN: &[&str] = &[MIGRATIONS[0], "CREATE TABLE half (id TEXT); CREATE TABLE half (id TEXT);"];
        let folder = tempfile::tempdir().unwrap();
        let (connection, look) = database(&folder).await;
        run_all(&connection, &MIGRATIONS[..1]).await.unwrap();
        run_all(&connection, BROKEN).await.unwrap_err();
        assert_eq!(count(&look, USER_VERSION).await, 1);
        assert_eq!(count(&look, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'").await, 0);
    }

    #[tokio::test]
    async fn a_newer_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, look) = database(&folder).await;
        look.execute_batch("PRAGMA user_version = 999").await.unwrap();
        let refused = migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap_err();
        assert!(matches!(refused, Fault::Refused(Error::DatabaseTooNew { version: 999, .. })));
        assert_eq!(count(&look, "SELECT count(*) FROM sqlite_schema").await, 0);
    }

    #[tokio::test]
    async fn a_second_active_signing_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, look) = database(&folder).await;
        migrate(&connection, TENANT, DateTime::UNIX_EPOCH).await.unwrap();
        let sql =
            "INSERT INTO signing_key (kid, private_key, public_key, created_at) VALUES ('k', x'', x'', 1)";
        assert!(look.execute(sql, ()).await.is_err());
    }
}
