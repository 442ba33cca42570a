//! What can go wrong, in one enum.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use domain::ids::{ApiKeyId, InvitationId, SessionId, TeamId, TenantId, UserId};

pub use crate::database::hrana::ServerError;

/// Why something of a tenant could not be read, changed or proven.
///
/// The text says what was attempted and never repeats its source; it carries ids only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such tenant here, or its file is lost.
    #[error("the database of {tenant} is missing")]
    DatabaseMissing {
        /// The tenant that was asked for.
        tenant: TenantId,
    },
    /// The tenant already has a database.
    #[error("the database of {tenant} already exists")]
    DatabaseExists {
        /// The tenant that should have been created.
        tenant: TenantId,
    },
    /// A later version of Baton has written this database.
    #[error("the database of {tenant} has version {version}, this program knows versions up to {known}")]
    DatabaseTooNew {
        /// Whose database it is.
        tenant: TenantId,
        /// The version that it has.
        version: usize,
        /// The last version that this program knows.
        known: usize,
    },
    /// The database refused.
    #[error("could not {attempt} in the database of {tenant}")]
    Database {
        /// Whose database it is.
        tenant: TenantId,
        /// What was attempted, as in `read a user`.
        attempt: &'static str,
        /// What the database says.
        source: libsql::Error,
    },
    /// The server that keeps the database refused, or could not be understood.
    #[error("could not {attempt} in the database of {tenant}")]
    Server {
        /// Whose database it is.
        tenant: TenantId,
        /// What was attempted, as in `read a user`.
        attempt: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// The server that keeps the database cannot be reached now, or has given the work up.
    #[error("could not {attempt} in the database of {tenant}: its server does not answer")]
    ServerUnreachable {
        /// Whose database it is.
        tenant: TenantId,
        /// What was attempted.
        attempt: &'static str,
        /// Why.
        source: ServerError,
    },
    /// The server keeps no database for a new tenant, and Baton may not make one there.
    #[error(
        "the server has no database `{}`: make an empty one there and run this again with --id {tenant}, or set \
         tenants.admin_url so that Baton makes it",
        tenant.uuid()
    )]
    DatabaseNotPrepared {
        /// The tenant that should have been created.
        tenant: TenantId,
    },
    /// The client for a server's databases could not be made.
    #[error("could not prepare requests to the server of the tenants' databases")]
    Client {
        /// Why.
        source: reqwest::Error,
    },
    /// A file or folder could not be made or read.
    #[error("could not {attempt} {}", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A stored value is not what this program writes.
    #[error("corrupt row: {table}.{column} of `{id}`")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id; empty when the id itself cannot be read.
        id: String,
    },
    /// A cryptographic operation failed, such as reading a signing key.
    #[error("could not {attempt}")]
    Cryptography {
        /// What was attempted.
        attempt: &'static str,
    },
    /// A task off the async threads was stopped or panicked.
    #[error("could not finish: {attempt}")]
    Interrupted {
        /// What was attempted.
        attempt: &'static str,
        /// What the runtime says.
        source: tokio::task::JoinError,
    },
    /// More passwords wait to be checked than is sensible; try again shortly.
    #[error("too many passwords are being checked at once")]
    Busy,

    /// The text is not an e-mail address.
    #[error("this is not an e-mail address (it must look like name@example.com)")]
    InvalidEmail,
    /// Another user of the tenant has this address.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// A name, scope or role that cannot be stored.
    #[error("`{field}` {must}")]
    InvalidField {
        /// The field, as in `name`.
        field: &'static str,
        /// What it must be, as in `must have 1 to 200 characters`.
        must: &'static str,
    },
    /// The tenant would be left without anybody who answers for it.
    #[error("a tenant keeps at least one owner: make another user owner first")]
    LastOwner,
    /// The password is shorter than the policy allows.
    #[error("a password must have at least {characters_min} characters")]
    PasswordTooShort {
        /// The fewest characters allowed.
        characters_min: usize,
    },
    /// The password is longer than the policy allows.
    #[error("a password must have at most {bytes_max} bytes")]
    PasswordTooLong {
        /// The most bytes (UTF-8) allowed.
        bytes_max: usize,
    },
    /// No such user in this tenant.
    #[error("there is no user {user}")]
    UserNotFound {
        /// The user that was asked for.
        user: UserId,
    },
    /// No such API key or source token in this tenant.
    #[error("there is no key {key}")]
    KeyNotFound {
        /// The key that was asked for.
        key: ApiKeyId,
    },
    /// No such team in this tenant.
    #[error("there is no team {team}")]
    TeamNotFound {
        /// The team that was asked for.
        team: TeamId,
    },
    /// No such invitation in this tenant, or it was accepted.
    #[error("there is no open invitation {invitation}")]
    InvitationNotFound {
        /// The invitation that was asked for.
        invitation: InvitationId,
    },
    /// Another one of the tenant has this name.
    #[error("the name is taken")]
    NameTaken,
    /// The tenant has as many as it may.
    #[error("a tenant has at most {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it may have.
        most: u32,
    },
    /// No such session in this tenant.
    #[error("there is no session {session}")]
    SessionNotFound {
        /// The session that was asked for.
        session: SessionId,
    },

    /// No such sign-in provider in this tenant.
    #[error("there is no provider `{provider}`")]
    ProviderNotFound {
        /// The id or short name that was asked for.
        provider: String,
    },
    /// Another provider of the tenant has this short name.
    #[error("there is a provider of that short name already")]
    ProviderTaken,
    /// No such link in this tenant, or it is revoked or has expired.
    #[error("there is no such link, or it is not valid any more")]
    LinkNotFound,
    /// The sign-in is unknown, used already, too old, or of another browser.
    #[error("this sign-in is not valid any more: start again")]
    InvalidFlow,
    /// The provider's person is neither a user, nor invited, nor of a domain that may join.
    #[error("there is no account for this person: ask an administrator for an invitation")]
    NotInvited,
    /// The provider does not vouch for the person's e-mail address, so it proves nothing.
    #[error("the provider has not verified this person's e-mail address")]
    EmailNotVerified,

    /// E-mail and password do not fit; which of both is not said.
    #[error("e-mail address or password is wrong")]
    InvalidCredentials,
    /// The password was right, but the user may not sign in.
    #[error("the user {user} is disabled")]
    UserDisabled {
        /// The user.
        user: UserId,
    },
    /// Too many failed sign-ins for this e-mail address.
    #[error("too many failed sign-ins, try again in {} seconds", retry_after.as_secs().max(1))]
    TooManyAttempts {
        /// How long until the next attempt is looked at.
        retry_after: Duration,
    },
    /// The key is malformed, unknown, revoked or not of the wanted kind.
    #[error("the key is not valid")]
    InvalidKey,
    /// The key was valid, and has expired.
    #[error("the key {key} has expired")]
    KeyExpired {
        /// The key.
        key: ApiKeyId,
    },
    /// The session's cookie is malformed, unknown or revoked.
    #[error("the session is not valid")]
    InvalidSession,
    /// The invitation is malformed, unknown, accepted, revoked or expired.
    #[error("the invitation is not valid any more: ask for another one")]
    InvalidInvitation,
    /// The refresh token is malformed, unknown, or its session was ended.
    #[error("the refresh token is not valid: sign in again")]
    InvalidRefresh,
    /// The refresh token was used before: somebody holds a copy. Its session was ended.
    #[error("the refresh token was used before, so its session was ended: sign in again")]
    RefreshReused {
        /// Whose.
        tenant: TenantId,
        /// The session that was ended.
        session: SessionId,
    },
    /// The session was valid, and has ended by age or idleness.
    #[error("the session has expired")]
    SessionExpired,
    /// The access token is refused.
    #[error("the access token is refused: {0}")]
    InvalidToken(TokenFault),
    /// The settings ask for tokens that live longer than allowed, or not at all.
    #[error("an access token must live 1 to {seconds_max} seconds")]
    TokenLifetime {
        /// The longest lifetime allowed.
        seconds_max: u64,
    },
}

