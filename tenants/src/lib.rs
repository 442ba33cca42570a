//! What belongs to one tenant alone, in one libSQL database a tenant: users, passwords, API keys, source tokens,
//! signing keys, sessions, teams, invitations and the audit log.
//!
//! A [`Store`] holds the folder of these databases and keeps the most recently used ones open; a [`Tenant`] is one
//! open database. Every credential names its tenant, so that the right database is opened, and is then proven by that
//! database alone: another tenant's key cannot speak for it.
//!
//! * [`Tenant::sign_in`] – e-mail and password, throttled, the same time for an unknown person.
//! * [`Tokens`] – access tokens (`EdDSA`) signed with the tenant's own key, at most 15 minutes long.
//! * [`Store::resume_session`] – a browser's cookie; [`Session::csrf_matches`] – its defence against forged requests.
//! * [`Store::authenticate_key`] – an API key, an OAuth client's secret or a source's token.
//! * [`Store::refresh`] – how a program stays signed in; a token that is used twice ends its session.
//! * [`Tenant::append_audit`] – what was done, in a log that only grows.
//!
//! Invariants
//! * Nothing here reads a clock: `now` is an argument, or the function that the store was opened with.
//! * Whoever steals a database's file cannot sign in with it: passwords are argon2id, every other credential is
//!   stored as SHA-256 of 256 random bits. The signing key is the exception, hence the file's mode 0600.
//! * No secret, and nothing that a person typed, is in an error's text or in a log line.
//! * Reads are microseconds and run where they are asked for; what may wait for a disk or a lock does so off the
//!   async threads, in one transaction.
//!
//! Deliberately absent: what a role may do (`service::access`), cookies' headers and HTTP statuses (`api`).

mod audit;
mod credential;
mod dump;
mod email;
mod error;
mod invitation;
mod key;
mod migrations;
mod password;
mod random;
mod refresh;
mod row;
mod session;
mod setting;
mod sign_in;
mod signing;
mod store;
mod team;
mod tenant;
mod token;
mod user;

pub use audit::{AuditEntry, AuditFilter, NewAuditEntry};
pub use domain::access::{Role, Scope};
pub use email::Email;
pub use error::{Error, TokenFault};
pub use invitation::{INVITATION_LIFETIME, Invitation, NewInvitation};
pub use key::{AccessKey, CreatedKey, KEY_TOUCH_INTERVAL, KeyKind, NewKey};
pub use password::{NewPassword, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
pub use refresh::Refreshed;
pub use session::{
    COOKIE_NAME, CSRF_HEADER, SESSION_TOUCH_INTERVAL, SESSIONS_PER_USER_MAX, Session, SessionEntry,
    SessionLimits, SessionOrigin, StartedSession,
};
pub use sign_in::{SIGN_IN_ATTEMPTS_MAX, SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX, SIGN_IN_WINDOW};
pub use signing::SigningKey;
pub use store::{Clock, DEFAULT_OPEN_DATABASES_MAX, NewId, Store, StoreOptions};
pub use team::{TEAM_MEMBERS_MAX, TEAMS_MAX, Team, TeamChange};
pub use tenant::{SUSPENDED_REFRESH_S, Tenant};
pub use token::{
    AccessToken, CLOCK_SKEW, Claims, Subject, TOKEN_LIFETIME_MAX, TokenSettings, Tokens, Verified,
};
pub use user::{CreatedUser, NewUser, User};
