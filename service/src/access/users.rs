//! A tenant's people: inviting, changing, disabling them, and their teams.
//!
//! Nobody gives or takes more than it has: only an owner makes, changes or disables an owner. The last owner stays.

use domain::access::{Right, Role};
use domain::ids::{InvitationId, PartnerId, SessionId, TeamId, TenantId, UserId};
use secrecy::SecretString;
use serde_json::json;
use tenants::{Invitation, NewInvitation, NewPassword, SessionEntry, SessionLimits, Team, TeamChange, User};

use super::{Actor, Viewer, audit};
use crate::app::App;
use crate::error::Error;

/// What of a user changes; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another name.
    pub name: Option<String>,
    /// Another role, with the role partner its company.
    pub role: Option<(Role, Option<PartnerId>)>,
    /// Whether it may not sign in.
    pub disabled: Option<bool>,
}

/// Asks a person to join; the text is its way in, shown once.
pub async fn invite(
    app: &App,
    viewer: &Viewer,
    new: NewInvitation,
) -> Result<(Invitation, SecretString), Error> {
    viewer.require(Right::UsersWrite)?;
    require_manages(viewer, new.role)?;
    let (invitation, text) = app.tenants.open(viewer.tenant).await?.invite(new, app.clock.now()).await?;
    let detail = json!({ "role": invitation.role, "partner": invitation.partner });
    audit(app, viewer.tenant, viewer.actor, "user.invited", invitation.id, detail).await?;
    Ok((invitation, text))
}

/// Takes an invitation back.
pub async fn revoke_invitation(app: &App, viewer: &Viewer, id: InvitationId) -> Result<(), Error> {
    viewer.require(Right::UsersWrite)?;
    app.tenants.open(viewer.tenant).await?.revoke_invitation(id, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "invitation.revoked", id, json!({})).await?;
    Ok(())
}

/// Makes the user of whoever holds an invitation's text.
pub async fn accept_invitation(
    app: &App,
    text: &str,
    name: &str,
    password: SecretString,
) -> Result<(TenantId, User), Error> {
    let (tenant, user) = app.tenants.accept_invitation(text, name, password, app.clock.now()).await?;
    let detail = json!({ "role": user.role });
    audit(app, tenant.id(), Actor::User(user.id), "invitation.accepted", user.id, detail).await?;
    Ok((tenant.id(), user))
}

/// Changes a user. Nobody changes its own role or disables itself.
pub async fn change_user(app: &App, viewer: &Viewer, id: UserId, change: UserChange) -> Result<User, Error> {
    viewer.require(Right::UsersWrite)?;
    let store = app.tenants.open(viewer.tenant).await?;
    let known = store.user(id).await?.ok_or_else(|| Error::not_found("user", id))?;
    require_manages(viewer, known.role)?;
    if viewer.actor == Actor::User(id) && (change.role.is_some() || change.disabled == Some(true)) {
        return Err(Error::Conflict(
            "nobody changes its own role or disables itself: ask another owner".into(),
        ));
    }
    if let Some((role, partner)) = change.role {
        require_manages(viewer, role)?;
        store.set_user_role(id, role, partner).await?;
        let detail = json!({ "from": known.role, "to": role, "partner": partner });
        audit(app, viewer.tenant, viewer.actor, "user.role_changed", id, detail).await?;
    }
    if let Some(name) = change.name {
        store.set_user_name(id, &name).await?;
        audit(app, viewer.tenant, viewer.actor, "user.renamed", id, json!({})).await?;
    }
    if let Some(disabled) = change.disabled {
        store.set_user_disabled(id, disabled, app.clock.now()).await?;
        let action = if disabled { "user.disabled" } else { "user.enabled" };
        audit(app, viewer.tenant, viewer.actor, action, id, json!({})).await?;
    }
    store.user(id).await?.ok_or_else(|| Error::not_found("user", id))
}

/// Gives a user a generated password, shown once, and ends its sessions.
pub async fn reset_password(app: &App, viewer: &Viewer, id: UserId) -> Result<SecretString, Error> {
    viewer.require(Right::UsersWrite)?;
    let store = app.tenants.open(viewer.tenant).await?;
    let known = store.user(id).await?.ok_or_else(|| Error::not_found("user", id))?;
    require_manages(viewer, known.role)?;
    let password = store.set_password(id, NewPassword::Generated, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "user.password_reset", id, json!({})).await?;
    password.ok_or_else(|| Error::internal("generating a password", "none came"))
}

