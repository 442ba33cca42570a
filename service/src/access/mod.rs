//! Access: tenants, who calls, what they may do.
//!
//! A tenant is a row in the shared Postgres and a libSQL database of its own for its users, keys
//! and sessions. The two share no transaction: the database is made first, the row makes it known.
//! Roles here: admin and member. OAuth sign-in will stand beside [`sign_in`].

use chrono::{DateTime, Utc};
use domain::ids::{ApiKeyId, SourceId, TenantId, UserId};
use entity::{Tenanted, tenant};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, FromQueryResult};
use secrecy::SecretString;
use tenants::{AccessKey, KeyKind, Role, Session, SessionLimits, User};

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::check_slug;

mod faults;

/// Who calls, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whose data it sees.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
    /// Person or key.
    pub actor: Actor,
}

/// A person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Signed in with a session or an access token.
    User(UserId),
    /// An API key.
    Key(ApiKeyId),
    /// The operator at a terminal.
    Operator,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Key(key) => key.fmt(f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

impl Viewer {
    /// A person of that role.
    pub fn user(tenant: TenantId, user: UserId, role: Role) -> Self {
        Self { tenant, role, actor: Actor::User(user) }
    }

    /// Refuses whoever is not an admin.
    pub fn require_admin(&self) -> Result<(), Error> {
        if self.role == Role::Admin {
            Ok(())
        } else {
            Err(Error::Forbidden("this needs the role admin".into()))
        }
    }
}

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
    check_slug(&new.slug)?;
    if tenant_of_slug(app, &new.slug).await?.is_some() {
        return Err(taken(&new.slug));
    }
    let time_zone = new.time_zone.unwrap_or_else(|| "UTC".to_owned());
    if time_zone.parse::<chrono_tz::Tz>().is_err() {
        return Err(Error::invalid("time_zone", "the time zone must be an IANA name such as America/Denver"));
    }
    let now = app.clock.now();
    let id = TenantId(app.ids.next(now));
    app.tenants.create(id).await?;
    let tx = app.begin(id, Mode::ReadWrite).await?;
    let row = tenant::ActiveModel {
        id: Set(id.uuid()),
        name: Set(new.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| new.slug.clone())),
        slug: Set(new.slug.clone()),
        time_zone: Set(time_zone),
        created_at: Set(now),
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
) -> Result<(TenantId, User), Error> {
    let Some(tenant) = tenant_of_slug(app, slug).await? else {
        return Err(app.tenants.refuse_sign_in(password).await.into());
    };
    let database = app.tenants.open(tenant).await?;
    Ok((tenant, database.sign_in(email, password, app.clock.now()).await?))
}

/// The caller of an access token.
pub async fn by_token(app: &App, token: &str) -> Result<(Viewer, DateTime<Utc>), Error> {
    let verified = app.tokens.verify(&app.tenants, token, app.clock.now()).await?;
    let claims = verified.claims;
    let until = DateTime::from_timestamp(claims.exp, 0).unwrap_or(DateTime::UNIX_EPOCH);
    Ok((Viewer::user(claims.tid, claims.sub, claims.role), until))
}

/// The caller of a browser's cookie, with the session for its CSRF check.
pub async fn by_cookie(app: &App, cookie: &str) -> Result<(Viewer, Session), Error> {
    let (tenant, session) =
        app.tenants.resume_session(cookie, SessionLimits::default(), app.clock.now()).await?;
    Ok((Viewer::user(tenant.id(), session.user.id, session.user.role), session))
}

/// The caller of an API key that acts with a role: its scope is `admin` or `member`.
pub async fn by_api_key(app: &App, key: &str) -> Result<Viewer, Error> {
    let (tenant, key) = app.tenants.authenticate_key(key, KeyKind::Api, app.clock.now()).await?;
    let role = key
        .scope
        .parse::<Role>()
        .map_err(|_| Error::Forbidden("this key's scope does not allow it".into()))?;
    Ok(Viewer { tenant: tenant.id(), role, actor: Actor::Key(key.id) })
}

/// The scope of a token that may send records to one source.
pub fn ingest_scope(source: SourceId) -> String {
    format!("ingest:{source}")
}

/// The tenant and key of a source token; whether it is that source's, [`Error::NotFound`] if not, says [`may_ingest`].
pub async fn by_source_token(app: &App, token: &str) -> Result<(TenantId, AccessKey), Error> {
    let (tenant, key) = app.tenants.authenticate_key(token, KeyKind::Source, app.clock.now()).await?;
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
        scope: ingest_scope(source),
        created_by,
        expires_at: None,
    };
    let created = app.tenants.open(tenant).await?.create_key(new, app.clock.now()).await?;
    Ok(created.text)
}
