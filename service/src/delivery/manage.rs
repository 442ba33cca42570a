//! Destinations as people manage them. Their addresses are secrets: sealed in the row, masked to the eye.

use domain::ids::{DestinationId, TenantId};
use entity::{Tenanted, destination};
use sea_orm::sea_query::{ExprTrait, extension::postgres::PgFunc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};
use secrecy::{ExposeSecret, SecretString};

use super::address;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::naming::{check_name, check_slug, name_or_slug, slug_taken};
use crate::secrets::{Context, Purpose, new_signing_secret};

/// What a destination is made of.
#[derive(Debug)]
pub struct NewDestination {
    /// Short name in addresses and commands.
    pub slug: String,
    /// As people see it; the slug when absent.
    pub name: Option<String>,
    /// `bonzo` or `webhook`.
    pub kind: String,
    /// Where leads are posted.
    pub url: SecretString,
    /// What stands for a missing first name; absent: such a lead is held.
    pub first_name_fallback: Option<String>,
}

/// What may change of a destination.
#[derive(Debug, Default)]
pub struct DestinationChange {
    /// As people see it.
    pub name: Option<String>,
    /// Whether new leads go there.
    pub enabled: Option<bool>,
    /// Where leads are posted.
    pub url: Option<SecretString>,
    /// Sets or (inner none) clears what stands for a missing first name.
    pub first_name_fallback: Option<Option<String>>,
}

/// All destinations of the tenant, by slug.
pub async fn list(tx: &TenantTx) -> Result<Vec<destination::Model>, Error> {
    Ok(destination::Entity::of(tx.tenant()).order_by_asc(destination::Column::Slug).all(tx).await?)
}

/// The destination of that id.
pub async fn by_id(tx: &TenantTx, id: DestinationId) -> Result<destination::Model, Error> {
    destination::Entity::of(tx.tenant())
        .filter(destination::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("destination", id))
}

/// Those destinations, in no order; ids of other tenants are not found.
pub async fn by_ids(tx: &TenantTx, ids: &[DestinationId]) -> Result<Vec<destination::Model>, Error> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let wanted = destination::Column::Id.into_expr().eq(PgFunc::any(ids));
    Ok(destination::Entity::of(tx.tenant()).filter(wanted).all(tx).await?)
}

/// The destination of that slug.
pub async fn by_slug(tx: &TenantTx, slug: &str) -> Result<destination::Model, Error> {
    destination::Entity::of(tx.tenant())
        .filter(destination::Column::Slug.eq(slug))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("destination", slug))
}

/// Makes a destination. Of kind webhook it comes with its signing secret, which is shown once.
pub async fn create(
    app: &App,
    tenant: TenantId,
    new: NewDestination,
) -> Result<(destination::Model, Option<SecretString>), Error> {
    check_slug(&new.slug)?;
    if !matches!(new.kind.as_str(), "bonzo" | "webhook") {
        return Err(Error::invalid("kind", "the kind must be bonzo or webhook"));
    }
    let now = app.clock.now();
    let id = DestinationId(app.ids.next(now));
    let (url_sealed, url_masked) = seal_url(app, tenant, id, &new.url)?;
    let secret = (new.kind == "webhook").then(new_signing_secret);
    let row = destination::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id.uuid()),
        name: Set(name_or_slug(new.name, &new.slug)),
        slug: Set(new.slug.clone()),
        kind: Set(new.kind),
        url_sealed: Set(url_sealed),
        url_masked: Set(url_masked),
        signing_sealed: Set(secret.as_ref().map(|secret| {
            let context = Context { tenant, destination: id, purpose: Purpose::Signing };
            app.secrets.seal(context, secret.expose_secret())
        })),
        first_name_fallback: Set(fallback(new.first_name_fallback)?),
        enabled: Set(true),
        created_at: Set(now),
    };
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let taken = |error| slug_taken(error, "destination_tenant_id_slug_key", "destination", &new.slug);
    let row = row.insert(&tx).await.map_err(taken)?;
    tx.commit().await?;
    Ok((row, secret))
}

/// Changes a destination.
pub async fn update(
    app: &App,
    tenant: TenantId,
    id: DestinationId,
    change: DestinationChange,
) -> Result<destination::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mut row: destination::ActiveModel = by_id(&tx, id).await?.into();
    if let Some(name) = change.name {
        row.name = Set(check_name(name)?);
    }
    if let Some(enabled) = change.enabled {
        row.enabled = Set(enabled);
    }
    if let Some(url) = change.url {
        let (sealed, masked) = seal_url(app, tenant, id, &url)?;
        row.url_sealed = Set(sealed);
        row.url_masked = Set(masked);
    }
    if let Some(given) = change.first_name_fallback {
        row.first_name_fallback = Set(fallback(given)?);
    }
    let row = row.update(&tx).await?;
    tx.commit().await?;
    Ok(row)
}

fn seal_url(
    app: &App,
    tenant: TenantId,
    id: DestinationId,
    url: &SecretString,
) -> Result<(Vec<u8>, String), Error> {
    let read = address::read_url(url.expose_secret(), app.settings.allow_private_addresses)
        .map_err(|error| Error::invalid("url", error.to_string()))?;
    let context = Context { tenant, destination: id, purpose: Purpose::Url };
    Ok((app.secrets.seal(context, read.as_str()), address::mask(&read)))
}

fn fallback(given: Option<String>) -> Result<Option<String>, Error> {
    match given.map(|text| text.trim().to_owned()) {
        Some(text) if text.is_empty() || text.chars().count() > 80 => {
            Err(Error::invalid("firstNameFallback", "the fallback for a first name has 1 to 80 characters"))
        }
        other => Ok(other),
    }
}
