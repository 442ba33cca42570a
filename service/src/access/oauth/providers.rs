//! A tenant's providers: what an administrator sets, and what the sign-in page shows.

use domain::ids::{ProviderId, TenantId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tenants::{NewProvider, Provider, ProviderChange, Role};

use super::{Endpoints, EndpointsError};
use crate::App;
use crate::access::{Viewer, audit, tenant_of_slug};
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// A provider as its button shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// In the address.
    pub slug: String,
    /// On the button.
    pub name: String,
}

/// What changes; none: it stays.
#[derive(Debug, Default)]
pub struct Change {
    /// On the button.
    pub name: Option<String>,
    /// What the provider calls us.
    pub client_id: Option<String>,
    /// The client's secret.
    pub client_secret: Option<SecretString>,
    /// Domains whose people may join without an invitation.
    pub join_domains: Option<Vec<String>>,
    /// The role that they get.
    pub join_role: Option<Role>,
    /// Whether people may sign in with it.
    pub enabled: Option<bool>,
}

/// The providers of the sign-in page. An unknown tenant has none, as many tenants have.
pub async fn buttons(app: &App, slug: &str) -> Result<Vec<Button>, Error> {
    match tenant_of_slug(app, slug).await? {
        Some(tenant) => buttons_of(app, tenant).await,
        None => Ok(Vec::new()),
    }
}

/// The same by id.
pub async fn buttons_of(app: &App, tenant: TenantId) -> Result<Vec<Button>, Error> {
    let providers = app.tenants.open(tenant).await?.providers().await?;
    let enabled = providers.into_iter().filter(|provider| provider.enabled).map(|provider| provider.settings);
    Ok(enabled.map(|settings| Button { slug: settings.slug, name: settings.name }).collect())
}

/// All providers of a tenant.
pub async fn list(app: &App, tenant: TenantId) -> Result<Vec<Provider>, Error> {
    Ok(app.tenants.open(tenant).await?.providers().await?)
}

/// Makes a provider, after asking it whether it is there: a misspelt issuer is found now and not at the first sign-in.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewProvider,
    secret: Option<SecretString>,
) -> Result<Provider, Error> {
    check_role(new.join_role)?;
    Endpoints::of(&new, &app.outbound).await.map_err(|error| unusable(&error))?;
    let tenant = viewer.tenant;
    let (database, now) = (app.tenants.open(tenant).await?, app.clock.now());
    let id = database.next_provider(now);
    let sealed = secret.map(|secret| seal(app, tenant, id, &secret));
    let made = database.create_provider(id, new, sealed, now).await?;
    let settings = &made.settings;
    let detail =
        json!({ "slug": settings.slug, "issuer": settings.issuer, "join_domains": settings.join_domains });
    audit(app, tenant, viewer.actor, "sign_in.provider_created", id, detail).await?;
    Ok(made)
}

/// Changes a provider.
pub async fn update(app: &App, viewer: &Viewer, id: ProviderId, change: Change) -> Result<Provider, Error> {
    let tenant = viewer.tenant;
    let secret_changed = change.client_secret.is_some();
    if let Some(role) = change.join_role {
        check_role(role)?;
    }
    let change = ProviderChange {
        name: change.name,
        client_id: change.client_id,
        client_secret_sealed: change.client_secret.map(|secret| seal(app, tenant, id, &secret)),
        join_domains: change.join_domains,
        join_role: change.join_role,
        enabled: change.enabled,
    };
    let changed = app.tenants.open(tenant).await?.update_provider(id, change).await?;
    let settings = &changed.settings;
    let detail = json!({
        "enabled": changed.enabled, "client_id": settings.client_id, "join_domains": settings.join_domains,
        "join_role": settings.join_role, "secret_changed": secret_changed,
    });
    audit(app, tenant, viewer.actor, "sign_in.provider_changed", id, detail).await?;
    Ok(changed)
}

/// Removes a provider. Its people keep their accounts, and need another way to sign in.
pub async fn delete(app: &App, viewer: &Viewer, id: ProviderId) -> Result<(), Error> {
    app.tenants.open(viewer.tenant).await?.delete_provider(id).await?;
    audit(app, viewer.tenant, viewer.actor, "sign_in.provider_removed", id, json!({})).await?;
    Ok(())
}

/// Seals anew what an older key has sealed; says how many secrets those were.
pub(crate) async fn reseal(app: &App, tenant: TenantId) -> Result<u64, Error> {
    let database = app.tenants.open(tenant).await?;
    let mut count = 0;
    for provider in database.providers().await? {
        let sealed = provider.client_secret_sealed.filter(|sealed| !app.secrets.is_current(sealed));
        let Some(sealed) = sealed else { continue };
        let context = Context::of_row(tenant, provider.id.uuid(), Purpose::ProviderSecret);
        let plain = app.secrets.open(context, &sealed);
        let plain = plain.map_err(|error| Error::internal("opening a provider's secret", error))?;
        let anew = seal(app, tenant, provider.id, &plain);
        let change = ProviderChange { client_secret_sealed: Some(anew), ..ProviderChange::default() };
        database.update_provider(provider.id, change).await?;
        count += 1;
    }
    Ok(count)
}

fn seal(app: &App, tenant: TenantId, id: ProviderId, secret: &SecretString) -> Vec<u8> {
    let context = Context::of_row(tenant, id.uuid(), Purpose::ProviderSecret);
    app.secrets.seal(context, secret.expose_secret())
}

/// A rule that made administrators of a whole domain would be a way around invitations.
fn check_role(role: Role) -> Result<(), Error> {
    if matches!(role, Role::Manager | Role::Agent) {
        return Ok(());
    }
    Err(Error::invalid("join_role", "people of a domain join as manager or agent: invite all others"))
}

fn unusable(error: &EndpointsError) -> Error {
    let field = if matches!(error, EndpointsError::Incomplete) { "authorization_url" } else { "issuer" };
    Error::invalid(field, error.to_string())
}
