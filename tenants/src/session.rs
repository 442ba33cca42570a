//! Browser sessions.
//!
//! The cookie holds a random secret, the database its hash. The defence against forged requests (CSRF) is a second
//! value that follows from the secret: the page reads it from the server's answer and sends it in a header, which
//! another site can neither read nor set. Nothing of it is stored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{SessionId, UserId};
use libsql::params;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::credential::{Credential, CredentialKind};
use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{USER_COLUMNS, millisecond, read_user_at};
use crate::{Error, Store, Tenant, User};

/// The cookie's name. Browsers accept the prefix `__Host-` only with `Secure`, `Path=/` and without `Domain`, so that
/// no neighbouring host can set it (RFC 6265bis, 4.1.3.2).
pub const COOKIE_NAME: &str = "__Host-baton_session";
/// The header that carries [`Session::csrf`] back.
pub const CSRF_HEADER: &str = "x-baton-csrf";
/// A session's last request is written at most that often.
pub const SESSION_TOUCH_INTERVAL: Duration = Duration::from_mins(1);

/// The most sessions of one user; a further one ends the oldest.
pub const SESSIONS_PER_USER_MAX: u32 = 100;

/// When a session ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// After that long, whatever happens.
    pub absolute: Duration,
    /// After that long without a request; counted exact to [`SESSION_TOUCH_INTERVAL`].
    pub idle: Duration,
}

/// Twelve hours, two hours idle.
impl Default for SessionLimits {
    fn default() -> Self {
        Self { absolute: Duration::from_hours(12), idle: Duration::from_hours(2) }
    }
}

/// A browser that is signed in, as proven by its cookie.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its public id.
    pub id: SessionId,
    /// Who is signed in, as of this request.
    pub user: User,
    /// When the user signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, exact to [`SESSION_TOUCH_INTERVAL`].
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, whatever happens.
    pub expires_at: DateTime<Utc>,
    /// Of a session inside a CRM's frame: the pages of the links that were opened with it, which say what it may do.
    pub frame_pages: Option<Vec<String>>,
    csrf: SecretString,
}

impl Session {
    /// The value that the page sends in [`CSRF_HEADER`] with each request that changes something.
    pub fn csrf(&self) -> &SecretString {
        &self.csrf
    }

    /// Whether a header's value is this session's; takes the same time for every wrong one.
    pub fn csrf_matches(&self, header: &str) -> bool {
        self.csrf.expose_secret().as_bytes().ct_eq(header.as_bytes()).into()
    }

    /// For the cookie's `Max-Age`: what is left of the session, whole seconds.
    pub fn seconds_left(&self, now: DateTime<Utc>) -> u64 {
        u64::try_from((self.expires_at - now).num_seconds()).unwrap_or(0)
    }
}

/// How a session began, so that its owner recognises it in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOrigin {
    /// `password`, `invitation`, or the provider's name.
    pub method: String,
    /// From which network address.
    pub address: Option<String>,
    /// What the browser or program calls itself; cut to 300 characters.
    pub user_agent: Option<String>,
}

/// A password, from nowhere in particular.
impl Default for SessionOrigin {
    fn default() -> Self {
        Self { method: "password".to_owned(), address: None, user_agent: None }
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct StartedSession {
    /// The session.
    pub session: Session,
    /// The value of the cookie [`COOKIE_NAME`].
    pub cookie: SecretString,
}

/// A session in its user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// Its public id.
    pub id: SessionId,
    /// When the user signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, exact to [`SESSION_TOUCH_INTERVAL`].
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, whatever happens.
    pub expires_at: DateTime<Utc>,
    /// How it began.
    pub origin: SessionOrigin,
}

impl Tenant {
    /// Begins a session for a user that has just proven who it is.
    pub async fn start_session(
        &self,
        user: UserId,
        limits: SessionLimits,
        now: DateTime<Utc>,
    ) -> Result<StartedSession, Error> {
        self.start_session_from(user, SessionOrigin::default(), limits, now).await
    }

