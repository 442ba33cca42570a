//! One tenant's database, wherever it lives: a local file, or a database of a libSQL server.
//!
//! The rest of the crate writes SQL and sees rows; only here does it matter where they are. A file's clones of a
//! connection share one transaction, so a mutex keeps two tasks apart. A server runs each read on its own, and a
//! transaction as a stream of requests that only its owner can go on with.

use std::sync::Arc;

use libsql::params::{IntoParams, Params};
use libsql::{TransactionBehavior, Value};
use tokio::sync::Mutex;

use crate::error::Fault;

pub(crate) mod files;
pub(crate) mod hrana;
pub(crate) mod server;

/// An open database.
pub(crate) enum Connection {
    /// A file of this machine.
    File(Mutex<libsql::Connection>),
    /// A database of a server.
    Server {
        database: hrana::Database,
        /// The server lets one write at a time: better to wait here than to hold a request open there.
        writing: Mutex<()>,
    },
}

impl Connection {
    pub(crate) fn file(connection: libsql::Connection) -> Self {
        Self::File(Mutex::new(connection))
    }

    pub(crate) fn server(database: hrana::Database) -> Self {
        Self::Server { database, writing: Mutex::new(()) }
    }

    /// Every row of a query.
    pub(crate) async fn read<T>(
        &self,
        sql: &str,
        params: impl IntoParams,
        decode: fn(&Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        match self {
            Self::File(connection) => {
                let connection = connection.lock().await;
                rows_of_file(&connection, sql, params.into_params()?, decode).await
            }
            Self::Server { database, .. } => {
                decoded(database.query(sql, params.into_params()?).await?, decode)
            }
        }
    }

    /// Runs `work` in one transaction that takes the write lock at once; when it fails, nothing of it stays.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self {
            Self::File(connection) => {
                let connection = connection.lock().await;
                let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate).await?;
                let transaction = Transaction::File(begun);
                // A transaction that is dropped is rolled back.
                let result = work(&transaction).await?;
                transaction.commit().await?;
                Ok(result)
            }
            Self::Server { database, writing } => {
                let _alone = writing.lock().await;
                let stream = database.begin().await?;
                let transaction = Transaction::Server(stream);
                match work(&transaction).await {
                    Ok(result) => transaction.commit().await.map(|()| result),
                    Err(fault) => {
                        transaction.roll_back().await;
                        Err(fault)
                    }
                }
            }
        }
    }
}

/// A transaction that may write.
pub(crate) enum Transaction {
    File(libsql::Transaction),
    Server(hrana::Stream),
}

impl Transaction {
    /// Runs a statement; says how many rows it has changed.
    pub(crate) async fn execute(&self, sql: &str, params: impl IntoParams) -> Result<u64, Fault> {
        match self {
            Self::File(transaction) => Ok(transaction.execute(sql, params).await?),
            Self::Server(stream) => Ok(stream.execute(sql, params.into_params()?).await?.changed),
        }
    }

    /// Runs several statements without values.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        match self {
            Self::File(transaction) => transaction.execute_batch(sql).await.map(drop)?,
            Self::Server(stream) => stream.sequence(sql).await?,
        }
        Ok(())
    }

    async fn commit(self) -> Result<(), Fault> {
        match self {
            Self::File(transaction) => transaction.commit().await?,
            Self::Server(stream) => stream.finish("COMMIT").await?,
        }
        Ok(())
    }

    async fn roll_back(self) {
        if let Self::Server(stream) = self {
            // What the server is not told it finds out by itself: a stream without requests ends in seconds.
            let _ = stream.finish("ROLLBACK").await;
        }
    }
}

/// Every row of a query within a transaction.
pub(crate) async fn select<T>(
    transaction: &Transaction,
    sql: &str,
    params: impl IntoParams,
    decode: fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    match transaction {
        Transaction::File(transaction) => rows_of_file(transaction, sql, params.into_params()?, decode).await,
        Transaction::Server(stream) => decoded(stream.execute(sql, params.into_params()?).await?, decode),
    }
}

async fn rows_of_file<T>(
    connection: &libsql::Connection,
    sql: &str,
    params: Params,
    decode: fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut rows = connection.query(sql, params).await?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        found.push(decode(&Row::File(row))?);
    }
    Ok(found)
}

fn decoded<T>(answer: hrana::Table, decode: fn(&Row) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    let names = answer.names;
    let rows = answer.rows.into_iter();
    rows.map(|values| decode(&Row::Server { names: Arc::clone(&names), values })).collect()
}

/// A row of a query.
pub(crate) enum Row {
    File(libsql::Row),
    Server { names: Arc<[String]>, values: Vec<Value> },
}

impl Row {
    pub(crate) fn get_value(&self, index: i32) -> Result<Value, libsql::Error> {
        match self {
            Self::File(row) => row.get_value(index),
            Self::Server { values, .. } => Ok(at(values, index)?.clone()),
        }
    }

    pub(crate) fn get_str(&self, index: i32) -> Result<&str, libsql::Error> {
        match self {
            Self::File(row) => row.get_str(index),
            Self::Server { values, .. } => match at(values, index)? {
                Value::Text(text) => Ok(text),
                _ => Err(libsql::Error::InvalidColumnType),
            },
        }
    }

    pub(crate) fn get<T: FromValue>(&self, index: i32) -> Result<T, libsql::Error> {
        T::from_value(self.get_value(index)?).ok_or(libsql::Error::InvalidColumnType)
    }

    pub(crate) fn column_count(&self) -> i32 {
        match self {
            Self::File(row) => row.column_count(),
            Self::Server { values, .. } => i32::try_from(values.len()).unwrap_or(i32::MAX),
        }
    }

    pub(crate) fn column_name(&self, index: i32) -> Option<&str> {
        match self {
            Self::File(row) => row.column_name(index),
            Self::Server { names, .. } => at(names, index).ok().map(String::as_str),
        }
    }
}

fn at<T>(values: &[T], index: i32) -> Result<&T, libsql::Error> {
    let found = usize::try_from(index).ok().and_then(|index| values.get(index));
    found.ok_or(libsql::Error::ColumnNotFound(index))
}

/// What a column can be read as; none when it holds something else.
pub(crate) trait FromValue: Sized {
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        if matches!(value, Value::Null) { Some(None) } else { T::from_value(value).map(Some) }
    }
}