/// What is wrong with an access token: for the operator's log, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Not a JSON Web Token, or one with parts that must not be there.
    #[error("malformed")]
    Malformed,
    /// Not `EdDSA`.
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    /// The tenant that it names has no database here.
    #[error("unknown tenant")]
    UnknownTenant,
    /// The tenant that it names has no such key, or has retired it long ago.
    #[error("unknown key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("wrong signature")]
    Signature,
    /// Signed, but a claim is absent or has another form.
    #[error("a claim is missing or malformed")]
    Claims,
    /// Another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// For another audience.
    #[error("wrong audience")]
    Audience,
    /// Its time has not come.
    #[error("not yet valid")]
    NotYetValid,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It lives longer than any token may.
    #[error("the lifetime is too long")]
    Lifetime,
}

impl From<TokenFault> for Error {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}

/// Inside a transaction or a read: either the database's own error, which still needs its context, or ours.
#[derive(Debug)]
pub(crate) enum Fault {
    Database(libsql::Error),
    Server(ServerError),
    Refused(Error),
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl From<libsql::Error> for Fault {
    fn from(error: libsql::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    pub(crate) fn within(self, tenant: TenantId, attempt: &'static str) -> Error {
        match self {
            Self::Database(source) => Error::Database { tenant, attempt, source },
            Self::Server(error) if error.is_missing() => Error::DatabaseMissing { tenant },
            Self::Server(source @ (ServerError::Unreachable(_) | ServerError::StreamEnded)) => {
                Error::ServerUnreachable { tenant, attempt, source }
            }
            Self::Server(source) => Error::Server { tenant, attempt, source },
            Self::Refused(error) => error,
        }
    }
}
