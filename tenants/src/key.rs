//! API keys and source tokens: secrets of machines, shown once, stored hashed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::access::Role;
use domain::ids::{ApiKeyId, UserId};
use libsql::params;
use secrecy::SecretString;

use crate::credential::{Credential, CredentialKind};
use crate::database::Row;
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{checked_name, millisecond};
use crate::{Error, Store, Tenant};

/// A key's last use is written at most that often.
pub const KEY_TOUCH_INTERVAL: Duration = Duration::from_mins(1);

/// The most keys of one page.
const PAGE_MAX: u32 = 200;
/// The longest scope text in bytes.
const SCOPE_BYTES_MAX: usize = 2000;

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The interface for programs (`Authorization: Bearer baton_key_…`).
    Api,
    /// The ingest route of a source (`baton_source_…`).
    Source,
    /// The secret of an OAuth client (`baton_client_…`), exchanged for access tokens (RFC 6749, section 4.4).
    Client,
}

impl KeyKind {
    /// Its text in the database, as in `api`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Source => "source",
            Self::Client => "client",
        }
    }

    const fn credential(self) -> CredentialKind {
        match self {
            Self::Api => CredentialKind::Key,
            Self::Source => CredentialKind::Source,
            Self::Client => CredentialKind::Client,
        }
    }
}

impl FromStr for KeyKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "api" => Ok(Self::Api),
            "source" => Ok(Self::Source),
            "client" => Ok(Self::Client),
            _ => Err(Error::InvalidField { field: "kind", must: "must be api, source or client" }),
        }
    }
}

/// A key as it is known after it was shown: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public id, also readable in its text.
    pub id: ApiKeyId,
    /// What it opens.
    pub kind: KeyKind,
    /// The name that people gave it.
    pub name: String,
    /// Of kinds api and client: whose rights it has, narrowed by the scope.
    pub role: Role,
    /// What it may do, as in `ingest:source_01…` or `leads:read leads:write`; given meaning by `service::access`.
    pub scope: String,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, exact to [`KEY_TOUCH_INTERVAL`].
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it opens.
    pub kind: KeyKind,
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// Whose rights it has.
    pub role: Role,
    /// What of them, 1 to 2,000 bytes.
    pub scope: String,
    /// Who makes it, when a user does.
    pub created_by: Option<UserId>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: AccessKey,
    /// Its text, to be shown once.
    pub text: SecretString,
}

const COLUMNS: &str =
    "id, kind, name, scope, created_by, created_at, expires_at, last_used_at, revoked_at, secret_hash, role";

impl Tenant {
    /// Makes a key.
    pub async fn create_key(&self, new: NewKey, now: DateTime<Utc>) -> Result<CreatedKey, Error> {
        let name = checked_name(&new.name)?;
        let scope = checked_scope(new.scope)?;
        let id = ApiKeyId(self.new_id(now));
        let credential = Credential::generate(new.kind.credential(), self.id(), id.uuid())?;
        let key = AccessKey {
            id,
            kind: new.kind,
            name,
            role: new.role,
            scope,
            created_by: new.created_by,
            created_at: millisecond(now),
            expires_at: new.expires_at.map(millisecond),
            last_used_at: None,
            revoked_at: None,
        };
        let row = key.clone();
        let hash = credential.hash().to_vec();
        self.write("make a key", async move |transaction| {
            let sql = "INSERT INTO access_key (id, kind, name, scope, secret_hash, created_by, created_at, expires_at, role) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let values = params![
                row.id.to_string(),
                row.kind.as_str(),
                row.name,
                row.scope,
                hash,
                row.created_by.map(|user| user.to_string()),
                row.created_at.timestamp_millis(),
                row.expires_at.map(|end| end.timestamp_millis()),
                row.role.as_str(),
            ];
            transaction.execute(sql, values).await?;
            Ok(())
        })
        .await?;
        Ok(CreatedKey { key, text: credential.text() })
    }

    /// A page of the keys in the order of their making, after the given one; at most 200. Revoked ones are among them.
    pub async fn keys(&self, after: Option<ApiKeyId>, limit: u32) -> Result<Vec<AccessKey>, Error> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let sql = format!("SELECT {COLUMNS} FROM access_key WHERE id > ?1 ORDER BY id LIMIT ?2");
        self.read("list keys", &sql, params![after, limit.min(PAGE_MAX)], read_key).await
    }

    /// Refuses a key from now on. A second time changes nothing.
    pub async fn revoke_key(&self, id: ApiKeyId, now: DateTime<Utc>) -> Result<(), Error> {
        self.write("revoke a key", async move |transaction| {
            let sql = "UPDATE access_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";
            let changed = transaction.execute(sql, params![id.to_string(), now.timestamp_millis()]).await?;
            if changed == 1 { Ok(()) } else { Err(Error::KeyNotFound { key: id }.into()) }
        })
        .await
    }

    async fn touch_key(&self, id: ApiKeyId, now: DateTime<Utc>) -> Result<(), Error> {
        self.write("note a key's use", async move |transaction| {
            // Many requests may find the old time at once; the first of them writes.
            let sql = "UPDATE access_key SET last_used_at = ?2 \
                       WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?2 - ?3)";
            let interval = i64::try_from(KEY_TOUCH_INTERVAL.as_millis()).unwrap_or(i64::MAX);
            transaction.execute(sql, params![id.to_string(), now.timestamp_millis(), interval]).await?;
            Ok(())
        })
        .await
    }
}

