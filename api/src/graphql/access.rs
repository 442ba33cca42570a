//! Who is signed in, signing in and out.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::access::{RIGHTS, Scope};
use domain::ids::{TenantId, UserId};
use entity::tenant;
use secrecy::{ExposeSecret, SecretString};
use service::access::{self, Actor, Viewer as Caller};
use service::database::Mode;
use service::{App, Error};
use tenants::{SessionLimits, User};

use super::error::{ApiError, UserError};
use super::operation::{Operation, operation};
use super::session::SetCookies;
use super::sources::not_loaded;
use super::wants::Selected;

/// What somebody is in a tenant; what each may do stands in docs/roles.md.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::access::Role")]
pub enum Role {
    /// Answers for the tenant.
    Owner,
    /// Runs it.
    Admin,
    /// Runs the work.
    Manager,
    /// Works with leads.
    Agent,
    /// Sees its own billing.
    Partner,
    /// A program with a key.
    Service,
}

/// Who is signed in.
pub struct Viewer {
    id: String,
    email: String,
    name: Option<String>,
    role: Role,
    rights: Vec<&'static str>,
    tenant: Option<tenant::Model>,
}

#[Object]
impl Viewer {
    async fn id(&self) -> ID {
        ID(self.id.clone())
    }

    async fn email(&self) -> &str {
        &self.email
    }

    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    async fn role(&self) -> Role {
        self.role
    }

    /// What it may do, as in `leads:read`: so that a page offers nothing that would be refused.
    async fn rights(&self) -> &[&'static str] {
        &self.rights
    }

    async fn tenant(&self) -> Result<Tenant<'_>, ApiError> {
        self.tenant.as_ref().map(Tenant).ok_or_else(|| not_loaded("Viewer.tenant"))
    }
}

/// A client whose leads Baton runs.
pub struct Tenant<'a>(&'a tenant::Model);

#[Object]
impl Tenant<'_> {
    async fn id(&self) -> ID {
        ID(TenantId(self.0.id).to_string())
    }

    async fn slug(&self) -> &str {
        &self.0.slug
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }
}

impl Viewer {
    fn of_user(user: &User, tenant: Option<tenant::Model>) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_str().to_owned(),
            name: Some(user.name.clone()),
            role: user.role.into(),
            rights: rights(user.role, &Scope::Full),
            tenant,
        }
    }

    /// A key or the operator: no person, so the id stands where a person has an address.
    fn of_program(caller: &Caller, tenant: Option<tenant::Model>) -> Self {
        let id = caller.actor.to_string();
        let rights = rights(caller.role, &caller.scope);
        Self { email: id.clone(), id, name: None, role: caller.role.into(), rights, tenant }
    }
}

fn rights(role: tenants::Role, scope: &Scope) -> Vec<&'static str> {
    let held = RIGHTS.iter().filter(|(right, roles)| roles.contains(&role) && scope.allows(*right));
    held.map(|(right, _)| right.as_str()).collect()
}

#[derive(Default)]
pub(super) struct AccessQueries;

#[Object]
impl AccessQueries {
    /// Who is signed in.
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer, ApiError> {
        let operation = operation(context)?;
        let caller = operation.viewer()?;
        let tenant = if Selected::here(context).has("tenant") {
            Some(access::own_tenant(&*operation.read().await?).await?)
        } else {
            None
        };
        match caller.actor {
            Actor::User(id) => {
                let user = user(&operation.app, caller.tenant, id).await?;
                let rights = rights(caller.role, &caller.scope);
                Ok(Viewer { rights, ..Viewer::of_user(&user, tenant) })
            }
            Actor::Key(_) | Actor::Operator | Actor::Schedule => Ok(Viewer::of_program(caller, tenant)),
        }
    }
}

async fn user(app: &App, tenant: TenantId, id: UserId) -> Result<User, Error> {
    let user = app.tenants.open(tenant).await?.user(id).await?;
    user.ok_or_else(|| Error::Unauthenticated("this user does not exist any more: sign in again".into()))
}

#[derive(InputObject)]
struct SignInInput {
    tenant: String,
    email: String,
    password: String,
    /// For a program without cookies: answers a refresh token, for /t/{tenant}/oauth/token, and sets no cookie.
    #[graphql(default)]
    refresh_token: bool,
}

/// Expected outcomes are data: exactly one of viewer and error is there.
#[derive(Default, SimpleObject)]
struct SignInPayload {
    viewer: Option<Viewer>,
    access_token: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    csrf_token: Option<String>,
    /// When it was asked for.
    refresh_token: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SignOutPayload {
    ok: bool,
}

#[derive(Default)]
pub(super) struct AccessMutations;

#[Object]
impl AccessMutations {
    /// Without a session: answers an access token and, for a browser, sets the session cookie.
    #[graphql(complexity = "2000 + child_complexity")]
    async fn sign_in(&self, context: &Context<'_>, input: SignInInput) -> Result<SignInPayload, ApiError> {
        let operation = operation(context)?;
        let password = SecretString::from(input.password);
        let address = operation.identity.origin.address.as_deref();
        match access::sign_in(&operation.app, &input.tenant, &input.email, &password, address).await {
            Ok((tenant, user)) => signed_in(operation, tenant, &user, input.refresh_token).await,
            Err(Error::Unauthenticated(message)) => Ok(refused("INVALID_CREDENTIALS", message.into_owned())),
            Err(Error::Limit(message)) => Ok(refused("LIMIT_EXCEEDED", message.into_owned())),
            Err(other) => Err(other.into()),
        }
    }

    async fn sign_out(&self, context: &Context<'_>) -> Result<SignOutPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        if let (Some(session), Actor::User(user)) = (operation.identity.session, viewer.actor) {
            let app = &operation.app;
            let tenant = app.tenants.open(viewer.tenant).await.map_err(Error::from)?;
            tenant.revoke_session(user, session, app.clock.now()).await.map_err(Error::from)?;
        }
        if let Some(cookies) = &operation.identity.cookies {
            cookies.put(SetCookies::Clear);
        }
        Ok(SignOutPayload { ok: true })
    }
}

fn refused(code: &str, message: String) -> SignInPayload {
    SignInPayload { error: Some(UserError::new(None, code, message)), ..SignInPayload::default() }
}

async fn signed_in(
    operation: &Operation,
    tenant: TenantId,
    user: &User,
    refreshable: bool,
) -> Result<SignInPayload, ApiError> {
    let (app, now) = (&operation.app, operation.app.clock.now());
    let store = app.tenants.open(tenant).await.map_err(Error::from)?;
    let token = app.tokens.issue(&store, user, now).await.map_err(Error::from)?;
    let (mut csrf_token, mut refresh_token) = (None, None);
    let begin = || {
        store.start_session_from(user.id, operation.identity.origin.clone(), SessionLimits::default(), now)
    };
    if refreshable {
        let session = begin().await.map_err(Error::from)?.session.id;
        let text = store.start_refreshing(session, now).await.map_err(Error::from)?;
        refresh_token = Some(text.expose_secret().to_owned());
    } else if let Some(cookies) = &operation.identity.cookies {
        let started = begin().await.map_err(Error::from)?;
        csrf_token = Some(started.session.csrf().expose_secret().to_owned());
        cookies.put(SetCookies::start(started, now));
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let own = access::own_tenant(&tx).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(SignInPayload {
        viewer: Some(Viewer::of_user(user, Some(own))),
        access_token: Some(token.text.expose_secret().to_owned()),
        expires_at: Some(token.expires_at),
        csrf_token,
        refresh_token,
        error: None,
    })
}
