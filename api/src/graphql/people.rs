//! A tenant's people: users, invitations, teams.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{InvitationId, PartnerId, SourceId, TeamId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use service::Error;
use service::access::{self, AGENTS_SEE_THEIR_TEAMS_ONLY, users};
use tenants::NewInvitation;

use super::access::Role;
use super::error::{ApiError, UserError, expected};
use super::id::{Id, each};
use super::operation::operation;

/// The most users that one list shows; a tenant with more uses the command line.
const USERS_MAX: usize = 1000;

/// A person or service that signs in.
#[derive(SimpleObject)]
pub struct User {
    id: ID,
    email: String,
    name: String,
    role: Role,
    /// Of role PARTNER: the company whose billing it sees.
    partner_id: Option<ID>,
    created_at: DateTime<Utc>,
    last_sign_in_at: Option<DateTime<Utc>>,
    /// Since when it may not sign in.
    disabled_at: Option<DateTime<Utc>>,
}

impl From<tenants::User> for User {
    fn from(user: tenants::User) -> Self {
        Self {
            id: ID(user.id.to_string()),
            email: user.email.as_str().to_owned(),
            name: user.name,
            role: user.role.into(),
            partner_id: user.partner.map(|partner| ID(partner.to_string())),
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
            disabled_at: user.disabled_at,
        }
    }
}

