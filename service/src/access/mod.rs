//! Access: tenants, who calls, what they may do.
//!
//! A tenant is a row in the shared Postgres and a libSQL database of its own for its users, keys
//! and sessions. The two share no transaction: the database is made first, the row makes it known.
//! What a caller may do follows from its role and its credential's scope ([`Viewer::require`]); the table is
//! [`domain::access::RIGHTS`]. What an administrator does is written to the audit log ([`mod@audit`]).
//! Signing in with a provider: [`oauth`]; pages inside a CRM: [`links`].

use chrono::{DateTime, Utc};
use domain::access::{Role, Scope};
use domain::ids::{SessionId, SourceId, TenantId, UserId};
use entity::{Tenanted, tenant};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, FromQueryResult};
use secrecy::SecretString;
use tenants::{AccessKey, KeyKind, Session, SessionLimits, User};

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::{check_slug, display};

mod audit;
pub mod embedding;
mod faults;
pub mod framed;
pub mod frames;
pub mod keys;
pub mod life;
pub mod links;
pub mod oauth;
pub mod users;
mod viewer;

pub use audit::{audit, audit_from};
pub use viewer::{Actor, Viewer};

/// What a tenant is made of.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Short name in addresses and commands.
    pub slug: String,
    /// As people see it; the slug when absent.
    pub name: Option<String>,
    /// An IANA name; UTC when absent.
    pub time_zone: Option<String>,
}

/// Makes a tenant: its database, then its row.
pub async fn create_tenant(app: &App, new: NewTenant) -> Result<tenant::Model, Error> {
    create_tenant_of_id(app, TenantId(app.ids.next(app.clock.now())), new).await
}

/// The same with that id: its database was made at a server beforehand, which is found by the id.
pub async fn create_tenant_of_id(app: &App, id: TenantId, new: NewTenant) -> Result<tenant::Model, Error> {
    check_slug(&new.slug)?;
    let name = display(new.name, &new.slug)?;
    if tenant_of_slug(app, &new.slug).await?.is_some() {
        return Err(taken(&new.slug));
    }
    let time_zone = new.time_zone.unwrap_or_else(|| "UTC".to_owned());
    if time_zone.parse::<chrono_tz::Tz>().is_err() {
        return Err(Error::invalid("time_zone", "the time zone must be an IANA name such as America/Denver"));
    }
    let now = app.clock.now();
    app.tenants.create(id).await?;
    let tx = app.begin(id, Mode::ReadWrite).await?;
    let row = tenant::ActiveModel {
        id: Set(id.uuid()),
        name: Set(name),
        slug: Set(new.slug.clone()),
        time_zone: Set(time_zone),
        created_at: Set(now),
        suspended_at: Set(None),
    };
    let row = row
        .insert(&tx)
        .await
        .map_err(|error| if is_taken(&error, "tenant_slug_key") { taken(&new.slug) } else { error.into() })?;
    tx.commit().await?;
    Ok(row)
}

fn taken(slug: &str) -> Error {
    Error::Conflict(format!("there is a tenant `{slug}` already").into())
}

/// The tenant of that slug, before anybody has signed in.
pub async fn tenant_of_slug(app: &App, slug: &str) -> Result<Option<TenantId>, Error> {
    let id: Option<uuid::Uuid> =
        sqlx::query_scalar("SELECT tenant_of_slug($1)").bind(slug).fetch_one(&app.database.app).await?;
    Ok(id.map(TenantId))
}

/// The tenant of that slug, or an error that names it.
pub async fn tenant(app: &App, slug: &str) -> Result<TenantId, Error> {
    tenant_of_slug(app, slug).await?.ok_or_else(|| Error::not_found("tenant", slug))
}

/// The row of the transaction's tenant.
pub async fn own_tenant(tx: &TenantTx) -> Result<tenant::Model, Error> {
    tenant::Entity::of(tx.tenant())
        .one(tx)
        .await?
        .ok_or_else(|| Error::internal("reading the tenant's row", format!("{} has none", tx.tenant())))
}

/// All tenants by slug: the operator's view, with the owner's role.
pub async fn list_tenants(app: &App) -> Result<Vec<tenant::Model>, Error> {
    let owner = app.database.owner.as_ref().ok_or_else(|| {
        Error::Forbidden("listing tenants needs the owner of the tables: set DATABASE_URL".into())
    })?;
    let rows = sqlx::query("SELECT * FROM tenant ORDER BY slug").fetch_all(owner).await?;
    rows.into_iter().map(|row| Ok(tenant::Model::from_query_result(&row.into(), "")?)).collect()
}

/// The person of that tenant, e-mail and password. An unknown tenant is answered like a wrong password.
pub async fn sign_in(
    app: &App,
    slug: &str,
    email: &str,
    password: &SecretString,
    address: Option<&str>,
) -> Result<(TenantId, User), Error> {
    let Some(tenant) = tenant_of_slug(app, slug).await? else {
        return Err(app.tenants.refuse_sign_in(password).await.into());
    };
    let database = app.tenants.open(tenant).await?;
    refuse_suspended(&database).await?;
    Ok((tenant, database.sign_in_from(email, password, address, app.clock.now()).await?))
}

/// Refuses whoever proves itself for a tenant that is suspended.
pub(crate) async fn refuse_suspended(tenant: &tenants::Tenant) -> Result<(), Error> {
    match tenant.is_suspended().await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Forbidden("this tenant is suspended: ask the operator".into())),
        // Another process has just erased it: its credentials are like any that nobody has made.
        Err(tenants::Error::DatabaseMissing { .. }) => {
            Err(Error::Unauthenticated("the credential is not valid".into()))
        }
        Err(other) => Err(other.into()),
    }
}

