//! Refresh tokens: how a program stays signed in without a cookie (RFC 6749, section 6).
//!
//! The tokens of one session are a family. Each is used once and answered with the next (RFC 9700, section 4.14.2); who
//! presents one a second time holds a copy, so the whole family ends: the thief and the owner both sign in again, and
//! the owner learns of it from the audit log.

use chrono::{DateTime, Utc};
use domain::ids::{RefreshTokenId, SessionId, TenantId};
use libsql::params;
use secrecy::SecretString;

use crate::credential::{Credential, CredentialKind};
use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::session::SessionLimits;
use crate::user::{USER_COLUMNS, millisecond, read_user_at};
use crate::{Error, Store, Tenant, User};

/// What a refresh token was exchanged for.
#[derive(Debug)]
pub struct Refreshed {
    /// The tenant.
    pub tenant: Tenant,
    /// Who is signed in, as of now.
    pub user: User,
    /// The session that goes on.
    pub session: SessionId,
    /// The next token; the one that was presented is worth nothing any more.
    pub token: SecretString,
}

impl Tenant {
    /// The first refresh token of a session that has just begun.
    pub async fn start_refreshing(
        &self,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<SecretString, Error> {
        let next = Next::draw(self, now)?;
        let text = next.credential.text();
        self.write("make a refresh token", async move |transaction| {
            next.insert(transaction, session, now).await
        })
        .await?;
        Ok(text)
    }
}

impl Store {
    /// Exchanges a refresh token of that tenant. A token that was used before ends its session:
    /// [`Error::RefreshReused`].
    pub async fn refresh(
        &self,
        tenant: TenantId,
        text: &str,
        limits: SessionLimits,
        now: DateTime<Utc>,
    ) -> Result<Refreshed, Error> {
        let presented = Credential::parse(text).ok_or(Error::InvalidRefresh)?;
        if presented.kind != CredentialKind::Refresh || presented.tenant != tenant {
            return Err(Error::InvalidRefresh);
        }
        let tenant = self.open(presented.tenant).await.map_err(|error| match error {
            Error::DatabaseMissing { .. } => Error::InvalidRefresh,
            other => other,
        })?;
        let next = Next::draw(&tenant, now)?;
        let token = next.credential.text();
        let outcome = tenant
            .write("exchange a refresh token", async move |transaction| {
                exchange(transaction, &presented, next, limits, millisecond(now)).await
            })
            .await?;
        match outcome {
            Outcome::Goes(user, session) => Ok(Refreshed { tenant, user: *user, session, token }),
            Outcome::Reused(session) => Err(Error::RefreshReused { tenant: tenant.id(), session }),
        }
    }
}

/// What a transaction came to that has to commit in both cases.
enum Outcome {
    Goes(Box<User>, SessionId),
    Reused(SessionId),
}

/// A token that takes the place of another.
struct Next {
    id: RefreshTokenId,
    credential: Credential,
}

impl Next {
    fn draw(tenant: &Tenant, now: DateTime<Utc>) -> Result<Self, Error> {
        let id = RefreshTokenId(tenant.new_id(now));
        let credential = Credential::generate(CredentialKind::Refresh, tenant.id(), id.uuid())?;
        Ok(Self { id, credential })
    }

    async fn insert(
        self,
        transaction: &Transaction,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO refresh_token (id, session_id, secret_hash, created_at, expires_at) \
                   SELECT ?1, id, ?3, ?4, expires_at FROM session WHERE id = ?2";
        let values = params![
            self.id.to_string(),
            session.to_string(),
            self.credential.hash().to_vec(),
            now.timestamp_millis()
        ];
        let made = transaction.execute(sql, values).await?;
        if made == 1 { Ok(()) } else { Err(Error::SessionNotFound { session }.into()) }
    }
}

async fn exchange(
    transaction: &Transaction,
    presented: &Credential,
    next: Next,
    limits: SessionLimits,
    now: DateTime<Utc>,
) -> Result<Outcome, Fault> {
    let sql = format!(
        "SELECT refresh_token.id, refresh_token.secret_hash, refresh_token.used_at, session.id, session.created_at, \
         session.last_seen_at, session.expires_at, session.revoked_at, {USER_COLUMNS} FROM refresh_token \
         JOIN session ON session.id = refresh_token.session_id JOIN user ON user.id = session.user_id \
         WHERE refresh_token.id = ?1"
    );
    let id = RefreshTokenId(presented.id).to_string();
    let stored = select(transaction, &sql, [id.as_str()], read_stored).await?;
    let stored = stored.into_iter().next().ok_or(Error::InvalidRefresh)?;
    if !presented.matches(&stored.hash) || stored.revoked || stored.user.disabled_at.is_some() {
        return Err(Error::InvalidRefresh.into());
    }
    let session = stored.session;
    if stored.used {
        let sql = "UPDATE session SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";
        transaction.execute(sql, params![session.to_string(), now.timestamp_millis()]).await?;
        return Ok(Outcome::Reused(session));
    }
    if now >= stored.expires_at.min(stored.created_at + limits.absolute)
        || now >= stored.last_seen_at + limits.idle
    {
        return Err(Error::SessionExpired.into());
    }
    let sql = "UPDATE refresh_token SET used_at = ?2 WHERE id = ?1";
    transaction.execute(sql, params![id, now.timestamp_millis()]).await?;
    let sql = "UPDATE session SET last_seen_at = ?2 WHERE id = ?1 AND last_seen_at < ?2";
    transaction.execute(sql, params![session.to_string(), now.timestamp_millis()]).await?;
    next.insert(transaction, session, now).await?;
    Ok(Outcome::Goes(Box::new(stored.user), session))
}

struct Stored {
    hash: [u8; 32],
    used: bool,
    session: SessionId,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked: bool,
    user: User,
}

fn read_stored(row: &Row) -> Result<Stored, Fault> {
    let columns = Columns::of("refresh_token", row);
    Ok(Stored {
        hash: columns.hash(1, "secret_hash")?,
        used: columns.time_if_any(2, "used_at")?.is_some(),
        session: columns.parsed(3, "session_id")?,
        created_at: columns.time(4, "session.created_at")?,
        last_seen_at: columns.time(5, "session.last_seen_at")?,
        expires_at: columns.time(6, "session.expires_at")?,
        revoked: columns.time_if_any(7, "session.revoked_at")?.is_some(),
        user: read_user_at(row, 8)?,
    })
}