impl Tenant {
    /// Whether a key that was proven before is neither revoked nor expired.
    pub async fn key_lives(&self, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM access_key WHERE id = ?1 AND revoked_at IS NULL \
                   AND (expires_at IS NULL OR expires_at > ?2)";
        let values = params![id.to_string(), now.timestamp_millis()];
        let found = self.read_first("look for a key", sql, values, |row| Ok(row.get::<i64>(0)?)).await?;
        Ok(found.is_some())
    }
}

impl Store {
    /// The tenant and key of a text, when it is of that kind, known, not revoked and not expired.
    pub async fn authenticate_key(
        &self,
        text: &str,
        kind: KeyKind,
        now: DateTime<Utc>,
    ) -> Result<(Tenant, AccessKey), Error> {
        let credential = Credential::parse(text).ok_or(Error::InvalidKey)?;
        if credential.kind != kind.credential() {
            return Err(Error::InvalidKey);
        }
        let tenant = self.open(credential.tenant).await.map_err(|error| match error {
            Error::DatabaseMissing { .. } => Error::InvalidKey,
            other => other,
        })?;
        let sql = format!("SELECT {COLUMNS} FROM access_key WHERE id = ?1");
        let (key, hash) = tenant
            .read_first("read a key", &sql, [ApiKeyId(credential.id).to_string()], read_key_and_hash)
            .await?
            .ok_or(Error::InvalidKey)?;
        if !credential.matches(&hash) || key.kind != kind || key.revoked_at.is_some() {
            return Err(Error::InvalidKey);
        }
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::KeyExpired { key: key.id });
        }
        let interval = TimeDelta::from_std(KEY_TOUCH_INTERVAL).unwrap_or(TimeDelta::MAX);
        if key.last_used_at.is_none_or(|last| last <= now - interval) {
            // Knowing the last use is worth less than serving this one.
            if let Err(error) = tenant.touch_key(key.id, now).await {
                tracing::warn!(tenant.id = %tenant.id(), key.id = %key.id, error = &error as &dyn std::error::Error, "a key's use was not noted");
            }
        }
        Ok((tenant, key))
    }
}

fn read_key(row: &Row) -> Result<AccessKey, Fault> {
    let columns = Columns::of("access_key", row);
    Ok(AccessKey {
        id: columns.parsed(0, "id")?,
        kind: columns.parsed(1, "kind")?,
        name: columns.text(2, "name")?.to_owned(),
        role: columns.parsed(10, "role")?,
        scope: columns.text(3, "scope")?.to_owned(),
        created_by: columns.parsed_if_any(4, "created_by")?,
        created_at: columns.time(5, "created_at")?,
        expires_at: columns.time_if_any(6, "expires_at")?,
        last_used_at: columns.time_if_any(7, "last_used_at")?,
        revoked_at: columns.time_if_any(8, "revoked_at")?,
    })
}

fn read_key_and_hash(row: &Row) -> Result<(AccessKey, [u8; 32]), Fault> {
    Ok((read_key(row)?, Columns::of("access_key", row).hash(9, "secret_hash")?))
}

fn checked_scope(scope: String) -> Result<String, Error> {
    let allowed =
        (1..=SCOPE_BYTES_MAX).contains(&scope.len()) && scope.bytes().all(|b| matches!(b, b' '..=b'~'));
    if allowed {
        Ok(scope)
    } else {
        Err(Error::InvalidField { field: "scope", must: "must have 1 to 2,000 printable ASCII characters" })
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