/// Refuses a caller that was proven before and may not come in any more: for what goes on for hours, as a subscription does.
pub async fn require_still(app: &App, viewer: &Viewer, session: Option<SessionId>) -> Result<(), Error> {
    let over = || Error::Unauthenticated("the credential is not valid any more".into());
    let tenant = match app.tenants.open(viewer.tenant).await {
        Err(tenants::Error::DatabaseMissing { .. }) => return Err(over()),
        opened => opened?,
    };
    refuse_suspended(&tenant).await?;
    let now = app.clock.now();
    let lives = match viewer.actor {
        Actor::User(id) => {
            tenant.user(id).await?.is_some_and(|user| user.disabled_at.is_none() && user.role == viewer.role)
        }
        Actor::Key(id) => tenant.key_lives(id, now).await?,
        Actor::Operator | Actor::Schedule => true,
    };
    let session_lives = match session {
        Some(session) => tenant.session_lives(session, now).await?,
        None => true,
    };
    if lives && session_lives { Ok(()) } else { Err(over()) }
}

/// The caller of an access token.
pub async fn by_token(app: &App, token: &str) -> Result<(Viewer, DateTime<Utc>), Error> {
    let verified = app.tokens.verify(&app.tenants, token, app.clock.now()).await?;
    refuse_suspended(&verified.tenant).await?;
    let claims = verified.claims;
    let until = DateTime::from_timestamp(claims.exp, 0).unwrap_or(DateTime::UNIX_EPOCH);
    let viewer = Viewer {
        scope: claims.scope,
        partner: claims.partner,
        ..Viewer::new(claims.tid, claims.sub.into(), claims.role)
    };
    Ok((with_sources(&verified.tenant, viewer).await?, until))
}

/// The caller of a browser's cookie, with the session for its CSRF check.
pub async fn by_cookie(app: &App, cookie: &str) -> Result<(Viewer, Session), Error> {
    let (tenant, session) =
        app.tenants.resume_session(cookie, SessionLimits::default(), app.clock.now()).await?;
    refuse_suspended(&tenant).await?;
    let pages = session.frame_pages.as_ref();
    let scope = pages.map_or(Scope::Full, |pages| links::scope_of(pages.iter().map(String::as_str)));
    let viewer = Viewer {
        partner: session.user.partner,
        scope,
        ..Viewer::user(tenant.id(), session.user.id, session.user.role)
    };
    Ok((with_sources(&tenant, viewer).await?, session))
}

/// The setting that narrows agents to the leads of their teams' sources.
pub const AGENTS_SEE_THEIR_TEAMS_ONLY: &str = "agents_see_their_teams_only";

/// Narrows an agent to its teams' sources where the tenant says so.
async fn with_sources(tenant: &tenants::Tenant, viewer: Viewer) -> Result<Viewer, Error> {
    let (Role::Agent, Actor::User(user)) = (viewer.role, viewer.actor) else { return Ok(viewer) };
    if tenant.setting(AGENTS_SEE_THEIR_TEAMS_ONLY).await? != Some(true) {
        return Ok(viewer);
    }
    Ok(Viewer { sources: Some(tenant.sources_of(user).await?), ..viewer })
}

/// The caller of an API key: what its role and its scope both allow.
pub async fn by_api_key(app: &App, key: &str) -> Result<Viewer, Error> {
    let (tenant, key) = app.tenants.authenticate_key(key, KeyKind::Api, app.clock.now()).await?;
    refuse_suspended(&tenant).await?;
    let scope = key
        .scope
        .parse::<Scope>()
        .map_err(|_| Error::Forbidden("this key's scope does not allow it".into()))?;
    Ok(Viewer { scope, ..Viewer::new(tenant.id(), Actor::Key(key.id), key.role) })
}

/// The scope of a token that may send records to one source.
pub fn ingest_scope(source: SourceId) -> String {
    format!("ingest:{source}")
}

/// The tenant and key of a source token; whether it is that source's, [`Error::NotFound`] if not, says [`may_ingest`].
pub async fn by_source_token(app: &App, token: &str) -> Result<(TenantId, AccessKey), Error> {
    let (tenant, key) = app.tenants.authenticate_key(token, KeyKind::Source, app.clock.now()).await?;
    refuse_suspended(&tenant).await?;
    Ok((tenant.id(), key))
}

/// Refuses a token that was made for another source. Not yours is not found.
pub fn may_ingest(key: &AccessKey, source: &entity::lead_source::Model) -> Result<(), Error> {
    if key.scope == ingest_scope(SourceId(source.id)) {
        Ok(())
    } else {
        Err(Error::not_found("lead source", &source.slug))
    }
}

/// A new token for `POST /ingest/{source}`, shown once.
pub async fn create_source_token(
    app: &App,
    tenant: TenantId,
    source: SourceId,
    name: &str,
    created_by: Option<UserId>,
) -> Result<SecretString, Error> {
    let new = tenants::NewKey {
        kind: KeyKind::Source,
        name: name.to_owned(),
        role: Role::Service,
        scope: ingest_scope(source),
        created_by,
        expires_at: None,
    };
    let created = app.tenants.open(tenant).await?.create_key(new, app.clock.now()).await?;
    Ok(created.text)
}