    /// The same with how it began.
    pub async fn start_session_from(
        &self,
        user: UserId,
        origin: SessionOrigin,
        limits: SessionLimits,
        now: DateTime<Utc>,
    ) -> Result<StartedSession, Error> {
        let now = millisecond(now);
        let id = SessionId(self.new_id(now));
        let expires_at = now + limits.absolute;
        let credential = Credential::generate(CredentialKind::Session, self.id(), id.uuid())?;
        let hash = credential.hash().to_vec();
        let user = self
            .write("begin a session", async move |transaction| {
                make_room(transaction, user, now).await?;
                let sql = format!("SELECT {USER_COLUMNS} FROM user WHERE id = ?1");
                let found = select(transaction, &sql, [user.to_string()], |row| read_user_at(row, 0)).await?;
                let user = found.into_iter().next().ok_or(Error::UserNotFound { user })?;
                if user.disabled_at.is_some() {
                    return Err(Error::UserDisabled { user: user.id }.into());
                }
                let sql = "INSERT INTO session (id, user_id, secret_hash, created_at, last_seen_at, expires_at, method, \
                           address, user_agent) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8)";
                let values = params![
                    id.to_string(),
                    user.id.to_string(),
                    hash,
                    now.timestamp_millis(),
                    expires_at.timestamp_millis(),
                    origin.method,
                    origin.address,
                    origin.user_agent.map(|agent| agent.chars().take(300).collect::<String>()),
                ];
                transaction.execute(sql, values).await?;
                Ok(user)
            })
            .await?;
        let csrf = credential.derive("csrf");
        let session = Session {
            id,
            user,
            created_at: now,
            last_seen_at: now,
            expires_at: millisecond(expires_at),
            frame_pages: None,
            csrf,
        };
        Ok(StartedSession { session, cookie: credential.text() })
    }

