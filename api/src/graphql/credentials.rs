//! What people and programs hold: API keys and OAuth clients, sessions, passwords, signing keys; and the audit log.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::access::{Right, Scope};
use domain::ids::{ApiKeyId, SessionId, UserId};
use secrecy::{ExposeSecret, SecretString};
use service::Error;
use service::access::{keys, users};
use tenants::{AuditFilter, KeyKind};

use super::access::Role;
use super::error::{ApiError, UserError, expected};
use super::id::Id;
use super::operation::operation;
use super::page::page_cost;

/// The most keys that one list shows.
const KEYS_MAX: usize = 1000;
/// The most lines of one page of the audit log.
const LINES_MAX: i32 = 100;

/// What a key is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ApiKeyKind {
    /// Sent with each request.
    Api,
    /// An OAuth client: its secret is exchanged for access tokens.
    Client,
    /// Sends records to one source.
    Source,
}

impl From<KeyKind> for ApiKeyKind {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Api => Self::Api,
            KeyKind::Client => Self::Client,
            KeyKind::Source => Self::Source,
        }
    }
}

/// A key as it is known after it was shown; of kind CLIENT its id is the client id.
#[derive(SimpleObject)]
pub struct ApiKey {
    id: ID,
    kind: ApiKeyKind,
    name: String,
    /// Whose rights it has at most.
    role: Role,
    /// What of them, as in `leads:read`; `*` for all. Of kind SOURCE: the one source.
    scopes: Vec<String>,
    created_by: Option<ID>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// Exact to a minute.
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<tenants::AccessKey> for ApiKey {
    fn from(key: tenants::AccessKey) -> Self {
        Self {
            id: ID(key.id.to_string()),
            kind: key.kind.into(),
            name: key.name,
            role: key.role.into(),
            scopes: key.scope.split(' ').map(str::to_owned).collect(),
            created_by: key.created_by.map(|user| ID(user.to_string())),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A browser or program that is signed in as the viewer.
#[derive(SimpleObject)]
pub struct Session {
    id: ID,
    /// Whether it is the one that asks.
    present: bool,
    /// How it began: password, or a provider's name.
    method: String,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: DateTime<Utc>,
    /// Exact to a minute.
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// A line of the audit log.
#[derive(SimpleObject)]
pub struct AuditEntry {
    id: ID,
    /// Its place in the log, from 1, without gaps.
    number: i64,
    at: DateTime<Utc>,
    /// A user's, key's or client's id, or `operator`.
    actor: String,
    /// As in `user.invited`.
    action: String,
    subject: String,
    address: Option<String>,
    detail: serde_json::Value,
}

/// A page of the audit log.
#[derive(SimpleObject)]
pub struct AuditLog {
    entries: Vec<AuditEntry>,
    /// What to give as `before` for the next page; null when this is the last.
    next_before: Option<i64>,
}

/// Which lines.
#[derive(Default, InputObject)]
struct AuditLogFilter {
    actor: Option<String>,
    /// The beginning of an action, as in `user.`.
    action: Option<String>,
    subject: Option<String>,
    since: Option<DateTime<Utc>>,
}

#[derive(Default)]
pub(super) struct CredentialQueries;

#[Object]
impl CredentialQueries {
    /// Keys of every kind in the order of their making, revoked ones too, at most 1,000.
    #[graphql(complexity = "100 * child_complexity")]
    async fn api_keys(&self, context: &Context<'_>) -> Result<Vec<ApiKey>, ApiError> {
        let operation = operation(context)?;
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        let mut found: Vec<tenants::AccessKey> = Vec::new();
        while found.len() < KEYS_MAX {
            let page = store.keys(found.last().map(|key| key.id), 200).await.map_err(Error::from)?;
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        Ok(found.into_iter().map(ApiKey::from).collect())
    }

    /// The viewer's own sessions, newest first.
    #[graphql(complexity = "50 * child_complexity")]
    async fn sessions(&self, context: &Context<'_>) -> Result<Vec<Session>, ApiError> {
        let operation = operation(context)?;
        let sessions = users::own_sessions(&operation.app, operation.viewer()?).await?;
        let present = operation.identity.session;
        let shown = sessions.into_iter().map(|session| Session {
            present: present == Some(session.id),
            id: ID(session.id.to_string()),
            method: session.origin.method,
            address: session.origin.address,
            user_agent: session.origin.user_agent,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        });
        Ok(shown.collect())
    }

    /// What was done, newest first. `before` is the place that the page before ended at.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        before: Option<i64>,
        filter: Option<AuditLogFilter>,
    ) -> Result<AuditLog, ApiError> {
        let operation = operation(context)?;
        let first = first.unwrap_or(25);
        if !(1..=LINES_MAX).contains(&first) {
            return Err(ApiError::limit(format!("`first` is {first}; a page has 1 to {LINES_MAX} lines")));
        }
        let filter = filter.unwrap_or_default();
        let filter = AuditFilter {
            actor: filter.actor,
            action: filter.action,
            subject: filter.subject,
            since: filter.since,
            before,
        };
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        let rows = u32::try_from(first).unwrap_or(0);
        let mut entries = store.audit_entries(filter, rows + 1).await.map_err(Error::from)?;
        let more = entries.len() > rows as usize;
        entries.truncate(rows as usize);
        let next_before = entries.last().filter(|_| more).map(|entry| entry.number);
        let shown = entries.into_iter().map(|entry| AuditEntry {
            id: ID(entry.id.to_string()),
            number: entry.number,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            address: entry.address,
            detail: entry.detail,
        });
        Ok(AuditLog { entries: shown.collect(), next_before })
    }
}

#[derive(InputObject)]
struct CreateApiKeyInput {
    name: String,
    /// Whose rights it has at most.
    #[graphql(default_with = "Role::Service")]
    role: Role,
    /// What of them, as in `leads:read`; `*` for all.
    scopes: Vec<String>,
    /// An OAuth client instead of a key that is sent with each request.
    #[graphql(default)]
    oauth_client: bool,
    /// In a year when absent.
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Default, SimpleObject)]
struct CreateApiKeyPayload {
    key: Option<ApiKey>,
    /// Shown once.
    secret: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RevokeApiKeyPayload {
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RotateSigningKeyPayload {
    /// The id of the key that signs from now on.
    kid: String,
}

#[derive(SimpleObject)]
struct EndSessionsPayload {
    ended: i64,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct ChangePasswordPayload {
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct CredentialMutations;

#[Object]
impl CredentialMutations {
    /// A key can do no more than whoever makes it.
    async fn create_api_key(
        &self,
        context: &Context<'_>,
        input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload, ApiError> {
        let operation = operation(context)?;
        let scope = match input.scopes.join(" ").parse::<Scope>() {
            Ok(Scope::Only(rights)) if rights.is_empty() => {
                return Err(ApiError::invalid(
                    "scopes",
                    "name at least one right, as in `leads:read`, or `*`",
                ));
            }
            Ok(scope) => scope,
            Err(unknown) => return Err(ApiError::invalid("scopes", unknown.to_string())),
        };
        let new = keys::NewApiKey {
            name: input.name,
            role: input.role.into(),
            scope,
            oauth_client: input.oauth_client,
            expires_at: input.expires_at,
        };
        Ok(match expected(keys::create_key(&operation.app, operation.viewer()?, new).await)? {
            Ok((key, secret)) => CreateApiKeyPayload {
                key: Some(key.into()),
                secret: Some(secret.expose_secret().to_owned()),
                error: None,
            },
            Err(error) => CreateApiKeyPayload { error: Some(error), ..CreateApiKeyPayload::default() },
        })
    }

    /// Refused from now on; access tokens of a client live until they expire, at most 15 minutes.
    async fn revoke_api_key(
        &self,
        context: &Context<'_>,
        id: Id<ApiKeyId>,
    ) -> Result<RevokeApiKeyPayload, ApiError> {
        let operation = operation(context)?;
        let done = keys::revoke_key(&operation.app, operation.viewer()?, id.0).await;
        Ok(RevokeApiKeyPayload { error: expected(done)?.err() })
    }

    /// Another key signs access tokens; the old one verifies until its last token has expired.
    async fn rotate_signing_key(&self, context: &Context<'_>) -> Result<RotateSigningKeyPayload, ApiError> {
        let operation = operation(context)?;
        let key = keys::rotate_signing_key(&operation.app, operation.viewer()?).await?;
        Ok(RotateSigningKeyPayload { kid: key.kid })
    }

    /// Ends one of the viewer's own sessions, or with none given every one but the present. With `user`, an administrator
    /// ends all of that user's.
    async fn end_sessions(
        &self,
        context: &Context<'_>,
        id: Option<Id<SessionId>>,
        user: Option<Id<UserId>>,
    ) -> Result<EndSessionsPayload, ApiError> {
        let operation = operation(context)?;
        let (app, viewer) = (&operation.app, operation.viewer()?);
        let ended = match user {
            Some(user) => {
                viewer.require(Right::UsersWrite)?;
                users::end_sessions(app, viewer, user.0).await
            }
            None => users::end_own_sessions(app, viewer, id.map(|id| id.0), operation.identity.session).await,
        };
        Ok(match expected(ended)? {
            Ok(ended) => EndSessionsPayload { ended: i64::try_from(ended).unwrap_or(i64::MAX), error: None },
            Err(error) => EndSessionsPayload { ended: 0, error: Some(error) },
        })
    }

    /// Ends every session: the person signs in again with the new password.
    #[graphql(complexity = "4000 + child_complexity")]
    async fn change_password(
        &self,
        context: &Context<'_>,
        old: String,
        new: String,
    ) -> Result<ChangePasswordPayload, ApiError> {
        let operation = operation(context)?;
        let (old, new) = (SecretString::from(old), SecretString::from(new));
        let done = users::change_own_password(&operation.app, operation.viewer()?, &old, new).await;
        Ok(ChangePasswordPayload { error: expected(done)?.err() })
    }
}
