//! What a tenant's database says, in the words of [`Error`].

use tenants::Error as Fault;

use crate::error::Error;

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let text = fault.to_string();
        match fault {
            Fault::InvalidCredentials
            | Fault::InvalidKey
            | Fault::KeyExpired { .. }
            | Fault::InvalidSession
            | Fault::SessionExpired
            | Fault::InvalidRefresh
            | Fault::RefreshReused { .. }
            | Fault::InvalidFlow => Self::Unauthenticated(text.into()),
            // Why it is refused is for the log: an attacker would learn from it.
            Fault::InvalidToken(_) => Self::Unauthenticated("the access token is refused".into()),
            Fault::UserDisabled { .. } => Self::Unauthenticated("this user is disabled: ask an admin".into()),
            Fault::TooManyAttempts { .. } | Fault::TooMany { .. } | Fault::Busy => Self::Limit(text.into()),
            Fault::InvalidEmail => Self::invalid("email", text),
            Fault::InvalidInvitation => Self::invalid("invitation", text),
            Fault::NameTaken | Fault::EmailTaken | Fault::LastOwner | Fault::DatabaseNotPrepared { .. } => {
                Self::Conflict(text.into())
            }
            Fault::InvalidField { field, .. } => {
                Self::Invalid { field: Some(field.into()), code: "BAD_USER_INPUT".into(), message: text }
            }
            Fault::PasswordTooShort { .. } | Fault::PasswordTooLong { .. } => Self::invalid("password", text),
            Fault::UserNotFound { user } => Self::not_found("user", user),
            Fault::TeamNotFound { team } => Self::not_found("team", team),
            Fault::InvitationNotFound { invitation } => Self::not_found("invitation", invitation),
            Fault::KeyNotFound { key } => Self::not_found("key", key),
            Fault::SessionNotFound { session } => Self::not_found("session", session),
            Fault::ProviderNotFound { provider } => Self::not_found("provider", provider),
            Fault::ProviderTaken => Self::invalid("slug", text),
            Fault::LinkNotFound => Self::not_found("link", "of that address"),
            Fault::NotInvited | Fault::EmailNotVerified => Self::Forbidden(text.into()),
            Fault::ServerUnreachable { source, .. } => {
                Self::Unavailable { what: "the server of the tenants' databases", source: Box::new(source) }
            }
            other => Self::internal("a tenant's database", other),
        }
    }
}
