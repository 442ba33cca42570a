//! One tenant's transaction: the only way to the tenants' tables.
//!
//! Row-level security reads `app.tenant_id`. It is set with `SET LOCAL`, so it ends with the transaction and cannot
//! reach the next user of a pooled connection; and it travels in the same message as `BEGIN`, so it costs no round
//! trip of its own.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use domain::ids::{PartnerId, SourceId, TenantId};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::{Mutex, MutexGuard};

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `REPEATABLE READ READ ONLY`: every statement sees the same snapshot, so a page agrees with itself.
    ReadOnly,
    /// `READ COMMITTED`, with writes.
    ReadWrite,
}

impl Mode {
    const fn begin(self) -> &'static str {
        match self {
            Self::ReadOnly => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::ReadWrite => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }
}

/// What of a tenant's rows a transaction may see; row-level security reads it beside the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    #[default]
    Everything,
    /// What concerns one partner's billing (`app.partner_id`); nothing when it is nobody's.
    Partner(Option<PartnerId>),
    /// Leads of these sources and what hangs on them (`app.source_ids`).
    Sources(Vec<SourceId>),
}

impl Sight {
    /// What follows `SET LOCAL app.tenant_id`. UUIDs are hexadecimal digits and dashes: nothing of them ends the quotes.
    fn settings(&self) -> String {
        match self {
            Self::Everything => String::new(),
            Self::Partner(partner) => {
                let id = partner.map(PartnerId::uuid).unwrap_or_default();
                format!("; SET LOCAL app.partner_id = '{id}'")
            }
            Self::Sources(sources) => {
                let ids: Vec<String> = sources.iter().map(|source| source.uuid().to_string()).collect();
                format!("; SET LOCAL app.source_ids = '{{{}}}'", ids.join(","))
            }
        }
    }
}

/// A transaction that sees and writes one tenant's rows. Dropped without [`TenantTx::commit`], it is rolled back.
///
/// It is a sea-orm [`ConnectionTrait`], so every sea-orm statement runs on it; [`TenantTx::connection`] and
/// [`TenantTx::lock`] give the sqlx connection underneath, for COPY and for statements written by hand.
/// Statements that are started at the same time wait for each other: it is one connection.
#[derive(Debug)]
pub struct TenantTx {
    tenant: TenantId,
    mode: Mode,
    transaction: Mutex<Transaction<'static, Postgres>>,
}

impl TenantTx {
    /// Takes a connection of the pool and begins, with the tenant set, in one round trip.
    pub async fn begin(pool: &PgPool, tenant: TenantId, mode: Mode) -> Result<Self, DbErr> {
        Self::begin_seeing(pool, tenant, &Sight::Everything, mode).await
    }

    /// The same for somebody who may not see all of the tenant's rows.
    pub async fn begin_seeing(
        pool: &PgPool,
        tenant: TenantId,
        sight: &Sight,
        mode: Mode,
    ) -> Result<Self, DbErr> {
        // A UUID's text is hexadecimal digits and dashes: nothing of it can end the quotes.
        let begin =
            format!("{}; SET LOCAL app.tenant_id = '{}'{}", mode.begin(), tenant.uuid(), sight.settings());
        let mut idle = pool.num_idle();
        let transaction = loop {
            match begun(pool, begin.clone()).await {
                // After a restart of the server each idle connection is broken, and is found out only here. Nothing
                // has begun, so it may be tried again, once for each of them and once on a new one.
                Err(error) if idle > 0 && is_broken(&error) => idle -= 1,
                other => break other.map_err(connection_error)?,
            }
        };
        Ok(Self { tenant, mode, transaction: Mutex::new(transaction) })
    }

    /// A transaction that says it is one tenant's while row-level security was told another: tests only.
    #[cfg(feature = "testing")]
    pub async fn begin_confused(
        pool: &PgPool,
        says: TenantId,
        told: TenantId,
        mode: Mode,
    ) -> Result<Self, DbErr> {
        let begun = Self::begin_seeing(pool, told, &Sight::Everything, mode).await?;
        Ok(Self { tenant: says, ..begun })
    }

    /// Whose rows it sees.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What it may do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The sqlx connection, for whoever holds the transaction alone.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.transaction.get_mut()
    }

    /// The sqlx connection, for whoever shares the transaction. Waits until no other statement runs on it.
    pub async fn lock(&self) -> ConnectionGuard<'_> {
        ConnectionGuard(self.transaction.lock().await)
    }

    /// Makes what was written durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.transaction.into_inner().commit().await.map_err(execution_error)
    }

    /// Undoes what was written, and waits until the server has done so.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.transaction.into_inner().rollback().await.map_err(execution_error)
    }
}

/// Begins on a task of its own, which nobody cancels. When a request goes away between `BEGIN` and its answer, sqlx (0.9.0) does not
/// know of the transaction: its connection would go back to the pool with it, and the next one's statements would be part of it.
async fn begun(pool: &PgPool, begin: String) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await });
    beginning.await.unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error))))
}

/// The connection of a shared [`TenantTx`], until it is dropped.
#[derive(Debug)]
pub struct ConnectionGuard<'a>(MutexGuard<'a, Transaction<'static, Postgres>>);

impl Deref for ConnectionGuard<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for ConnectionGuard<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

#[async_trait]
impl ConnectionTrait for TenantTx {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut connection = self.lock().await;
        let done = bind(statement).execute(&mut *connection).await;
        done.map(Into::into).map_err(execution_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.lock().await;
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        done.map(Into::into).map_err(execution_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.lock().await;
        let row = bind(statement).fetch_optional(&mut *connection).await;
        row.map(|row| row.map(Into::into)).map_err(query_error)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut connection = self.lock().await;
        let rows = bind(statement).fetch_all(&mut *connection).await;
        rows.map(|rows| rows.into_iter().map(Into::into).collect()).map_err(query_error)
    }
}

fn bind(statement: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| sea_orm::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

/// Whether the connection has gone, rather than the statement failed. 57P01 to 57P03: the server shuts down.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// Tells apart, as sea-orm itself does, where a statement failed; the sqlx error stays inside, so
/// `DbErr::sql_err` still finds the constraint.
fn connection_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::ConnectionClosed),
        other => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(other))),
    }
}

fn execution_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
