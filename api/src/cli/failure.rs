//! Why a command failed, in words for the person at the terminal.

use std::error::Error as StdError;
use std::io::Write as _;

use super::Style;
use crate::config;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line cannot be understood as a whole.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] config::Error),
    /// The operation failed.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The shared Postgres.
    #[error(transparent)]
    Database(#[from] service::database::Error),
    /// Something of this machine: a file, a port, the terminal.
    #[error("{attempted} failed")]
    Failed {
        /// What was attempted.
        attempted: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl From<sea_orm::DbErr> for Failure {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Service(error.into())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Service(error.into())
    }
}

impl From<tenants::Error> for Failure {
    fn from(error: tenants::Error) -> Self {
        Self::Service(error.into())
    }
}

impl Failure {
    /// Something of this machine.
    pub(crate) fn failed(
        attempted: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Failed { attempted: attempted.into(), source: source.into() }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration(_) => 2,
            Self::Service(_) | Self::Database(_) | Self::Failed { .. } => 1,
        }
    }

    /// A stable word for scripts, beside the text.
    fn code(&self) -> &str {
        use service::Error;
        match self {
            Self::Usage(_) => "USAGE",
            Self::Configuration(_) => "CONFIGURATION",
            Self::Service(error) => match error {
                Error::Unauthenticated(_) => "UNAUTHENTICATED",
                Error::Forbidden(_) => "FORBIDDEN",
                Error::NotFound { .. } => "NOT_FOUND",
                Error::Invalid { code, .. } => code,
                Error::Conflict(_) => "CONFLICT",
                Error::Limit(_) => "LIMIT_EXCEEDED",
                Error::Unavailable { .. } => "UNAVAILABLE",
                Error::Internal { .. } => "INTERNAL",
            },
            Self::Database(_) => "UNAVAILABLE",
            Self::Failed { .. } => "FAILED",
        }
    }

    /// What was attempted and each cause, in one line.
    pub(crate) fn text(&self) -> String {
        chain(self)
    }

    /// Tells the person on standard error: as JSON where the result would have been JSON.
    pub(crate) fn print(&self, style: Style) {
        let line = match style {
            Style::Json => {
                serde_json::json!({ "error": { "code": self.code(), "message": self.text() } }).to_string()
            }
            Style::Table | Style::Csv => format!("baton: {}", self.text()),
        };
        // Nobody is left to be told when standard error is closed.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// An error with each of its causes.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let part = cause.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = cause.source();
    }
    text
}
