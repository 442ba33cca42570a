//! What belongs to one tenant alone, in one libSQL database a tenant: users, passwords, API keys, source tokens,
//! signing keys, sessions, teams, invitations and the audit log.
//!
//! A [`Store`] holds these databases, files of a folder or databases of a libSQL server ([`Place`]), and keeps the most
//! recently used ones open; a [`Tenant`] is one open database. Every credential names its tenant, so that the right database is opened, and is then proven by that
//! database alone: another tenant's key cannot speak for it.
//!
//! * [`Tenant::sign_in`] – e-mail and password, throttled, the same time for an unknown person.
//! * [`Tokens`] – access tokens (`EdDSA`) signed with the tenant's own key, at most 15 minutes long.
//! * [`Store::resume_session`] – a browser's cookie; [`Session::csrf_matches`] – its defence against forged requests.
//! * [`Tenant::start_flow`], [`Tenant::finish_flow`], [`Tenant::admit`] – signing in with an OAuth provider.
//! * [`Tenant::open_link`], [`Tenant::redeem_frame_code`] – resource links and sessions inside a CRM's frame.
//! * [`Store::authenticate_key`] – an API key, an OAuth client's secret or a source's token.
//! * [`Store::refresh`] – how a program stays signed in; a token that is used twice ends its session.
//! * [`Tenant::append_audit`] – what was done, in a log that only grows.
//!
//! Invariants
//! * Nothing here reads a clock: `now` is an argument, or the function that the store was opened with.
//! * Whoever steals a database's file cannot sign in with it: passwords are argon2id, every other credential is
//!   stored as SHA-256 of 256 random bits. The signing key is the exception, hence the file's mode 0600.
//! * No secret, and nothing that a person typed, is in an error's text or in a log line.
//! * Reads (of files) are microseconds and run where they are asked for; what may wait for a disk or a lock does so off the
//!   async threads, in one transaction.
//!
//! Deliberately absent: what a role may do (`service::access`), cookies' headers and HTTP statuses (`api`).

mod audit;
mod credential;
mod database;
mod dump;
mod email;
mod error;
mod flow;
mod frame;
mod invitation;
mod key;
mod link;
mod migrations;
mod password;
mod person;
mod provider;
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
pub use database::server::ServerOptions;
pub use domain::access::{Role, Scope};
pub use email::Email;
pub use error::{Error, ServerError, TokenFault};
pub use flow::{FLOW_COOKIE_NAME, FLOW_LIFETIME, Flow, StartedFlow};
pub use frame::{FRAME_CODE_LIFETIME, FrameProof, FrameProofKind};
pub use invitation::{INVITATION_LIFETIME, Invitation, NewInvitation};
pub use key::{AccessKey, CreatedKey, KEY_TOUCH_INTERVAL, KeyKind, NewKey};
pub use link::{LinkAddress, NewLink, RESOURCE_LINKS_MAX, ResourceLink};
pub use password::{NewPassword, PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
pub use person::Person;
pub use provider::{NewProvider, Provider, ProviderChange, ProviderKind};
pub use refresh::Refreshed;
pub use session::{
    COOKIE_NAME, CSRF_HEADER, SESSION_TOUCH_INTERVAL, SESSIONS_PER_USER_MAX, Session, SessionEntry,
    SessionLimits, SessionOrigin, StartedSession,
};
pub use sign_in::{SIGN_IN_ATTEMPTS_MAX, SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX, SIGN_IN_WINDOW};
pub use signing::SigningKey;
pub use store::{Clock, DEFAULT_OPEN_DATABASES_MAX, NewId, Place, Store, StoreOptions};
pub use team::{TEAM_MEMBERS_MAX, TEAMS_MAX, Team, TeamChange};
pub use tenant::Tenant;
pub use token::{
    AccessToken, CLOCK_SKEW, Claims, Subject, TOKEN_LIFETIME_MAX, TokenSettings, Tokens, Verified,
};
pub use user::{CreatedUser, NewUser, User};