/// Gives a person the password that it chooses. The old one is asked for, so that an open window is not enough; every
/// session ends, so that whoever else holds one is out.
pub async fn change_own_password(
    app: &App,
    viewer: &Viewer,
    old: &SecretString,
    new: SecretString,
) -> Result<(), Error> {
    let Actor::User(id) = viewer.actor else {
        return Err(Error::Conflict("only a person has a password".into()));
    };
    let store = app.tenants.open(viewer.tenant).await?;
    let user = store.user(id).await?.ok_or_else(|| Error::not_found("user", id))?;
    store.sign_in(user.email.as_str(), old, app.clock.now()).await.map_err(|error| match error {
        tenants::Error::InvalidCredentials => Error::invalid("old", "the password so far is another one"),
        other => other.into(),
    })?;
    store.set_password(id, NewPassword::Chosen(new), app.clock.now()).await.map_err(|error| match error {
        tenants::Error::PasswordTooShort { .. } | tenants::Error::PasswordTooLong { .. } => {
            Error::invalid("new", error.to_string())
        }
        other => other.into(),
    })?;
    audit(app, viewer.tenant, viewer.actor, "user.password_changed", id, json!({})).await?;
    Ok(())
}

/// One's own running sessions, newest first.
pub async fn own_sessions(app: &App, viewer: &Viewer) -> Result<Vec<SessionEntry>, Error> {
    let Actor::User(user) = viewer.actor else { return Ok(Vec::new()) };
    let store = app.tenants.open(viewer.tenant).await?;
    Ok(store.sessions(user, SessionLimits::default(), app.clock.now()).await?)
}

/// Ends one of one's own sessions, or with none given every one but the present; says how many.
pub async fn end_own_sessions(
    app: &App,
    viewer: &Viewer,
    which: Option<SessionId>,
    present: Option<SessionId>,
) -> Result<u64, Error> {
    let Actor::User(user) = viewer.actor else { return Ok(0) };
    let (store, now) = (app.tenants.open(viewer.tenant).await?, app.clock.now());
    let ended = match which {
        Some(id) => store.revoke_session(user, id, now).await.map(|()| 1)?,
        None => store.revoke_sessions(user, present, now).await?,
    };
    audit(app, viewer.tenant, viewer.actor, "session.ended", user, json!({ "count": ended })).await?;
    Ok(ended)
}

/// Ends every session of a user: a lost laptop.
pub async fn end_sessions(app: &App, viewer: &Viewer, id: UserId) -> Result<u64, Error> {
    viewer.require(Right::UsersWrite)?;
    let store = app.tenants.open(viewer.tenant).await?;
    let known = store.user(id).await?.ok_or_else(|| Error::not_found("user", id))?;
    require_manages(viewer, known.role)?;
    let ended = store.revoke_sessions(id, None, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "session.ended", id, json!({ "count": ended })).await?;
    Ok(ended)
}

/// Makes a team.
pub async fn create_team(app: &App, viewer: &Viewer, name: &str) -> Result<Team, Error> {
    viewer.require(Right::TeamsWrite)?;
    let team = app.tenants.open(viewer.tenant).await?.create_team(name, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "team.created", team.id, json!({ "name": team.name })).await?;
    Ok(team)
}

/// Changes a team, all of it or nothing. The sources are those of the tenant that the caller has looked up.
pub async fn change_team(app: &App, viewer: &Viewer, id: TeamId, change: TeamChange) -> Result<Team, Error> {
    viewer.require(Right::TeamsWrite)?;
    let store = app.tenants.open(viewer.tenant).await?;
    let detail = json!({ "name": change.name, "members": change.members, "sources": change.sources });
    store.change_team(id, change, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "team.changed", id, detail).await?;
    let team = store.teams().await?.into_iter().find(|team| team.id == id);
    team.ok_or_else(|| Error::not_found("team", id))
}

/// Removes a team; its people stay.
pub async fn remove_team(app: &App, viewer: &Viewer, id: TeamId) -> Result<(), Error> {
    viewer.require(Right::TeamsWrite)?;
    app.tenants.open(viewer.tenant).await?.remove_team(id).await?;
    audit(app, viewer.tenant, viewer.actor, "team.removed", id, json!({})).await?;
    Ok(())
}

fn require_manages(viewer: &Viewer, role: Role) -> Result<(), Error> {
    if viewer.role.manages(role) {
        Ok(())
    } else {
        Err(Error::Forbidden(format!("the role {} does not manage the role {role}", viewer.role).into()))
    }
}