    /// The running sessions of a user, newest first.
    pub async fn sessions(
        &self,
        user: UserId,
        limits: SessionLimits,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionEntry>, Error> {
        let sql = "SELECT id, created_at, last_seen_at, expires_at, method, address, user_agent FROM session \
                   WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND last_seen_at > ?3 \
                   ORDER BY created_at DESC, id DESC LIMIT ?4";
        let idle_since = now - limits.idle;
        let values = params![
            user.to_string(),
            now.timestamp_millis(),
            idle_since.timestamp_millis(),
            SESSIONS_PER_USER_MAX
        ];
        self.read("list sessions", sql, values, read_entry).await
    }

    /// Ends a session of that user. A second time changes nothing.
    pub async fn revoke_session(&self, user: UserId, id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
        self.write("end a session", async move |transaction| {
            let sql =
                "UPDATE session SET revoked_at = coalesce(revoked_at, ?3) WHERE id = ?1 AND user_id = ?2";
            let values = params![id.to_string(), user.to_string(), now.timestamp_millis()];
            let changed = transaction.execute(sql, values).await?;
            if changed == 1 { Ok(()) } else { Err(Error::SessionNotFound { session: id }.into()) }
        })
        .await
    }

    /// Ends every session of that user, save one if given; says how many.
    pub async fn revoke_sessions(
        &self,
        user: UserId,
        save: Option<SessionId>,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        self.write("end a user's sessions", async move |transaction| {
            let sql =
                "UPDATE session SET revoked_at = ?3 WHERE user_id = ?1 AND id <> ?2 AND revoked_at IS NULL";
            let save = save.map(|id| id.to_string()).unwrap_or_default();
            transaction.execute(sql, params![user.to_string(), save, now.timestamp_millis()]).await
        })
        .await
    }

    /// Whether a session that was proven before has not been ended since.
    pub async fn session_lives(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM session WHERE id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
        let values = params![id.to_string(), now.timestamp_millis()];
        let found = self.read_first("look for a session", sql, values, |row| Ok(row.get::<i64>(0)?)).await?;
        Ok(found.is_some())
    }

    async fn touch_session(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
        self.write("note a session's use", async move |transaction| {
            let sql = "UPDATE session SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2";
            transaction.execute(sql, params![id.to_string(), now.timestamp_millis()]).await?;
            Ok(())
        })
        .await
    }
}

impl Store {
    /// The tenant and session of a cookie's value, when it is known and neither revoked nor ended.
    pub async fn resume_session(
        &self,
        cookie: &str,
        limits: SessionLimits,
        now: DateTime<Utc>,
    ) -> Result<(Tenant, Session), Error> {
        let credential = Credential::parse(cookie).ok_or(Error::InvalidSession)?;
        if credential.kind != CredentialKind::Session {
            return Err(Error::InvalidSession);
        }
        let tenant = self.open(credential.tenant).await.map_err(|error| match error {
            Error::DatabaseMissing { .. } => Error::InvalidSession,
            other => other,
        })?;
        let sql = format!(
            "SELECT session.id, session.created_at, session.last_seen_at, session.expires_at, session.revoked_at, \
             session.secret_hash, (SELECT group_concat(resource_link.page, ' ') FROM frame_session \
             JOIN resource_link ON resource_link.id = frame_session.link_id \
             WHERE frame_session.session_id = session.id) AS pages, {USER_COLUMNS} FROM session JOIN user ON user.id = session.user_id WHERE session.id = ?1"
        );
        let row = tenant
            .read_first("read a session", &sql, [SessionId(credential.id).to_string()], read_session)
            .await?
            .ok_or(Error::InvalidSession)?;
        if !credential.matches(&row.hash) || row.revoked || row.user.disabled_at.is_some() {
            return Err(Error::InvalidSession);
        }
        let SessionRow { id, created_at, mut last_seen_at, expires_at, .. } = row;
        // The shorter of what was promised at the start and what is configured now.
        if now >= expires_at.min(created_at + limits.absolute) || now >= last_seen_at + limits.idle {
            return Err(Error::SessionExpired);
        }
        if now - last_seen_at >= TimeDelta::from_std(SESSION_TOUCH_INTERVAL).unwrap_or(TimeDelta::MAX) {
            match tenant.touch_session(id, now).await {
                Ok(()) => last_seen_at = millisecond(now),
                // Serving this request is worth more than the exact moment of the last one.
                Err(error) => tracing::warn!(
                    tenant.id = %tenant.id(), session.id = %id, error = &error as &dyn std::error::Error,
                    "a session's use was not noted"
                ),
            }
        }
        let csrf = credential.derive("csrf");
        let frame_pages =
            row.frame_pages.map(|pages| pages.split(' ').map(str::to_owned).collect::<Vec<_>>());
        Ok((tenant, Session { id, user: row.user, created_at, last_seen_at, expires_at, frame_pages, csrf }))
    }
}

/// Removes what has ended, and what a user has too many of: sessions never pile up.
async fn make_room(transaction: &Transaction, user: UserId, now: DateTime<Utc>) -> Result<(), Fault> {
    transaction.execute("DELETE FROM session WHERE expires_at <= ?1", [now.timestamp_millis()]).await?;
    let sql = "DELETE FROM session WHERE user_id = ?1 AND id NOT IN \
               (SELECT id FROM session WHERE user_id = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2)";
    transaction.execute(sql, params![user.to_string(), SESSIONS_PER_USER_MAX - 1]).await?;
    Ok(())
}

struct SessionRow {
    id: SessionId,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked: bool,
    hash: [u8; 32],
    frame_pages: Option<String>,
    user: User,
}

fn read_session(row: &Row) -> Result<SessionRow, Fault> {
    let columns = Columns::of("session", row);
    Ok(SessionRow {
        id: columns.parsed(0, "id")?,
        created_at: columns.time(1, "created_at")?,
        last_seen_at: columns.time(2, "last_seen_at")?,
        expires_at: columns.time(3, "expires_at")?,
        revoked: columns.time_if_any(4, "revoked_at")?.is_some(),
        hash: columns.hash(5, "secret_hash")?,
        frame_pages: columns.parsed_if_any(6, "pages")?,
        user: read_user_at(row, 7)?,
    })
}

fn read_entry(row: &Row) -> Result<SessionEntry, Fault> {
    let columns = Columns::of("session", row);
    Ok(SessionEntry {
        id: columns.parsed(0, "id")?,
        created_at: columns.time(1, "created_at")?,
        last_seen_at: columns.time(2, "last_seen_at")?,
        expires_at: columns.time(3, "expires_at")?,
        origin: SessionOrigin {
            method: columns.text(4, "method")?.to_owned(),
            address: columns.parsed_if_any(5, "address")?,
            user_agent: columns.parsed_if_any(6, "user_agent")?,
        },
    })
}