/// A person who was asked to join.
#[derive(SimpleObject)]
pub struct Invitation {
    id: ID,
    email: String,
    role: Role,
    partner_id: Option<ID>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<tenants::Invitation> for Invitation {
    fn from(invitation: tenants::Invitation) -> Self {
        Self {
            id: ID(invitation.id.to_string()),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.into(),
            partner_id: invitation.partner.map(|partner| ID(partner.to_string())),
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}

/// People who work together, and the sources whose leads they work with.
#[derive(SimpleObject)]
pub struct Team {
    id: ID,
    name: String,
    created_at: DateTime<Utc>,
    member_ids: Vec<ID>,
    source_ids: Vec<ID>,
}

impl From<tenants::Team> for Team {
    fn from(team: tenants::Team) -> Self {
        Self {
            id: ID(team.id.to_string()),
            name: team.name,
            created_at: team.created_at,
            member_ids: team.members.iter().map(|user| ID(user.to_string())).collect(),
            source_ids: team.sources.iter().map(|source| ID(source.to_string())).collect(),
        }
    }
}

/// Who sees what, as the tenant has set it.
#[derive(SimpleObject)]
pub struct AccessSettings {
    /// Agents see the leads of their teams' sources only.
    agents_see_their_teams_only: bool,
}

#[derive(Default)]
pub(super) struct PeopleQueries;

#[Object]
impl PeopleQueries {
    /// The tenant's users in the order of their making, at most 1,000.
    #[graphql(complexity = "100 * child_complexity")]
    async fn users(&self, context: &Context<'_>) -> Result<Vec<User>, ApiError> {
        let operation = operation(context)?;
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        let mut users: Vec<tenants::User> = Vec::new();
        while users.len() < USERS_MAX {
            let page = store.users(users.last().map(|user| user.id), 200).await.map_err(Error::from)?;
            if page.is_empty() {
                break;
            }
            users.extend(page);
        }
        Ok(users.into_iter().map(User::from).collect())
    }

    /// Invitations that can still be accepted, newest first, at most 200.
    #[graphql(complexity = "50 * child_complexity")]
    async fn invitations(&self, context: &Context<'_>) -> Result<Vec<Invitation>, ApiError> {
        let operation = operation(context)?;
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        let open = store.open_invitations(operation.app.clock.now()).await.map_err(Error::from)?;
        Ok(open.into_iter().map(Invitation::from).collect())
    }

    /// The tenant's teams by name, at most 200.
    #[graphql(complexity = "50 * child_complexity")]
    async fn teams(&self, context: &Context<'_>) -> Result<Vec<Team>, ApiError> {
        let operation = operation(context)?;
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        Ok(store.teams().await.map_err(Error::from)?.into_iter().map(Team::from).collect())
    }

    /// Who sees what, as the tenant has set it.
    async fn access_settings(&self, context: &Context<'_>) -> Result<AccessSettings, ApiError> {
        let operation = operation(context)?;
        let store = operation.app.tenants.open(operation.viewer()?.tenant).await.map_err(Error::from)?;
        let narrowed = store.setting(AGENTS_SEE_THEIR_TEAMS_ONLY).await.map_err(Error::from)?;
        Ok(AccessSettings { agents_see_their_teams_only: narrowed.unwrap_or(false) })
    }
}

#[derive(InputObject)]
struct InviteUserInput {
    email: String,
    role: Role,
    /// With the role PARTNER: the company whose billing it will see.
    partner_id: Option<Id<PartnerId>>,
}

#[derive(Default, SimpleObject)]
struct InviteUserPayload {
    invitation: Option<Invitation>,
    /// The way in, for a link; shown once.
    token: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RevokeInvitationPayload {
    error: Option<UserError>,
}

#[derive(InputObject)]
struct AcceptInvitationInput {
    token: String,
    name: String,
    password: String,
}

/// The person is a user now and signs in with its address and password.
#[derive(Default, SimpleObject)]
struct AcceptInvitationPayload {
    tenant: Option<String>,
    email: Option<String>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct UpdateUserInput {
    id: Id<UserId>,
    name: Option<String>,
    role: Option<Role>,
    /// With the role PARTNER: the company whose billing it sees.
    partner_id: Option<Id<PartnerId>>,
    disabled: Option<bool>,
}

#[derive(Default, SimpleObject)]
struct UpdateUserPayload {
    user: Option<User>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct ResetPasswordPayload {
    /// Shown once.
    password: Option<String>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct UpdateTeamInput {
    id: Id<TeamId>,
    name: Option<String>,
    /// Exactly these members.
    member_ids: Option<Vec<Id<UserId>>>,
    /// Exactly these sources.
    source_ids: Option<Vec<Id<SourceId>>>,
}

#[derive(Default, SimpleObject)]
struct TeamPayload {
    team: Option<Team>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RemoveTeamPayload {
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct UpdateAccessSettingsPayload {
    settings: AccessSettings,
}

#[derive(Default)]
pub(super) struct PeopleMutations;

#[Object]
impl PeopleMutations {
    /// Asks a person to join.
    async fn invite_user(
        &self,
        context: &Context<'_>,
        input: InviteUserInput,
    ) -> Result<InviteUserPayload, ApiError> {
        let operation = operation(context)?;
        let new = NewInvitation {
            email: input.email,
            role: input.role.into(),
            partner: input.partner_id.map(|id| id.0),
            invited_by: operation.viewer()?.user_id(),
        };
        Ok(match expected(users::invite(&operation.app, operation.viewer()?, new).await)? {
            Ok((invitation, token)) => InviteUserPayload {
                invitation: Some(invitation.into()),
                token: Some(token.expose_secret().to_owned()),
                error: None,
            },
            Err(error) => InviteUserPayload { error: Some(error), ..InviteUserPayload::default() },
        })
    }

    async fn revoke_invitation(
        &self,
        context: &Context<'_>,
        id: Id<InvitationId>,
    ) -> Result<RevokeInvitationPayload, ApiError> {
        let operation = operation(context)?;
        let done = users::revoke_invitation(&operation.app, operation.viewer()?, id.0).await;
        Ok(RevokeInvitationPayload { error: expected(done)?.err() })
    }

    /// Without a session: the token of the invitation proves the person.
    #[graphql(complexity = "2000 + child_complexity")]
    async fn accept_invitation(
        &self,
        context: &Context<'_>,
        input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload, ApiError> {
        let app = &operation(context)?.app;
        let password = SecretString::from(input.password);
        Ok(match expected(users::accept_invitation(app, &input.token, &input.name, password).await)? {
            Ok((tenant, user)) => {
                let tx = app.begin(tenant, service::database::Mode::ReadOnly).await?;
                let own = access::own_tenant(&tx).await?;
                AcceptInvitationPayload {
                    tenant: Some(own.slug),
                    email: Some(user.email.as_str().to_owned()),
                    error: None,
                }
            }
            Err(error) => {
                AcceptInvitationPayload { error: Some(error), ..AcceptInvitationPayload::default() }
            }
        })
    }

    /// What is absent stays as it is. Nobody changes its own role or disables itself.
    async fn update_user(
        &self,
        context: &Context<'_>,
        input: UpdateUserInput,
    ) -> Result<UpdateUserPayload, ApiError> {
        let operation = operation(context)?;
        let change = users::UserChange {
            name: input.name,
            role: input.role.map(|role| (role.into(), input.partner_id.map(|id| id.0))),
            disabled: input.disabled,
        };
        Ok(
            match expected(users::change_user(&operation.app, operation.viewer()?, input.id.0, change).await)?
            {
                Ok(user) => UpdateUserPayload { user: Some(user.into()), error: None },
                Err(error) => UpdateUserPayload { user: None, error: Some(error) },
            },
        )
    }

    /// Gives a user a new password and ends its sessions.
    #[graphql(complexity = "2000 + child_complexity")]
    async fn reset_password(
        &self,
        context: &Context<'_>,
        user: Id<UserId>,
    ) -> Result<ResetPasswordPayload, ApiError> {
        let operation = operation(context)?;
        let done = users::reset_password(&operation.app, operation.viewer()?, user.0).await;
        Ok(match expected(done)? {
            Ok(password) => {
                ResetPasswordPayload { password: Some(password.expose_secret().to_owned()), error: None }
            }
            Err(error) => ResetPasswordPayload { password: None, error: Some(error) },
        })
    }

    async fn create_team(&self, context: &Context<'_>, name: String) -> Result<TeamPayload, ApiError> {
        let operation = operation(context)?;
        Ok(team(expected(users::create_team(&operation.app, operation.viewer()?, &name).await)?))
    }

    /// Lists replace those before.
    async fn update_team(
        &self,
        context: &Context<'_>,
        input: UpdateTeamInput,
    ) -> Result<TeamPayload, ApiError> {
        let operation = operation(context)?;
        if let Some(sources) = &input.source_ids {
            let wanted: Vec<SourceId> = each(Some(sources));
            let known = service::intake::listing::sources_by_ids(&*operation.read().await?, &wanted).await?;
            operation.finish_reads().await;
            if let Some(unknown) = wanted.iter().find(|id| !known.iter().any(|row| row.id == id.uuid())) {
                let error = expected::<()>(Err(Error::not_found("source", *unknown)))?.err();
                return Ok(TeamPayload { team: None, error });
            }
        }
        let change = tenants::TeamChange {
            name: input.name,
            members: input.member_ids.map(|ids| each(Some(&ids))),
            sources: input.source_ids.map(|ids| each(Some(&ids))),
        };
        Ok(team(expected(users::change_team(&operation.app, operation.viewer()?, input.id.0, change).await)?))
    }

    /// Its people stay.
    async fn remove_team(
        &self,
        context: &Context<'_>,
        id: Id<TeamId>,
    ) -> Result<RemoveTeamPayload, ApiError> {
        let operation = operation(context)?;
        let done = users::remove_team(&operation.app, operation.viewer()?, id.0).await;
        Ok(RemoveTeamPayload { error: expected(done)?.err() })
    }

    async fn update_access_settings(
        &self,
        context: &Context<'_>,
        agents_see_their_teams_only: bool,
    ) -> Result<UpdateAccessSettingsPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let store = operation.app.tenants.open(viewer.tenant).await.map_err(Error::from)?;
        store
            .set_setting(AGENTS_SEE_THEIR_TEAMS_ONLY, Some(&agents_see_their_teams_only))
            .await
            .map_err(Error::from)?;
        let detail = json!({ AGENTS_SEE_THEIR_TEAMS_ONLY: agents_see_their_teams_only });
        let (app, tenant) = (&operation.app, viewer.tenant);
        access::audit(app, tenant, viewer.actor, "access.settings_changed", tenant, detail).await?;
        Ok(UpdateAccessSettingsPayload { settings: AccessSettings { agents_see_their_teams_only } })
    }
}

fn team(outcome: Result<tenants::Team, UserError>) -> TeamPayload {
    match outcome {
        Ok(team) => TeamPayload { team: Some(team.into()), error: None },
        Err(error) => TeamPayload { team: None, error: Some(error) },
    }
}
