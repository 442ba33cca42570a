//! Destinations as people manage them. Their addresses are secrets: sealed in the row, masked to the eye.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::delivery::{Kind, Plan};
use domain::ids::{DestinationId, TenantId};
use entity::{Tenanted, destination};
use sea_orm::sea_query::{ExprTrait, LockType, extension::postgres::PgFunc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::{address, request};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::naming::{check_name, check_slug, display, slug_taken};
use crate::secrets::{Context, Purpose, new_signing_secret};

/// What a destination is made of.
#[derive(Debug)]
pub struct NewDestination {
    /// Short name in addresses and commands.
    pub slug: String,
    /// As people see it; the slug when absent.
    pub name: Option<String>,
    /// A kind's word, as in `bonzo`.
    pub kind: String,
    /// Where leads are posted.
    pub url: SecretString,
    /// What stands for a missing first name; absent: such a lead is held.
    pub first_name_fallback: Option<String>,
    /// What differs from the profile of its kind, a JSON object; absent: nothing.
    pub settings: Option<Value>,
    /// The secrets that its templates ask for, by name.
    pub credentials: BTreeMap<String, SecretString>,
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
    /// Replaces what differs from the profile of its kind.
    pub settings: Option<Value>,
    /// Replaces those of these names; the others stay.
    pub credentials: BTreeMap<String, SecretString>,
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

/// The destination of that id, which nobody else changes meanwhile.
async fn locked(tx: &TenantTx, id: DestinationId) -> Result<destination::Model, Error> {
    destination::Entity::of(tx.tenant())
        .filter(destination::Column::Id.eq(id.uuid()))
        .lock(LockType::NoKeyUpdate)
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
    let kind = Kind::parse(&new.kind).ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        Error::invalid("kind", format!("the kind must be one of {kinds}"))
    })?;
    let settings = new.settings.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let plan = check_plan(kind, &settings, &new.credentials)?;
    let url = read_url(app, &new.url)?;
    check_lookup(&plan, &url)?;
    let now = app.clock.now();
    let id = DestinationId(app.ids.next(now));
    let (url_sealed, url_masked) = seal_url(app, tenant, id, &url);
    let secret = (kind == Kind::Webhook).then(new_signing_secret);
    let row = destination::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id.uuid()),
        name: Set(display(new.name, &new.slug)?),
        slug: Set(new.slug.clone()),
        kind: Set(new.kind),
        url_sealed: Set(url_sealed),
        url_masked: Set(url_masked),
        signing_sealed: Set(secret.as_ref().map(|secret| {
            let context = Context::of_row(tenant, id.uuid(), Purpose::Signing);
            app.secrets.seal(context, secret.expose_secret())
        })),
        first_name_fallback: Set(fallback(new.first_name_fallback)?),
        enabled: Set(true),
        created_at: Set(now),
        settings: Set(settings),
        credentials_sealed: Set(seal_credentials(app, tenant, id, &new.credentials)),
        ..Default::default()
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
    let before = locked(&tx, id).await?;
    let version = before.version.wrapping_add(1);
    let url = change.url.as_ref().map(|url| read_url(app, url)).transpose()?;
    if change.settings.is_some() || url.is_some() {
        check_lookup_after(app, &before, &change, url.as_ref())?;
    }
    let changed = if change.settings.is_some() || !change.credentials.is_empty() {
        Some(plan_after(app, tenant, &before, &change)?)
    } else {
        None
    };
    let mut row: destination::ActiveModel = before.into();
    row.version = Set(version);
    if let Some((settings, credentials)) = changed {
        row.settings = Set(settings);
        row.credentials_sealed = Set(seal_credentials(app, tenant, id, &credentials));
    }
    if let Some(name) = change.name {
        row.name = Set(check_name(&name)?);
    }
    if let Some(enabled) = change.enabled {
        row.enabled = Set(enabled);
    }
    if let Some(url) = url {
        let (sealed, masked) = seal_url(app, tenant, id, &url);
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

/// Settings and credentials as the change leaves them, checked together.
fn plan_after(
    app: &App,
    tenant: TenantId,
    before: &destination::Model,
    change: &DestinationChange,
) -> Result<(Value, BTreeMap<String, SecretString>), Error> {
    let kind = Kind::parse(&before.kind)
        .ok_or_else(|| Error::internal("reading a destination", format!("its kind is `{}`", before.kind)))?;
    let settings = change.settings.clone().unwrap_or_else(|| before.settings.clone());
    let mut credentials = open_credentials(app, tenant, before)?;
    credentials.extend(change.credentials.iter().map(|(name, secret)| (name.clone(), secret.clone())));
    check_plan(kind, &settings, &credentials)?;
    Ok((settings, credentials))
}

/// The lookup as the change leaves it. What cannot be read of it is no reason to refuse the change: deliveries say so.
fn check_lookup_after(
    app: &App,
    before: &destination::Model,
    change: &DestinationChange,
    url: Option<&Url>,
) -> Result<(), Error> {
    let settings = change.settings.as_ref().unwrap_or(&before.settings);
    let plan = Kind::parse(&before.kind).and_then(|kind| Plan::new(kind, settings).ok());
    let kept = || open_url(app, before).and_then(|url| read_url(app, &url)).ok();
    match (plan, url.cloned().or_else(kept)) {
        (Some(plan), Some(url)) => check_lookup(&plan, &url),
        _ => Ok(()),
    }
}

/// A lookup shows its secrets to whoever it asks, which is the destination and nobody else.
fn check_lookup(plan: &Plan, url: &Url) -> Result<(), Error> {
    let Some(lookup) = &plan.profile.lookup else { return Ok(()) };
    if request::lookup_url(url, &lookup.url).is_some() {
        return Ok(());
    }
    let message =
        "lookup.url: it leads to another host than the destination's URL; write it relative to that";
    Err(Error::invalid("settings", message))
}

/// The names of the credentials that a destination has; what they are is never told.
pub fn credential_names(app: &App, tenant: TenantId, row: &destination::Model) -> Result<Vec<String>, Error> {
    Ok(open_credentials(app, tenant, row)?.into_keys().collect())
}

/// Gives a webhook a new signing secret, which is shown once. The one before signs beside it for so many hours, so that
/// the receiver can change over without losing a message.
pub async fn rotate_signing_secret(
    app: &App,
    tenant: TenantId,
    id: DestinationId,
    overlap: TimeDelta,
) -> Result<(destination::Model, SecretString), Error> {
    if !(TimeDelta::zero()..=TimeDelta::days(30)).contains(&overlap) {
        return Err(Error::invalid("overlapHours", "the older secret may sign for 0 to 720 hours more"));
    }
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let before = locked(&tx, id).await?;
    let version = before.version.wrapping_add(1);
    let Some(sealed) = &before.signing_sealed else {
        return Err(Error::Conflict("only a destination of kind webhook has a signing secret".into()));
    };
    let context = |purpose| Context::of_row(tenant, id.uuid(), purpose);
    let unreadable = |error| Error::internal("opening a signing secret", error);
    let older = app.secrets.open(context(Purpose::Signing), sealed).map_err(unreadable)?;
    let secret = new_signing_secret();
    let mut row: destination::ActiveModel = before.into();
    row.version = Set(version);
    row.signing_sealed = Set(Some(app.secrets.seal(context(Purpose::Signing), secret.expose_secret())));
    let overlaps = overlap > TimeDelta::zero();
    row.signing_old_sealed =
        Set(overlaps.then(|| app.secrets.seal(context(Purpose::SigningOld), older.expose_secret())));
    row.signing_old_until = Set(overlaps.then(|| app.clock.now() + overlap));
    let row = row.update(&tx).await?;
    tx.commit().await?;
    Ok((row, secret))
}

/// Settings must be sound and every secret that they ask for be there.
fn check_plan(
    kind: Kind,
    settings: &Value,
    credentials: &BTreeMap<String, SecretString>,
) -> Result<Plan, Error> {
    const SETTINGS_BYTES_MAX: usize = 64 * 1024;
    if settings.to_string().len() > SETTINGS_BYTES_MAX {
        return Err(Error::invalid("settings", "the settings are longer than 64 KiB"));
    }
    let plan = Plan::new(kind, settings).map_err(|error| {
        let place = if error.field == "settings" { String::new() } else { format!("{}: ", error.field) };
        Error::invalid("settings", format!("{place}{}", error.message))
    })?;
    let missing: Vec<&str> =
        plan.secrets.iter().filter(|name| !credentials.contains_key(*name)).map(String::as_str).collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        return Err(Error::invalid(
            "credentials",
            format!("a destination of this kind needs the credentials {names}"),
        ));
    }
    let blank = credentials.iter().find(|(_, secret)| secret.expose_secret().trim().is_empty());
    if let Some((name, _)) = blank {
        return Err(Error::invalid("credentials", format!("the credential `{name}` is empty")));
    }
    Ok(plan)
}

