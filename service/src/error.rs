//! What can go wrong, by what the caller can do about it.
//!
//! The variants are the codes that every edge answers with (GraphQL codes, RFC 9457 problems, exit
//! codes). `Display` never repeats the source and never holds a secret or a lead's data; the source
//! is for the log.

use std::borrow::Cow;
use std::error::Error as StdError;

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the credential does not hold.
    #[error("{0}")]
    Unauthenticated(Cow<'static, str>),
    /// The caller's role or scope does not allow it.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// There is no such thing in this tenant.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// The kind of thing, as in `lead source`.
        what: &'static str,
        /// What it was looked up by.
        id: String,
    },
    /// The input cannot be used.
    #[error("{message}")]
    Invalid {
        /// The field, dotted, when one is at fault.
        field: Option<Cow<'static, str>>,
        /// A stable code of its own, as in `EMPTY_FILE`.
        code: Cow<'static, str>,
        /// What is wrong and what would be right.
        message: String,
    },
    /// It contradicts what is stored.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// More than is allowed.
    #[error("{0}")]
    Limit(Cow<'static, str>),
    /// A part that Baton needs does not answer now.
    #[error("{what} does not answer now; try again")]
    Unavailable {
        /// The part, as in `the database`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Baton's own fault.
    #[error("{attempted} failed")]
    Internal {
        /// What was attempted.
        attempted: Cow<'static, str>,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// Invalid input in one field.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field.into()), code: "BAD_USER_INPUT".into(), message: message.into() }
    }

    /// Not found, by whatever it was looked up.
    pub fn not_found(what: &'static str, id: impl Into<Lookup>) -> Self {
        Self::NotFound { what, id: id.into().0 }
    }

    /// Baton's own fault, with what was attempted.
    pub fn internal(
        attempted: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Internal { attempted: attempted.into(), source: source.into() }
    }

    /// Two transactions stood in each other's way; the same again may well succeed.
    pub fn is_contention(&self) -> bool {
        const DEADLOCK: &str = "40P01";
        const SERIALIZATION: &str = "40001";
        const LOCK_TIMEOUT: &str = "55P03";
        let Self::Internal { source, .. } = self else { return false };
        let Some(sqlx::Error::Database(error)) = source.downcast_ref::<sqlx::Error>() else {
            return source.is::<Contended>();
        };
        matches!(error.code().as_deref(), Some(DEADLOCK | SERIALIZATION | LOCK_TIMEOUT))
    }

    /// A key was taken by a row that is gone again.
    pub(crate) fn contended() -> Self {
        Self::internal("merging leads", Contended)
    }
}

/// What a thing was looked up by: an id or a slug.
pub struct Lookup(String);

impl<T: std::fmt::Display> From<T> for Lookup {
    fn from(value: T) -> Self {
        Self(value.to_string())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another transaction took a key and gave it up again")]
struct Contended;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed => {
                Self::Unavailable { what: "the database", source: Box::new(error) }
            }
            // Class 57: the server is starting up or shutting down.
            sqlx::Error::Database(ref database)
                if database.code().is_some_and(|code| code.starts_with("57P")) =>
            {
                Self::Unavailable { what: "the database", source: Box::new(error) }
            }
            sqlx::Error::Database(ref database) if database.code().is_some_and(|code| is_no_text(&code)) => {
                Self::Invalid {
                    field: None,
                    code: "NOT_TEXT".into(),
                    message: "the text has a NUL character or bytes that are no UTF-8: send it without them"
                        .to_owned(),
                }
            }
            other => Self::internal("a database statement", other),
        }
    }
}

/// Whether Postgres cannot keep what it was given as text: `character_not_in_repertoire`, and for JSON
/// `untranslatable_character`.
fn is_no_text(code: &str) -> bool {
    matches!(code, "22021" | "22P05")
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        use sea_orm::{DbErr, RuntimeErr};
        match error {
            DbErr::ConnectionAcquire(_) => {
                Self::Unavailable { what: "the database", source: Box::new(error) }
            }
            DbErr::Conn(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => match std::sync::Arc::try_unwrap(inner) {
                Ok(inner) => inner.into(),
                Err(shared) => Self::internal("a database statement", shared),
            },
            other => Self::internal("a database statement", other),
        }
    }
}

/// Whether a statement failed because that unique constraint or index is taken.
pub(crate) fn is_taken(error: &sea_orm::DbErr, constraint: &str) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(text)) if text.contains(constraint))
}
