//! Programs: API keys, OAuth clients, and the tokens that either gets.

use chrono::{DateTime, TimeDelta, Utc};
use domain::access::{Right, Role, Scope};
use domain::ids::{ApiKeyId, TenantId};
use secrecy::SecretString;
use serde_json::json;
use tenants::{AccessKey, AccessToken, KeyKind, NewKey, Refreshed, SessionLimits, SigningKey};

use super::{Actor, Viewer, audit};
use crate::app::App;
use crate::error::Error;

/// How long a key lives when nobody says otherwise.
pub const KEY_LIFETIME: TimeDelta = TimeDelta::days(365);

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// A name for people.
    pub name: String,
    /// Whose rights it has at most.
    pub role: Role,
    /// What of them.
    pub scope: Scope,
    /// An OAuth client, which exchanges its secret for access tokens, instead of a key that is sent with each request.
    pub oauth_client: bool,
    /// From when on it is refused; in a year when absent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key that can do no more than whoever makes it; its text is shown once.
pub async fn create_key(
    app: &App,
    viewer: &Viewer,
    new: NewApiKey,
) -> Result<(AccessKey, SecretString), Error> {
    viewer.require(Right::KeysWrite)?;
    if new.role == Role::Partner || !viewer.role.manages(new.role) {
        return Err(Error::invalid("role", "a key's role is service, or one that your own role manages"));
    }
    if let Some(right) = new.scope.beyond(new.role) {
        return Err(Error::invalid("scope", format!("the role {} does not include {right}", new.role)));
    }
    if !new.scope.is_within(&viewer.scope) {
        return Err(Error::invalid(
            "scope",
            "a key's scope must lie within that of the credential that makes it",
        ));
    }
    let now = app.clock.now();
    let expires_at = new.expires_at.unwrap_or(now + KEY_LIFETIME);
    if expires_at <= now {
        return Err(Error::invalid("expires_at", "a key must expire in the future"));
    }
    let key = NewKey {
        kind: if new.oauth_client { KeyKind::Client } else { KeyKind::Api },
        name: new.name,
        role: new.role,
        scope: new.scope.to_string(),
        created_by: viewer.user_id(),
        expires_at: Some(expires_at),
    };
    let created = app.tenants.open(viewer.tenant).await?.create_key(key, now).await?;
    let key = created.key;
    let detail = json!({ "name": key.name, "role": key.role, "scope": key.scope, "kind": key.kind.as_str() });
    audit(app, viewer.tenant, viewer.actor, "key.created", key.id, detail).await?;
    Ok((key, created.text))
}

/// Refuses a key from now on; tokens that an OAuth client holds live until they expire, at most 15 minutes.
pub async fn revoke_key(app: &App, viewer: &Viewer, id: ApiKeyId) -> Result<(), Error> {
    viewer.require(Right::KeysWrite)?;
    app.tenants.open(viewer.tenant).await?.revoke_key(id, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "key.revoked", id, json!({})).await?;
    Ok(())
}

/// Another key signs from now on; the old one verifies until its last token has expired.
pub async fn rotate_signing_key(app: &App, viewer: &Viewer) -> Result<SigningKey, Error> {
    viewer.require(Right::KeysWrite)?;
    let key = app.tenants.open(viewer.tenant).await?.rotate_signing_key(app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "signing_key.rotated", &key.kid, json!({})).await?;
    Ok(key)
}

/// An access token for an OAuth client that proves its secret (RFC 6749, section 4.4), for the scope that it asks for or
/// all of its own.
pub async fn client_token(
    app: &App,
    tenant: TenantId,
    client: &str,
    secret: &str,
    wanted: Option<&str>,
) -> Result<(AccessToken, Scope), Error> {
    let now = app.clock.now();
    let refused = || Error::Unauthenticated("client id or client secret is wrong".into());
    let (store, key) =
        app.tenants.authenticate_key(secret, KeyKind::Client, now).await.map_err(|error| match error {
            tenants::Error::InvalidKey => refused(),
            other => other.into(),
        })?;
    super::refuse_suspended(&store).await?;
    if store.id() != tenant || key.id.to_string() != client {
        return Err(refused());
    }
    let own: Scope =
        key.scope.parse().map_err(|_| Error::internal("reading a key's scope", key.id.to_string()))?;
    let scope = match wanted.map(str::trim).filter(|text| !text.is_empty()) {
        None => own,
        Some(text) => {
            let scope: Scope = text
                .parse()
                .map_err(|error: domain::access::UnknownRight| Error::invalid("scope", error.to_string()))?;
            if !scope.is_within(&own) {
                return Err(Error::invalid("scope", "the client's own scope does not include all of this"));
            }
            scope
        }
    };
    Ok((app.tokens.issue_for_key(&store, &key, scope.clone(), now).await?, scope))
}

/// The next tokens of a program that stays signed in. A refresh token that was used before ends its session, and the
/// audit log says so.
pub async fn refresh(app: &App, tenant: TenantId, token: &str) -> Result<(AccessToken, Refreshed), Error> {
    let now = app.clock.now();
    super::refuse_suspended(&app.tenants.open(tenant).await?).await?;
    match app.tenants.refresh(tenant, token, SessionLimits::default(), now).await {
        Ok(refreshed) => {
            let access = app.tokens.issue(&refreshed.tenant, &refreshed.user, now).await?;
            Ok((access, refreshed))
        }
        Err(error) => {
            if let tenants::Error::RefreshReused { tenant, session } = error {
                let detail = json!({ "reason": "a refresh token was used twice" });
                audit(app, tenant, Actor::Operator, "session.revoked", session, detail).await?;
            }
            Err(error.into())
        }
    }
}