fn seal_credentials(
    app: &App,
    tenant: TenantId,
    id: DestinationId,
    credentials: &BTreeMap<String, SecretString>,
) -> Option<Vec<u8>> {
    let plain: BTreeMap<&str, &str> =
        credentials.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
    let text = serde_json::to_string(&plain).expect("texts always serialise");
    let context = Context::of_row(tenant, id.uuid(), Purpose::Credentials);
    (!plain.is_empty()).then(|| app.secrets.seal(context, &text))
}

fn open_credentials(
    app: &App,
    tenant: TenantId,
    row: &destination::Model,
) -> Result<BTreeMap<String, SecretString>, Error> {
    let Some(sealed) = &row.credentials_sealed else { return Ok(BTreeMap::new()) };
    let context = Context::of_row(tenant, row.id, Purpose::Credentials);
    let text =
        app.secrets.open(context, sealed).map_err(|error| Error::internal("opening credentials", error))?;
    let plain: BTreeMap<String, String> = serde_json::from_str(text.expose_secret())
        .map_err(|error| Error::internal("reading credentials", error))?;
    Ok(plain.into_iter().map(|(name, secret)| (name, SecretString::from(secret))).collect())
}

/// The API that a destination's leads go to, and its token, where both are of a kind that can also be read; else none.
pub(crate) fn api_access(
    app: &App,
    row: &destination::Model,
) -> Result<Option<(SecretString, SecretString)>, Error> {
    const TOKEN: &str = "token";
    const COLLECTION: &str = "/prospects";
    if Kind::parse(&row.kind) != Some(Kind::BonzoApi) {
        return Ok(None);
    }
    let tenant = TenantId(row.tenant_id);
    let Some(token) = open_credentials(app, tenant, row)?.remove(TOKEN) else { return Ok(None) };
    let url = open_url(app, row)?;
    let base = url.expose_secret().trim_end_matches('/').strip_suffix(COLLECTION);
    Ok(base.map(|base| (SecretString::from(base), token)))
}

fn open_url(app: &App, row: &destination::Model) -> Result<SecretString, Error> {
    let context = Context::of_row(TenantId(row.tenant_id), row.id, Purpose::Url);
    let opened = app.secrets.open(context, &row.url_sealed);
    opened.map_err(|error| Error::internal("opening a destination's address", error))
}

fn read_url(app: &App, url: &SecretString) -> Result<Url, Error> {
    address::read_url(url.expose_secret(), app.settings.allow_private_addresses)
        .map_err(|error| Error::invalid("url", error.to_string()))
}

fn seal_url(app: &App, tenant: TenantId, id: DestinationId, url: &Url) -> (Vec<u8>, String) {
    let context = Context::of_row(tenant, id.uuid(), Purpose::Url);
    (app.secrets.seal(context, url.as_str()), address::mask(url))
}

fn fallback(given: Option<String>) -> Result<Option<String>, Error> {
    match given.map(|text| text.trim().to_owned()) {
        Some(text) if text.is_empty() || text.chars().count() > 80 => {
            Err(Error::invalid("firstNameFallback", "the fallback for a first name has 1 to 80 characters"))
        }
        other => Ok(other),
    }
}
