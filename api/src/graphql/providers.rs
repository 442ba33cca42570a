//! Providers that people sign in with.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::ProviderId;
use secrecy::SecretString;
use service::access::oauth::{self, providers};
use tenants::{NewProvider, Provider};

use super::access::Role;
use super::error::{ApiError, UserError, expected};
use super::id::Id;
use super::operation::operation;

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "tenants::ProviderKind", rename_items = "SCREAMING_SNAKE_CASE")]
pub enum ProviderKind {
    /// OpenID Connect: endpoints by discovery from the issuer.
    Oidc,
    /// Plain OAuth 2.0: endpoints set by hand, the person from the user-info endpoint.
    #[graphql(name = "OAUTH2")]
    OAuth2,
}

/// A way to sign in, as its button shows it.
#[derive(SimpleObject)]
pub struct SignInProvider {
    slug: String,
    name: String,
    /// Where the browser goes; `?next=/path` says where it comes back to.
    start_url: String,
}

/// How people of a tenant sign in.
#[derive(SimpleObject)]
struct SignInOptions {
    providers: Vec<SignInProvider>,
}

pub(super) fn buttons(tenant: &str, found: Vec<providers::Button>) -> Vec<SignInProvider> {
    let button = |button: providers::Button| SignInProvider {
        start_url: format!("/t/{tenant}/oauth/{}/start", button.slug),
        slug: button.slug,
        name: button.name,
    };
    found.into_iter().map(button).collect()
}

/// A provider that people sign in with.
pub struct IdentityProvider {
    row: Provider,
    redirect_url: String,
}

#[Object]
impl IdentityProvider {
    async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn slug(&self) -> &str {
        &self.row.settings.slug
    }

    async fn name(&self) -> &str {
        &self.row.settings.name
    }

    async fn kind(&self) -> ProviderKind {
        self.row.settings.kind.into()
    }

    async fn issuer(&self) -> &str {
        &self.row.settings.issuer
    }

    async fn client_id(&self) -> &str {
        &self.row.settings.client_id
    }

    async fn has_client_secret(&self) -> bool {
        self.row.client_secret_sealed.is_some()
    }

    /// To be entered at the provider, exactly.
    async fn redirect_url(&self) -> &str {
        &self.redirect_url
    }

    async fn scopes(&self) -> &str {
        &self.row.settings.scopes
    }

    async fn email_trusted(&self) -> bool {
        self.row.settings.email_trusted
    }

    /// Domains whose people may join without an invitation.
    async fn join_domains(&self) -> &[String] {
        &self.row.settings.join_domains
    }

    /// The role that they get.
    async fn join_role(&self) -> Role {
        self.row.settings.join_role.into()
    }

    async fn enabled(&self) -> bool {
        self.row.enabled
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }
}

#[derive(InputObject)]
struct CreateIdentityProviderInput {
    /// In addresses: 1 to 40 of a-z, 0-9 and dashes.
    slug: String,
    name: String,
    kind: ProviderKind,
    /// Exactly as the provider calls itself.
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    /// Of OAUTH2 only, as the two below.
    authorization_url: Option<String>,
    token_url: Option<String>,
    userinfo_url: Option<String>,
    /// Parted by spaces; `openid email profile` when absent.
    scopes: Option<String>,
    /// Every address that the provider tells is verified, although it does not say so.
    #[graphql(default)]
    email_trusted: bool,
    #[graphql(default)]
    join_domains: Vec<String>,
    /// `AGENT` when absent.
    join_role: Option<Role>,
}

#[derive(InputObject)]
struct UpdateIdentityProviderInput {
    id: Id<ProviderId>,
    name: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    join_domains: Option<Vec<String>>,
    join_role: Option<Role>,
    enabled: Option<bool>,
}

#[derive(SimpleObject)]
struct IdentityProviderPayload {
    provider: Option<IdentityProvider>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct DeleteIdentityProviderPayload {
    ok: bool,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct ProviderQueries;

#[Object]
impl ProviderQueries {
    /// How people of that tenant sign in, beside e-mail and password. An unknown tenant has no providers.
    async fn sign_in_options(
        &self,
        context: &Context<'_>,
        tenant: String,
    ) -> Result<SignInOptions, ApiError> {
        let found = providers::buttons(&operation(context)?.app, &tenant).await?;
        Ok(SignInOptions { providers: buttons(&tenant, found) })
    }

    /// The tenant's providers by name.
    async fn identity_providers(&self, context: &Context<'_>) -> Result<Vec<IdentityProvider>, ApiError> {
        let operation = operation(context)?;
        let rows = providers::list(&operation.app, operation.viewer()?.tenant).await?;
        let slug = own_slug(context).await?;
        rows.into_iter().map(|row| shown(context, &slug, row)).collect()
    }
}

async fn own_slug(context: &Context<'_>) -> Result<String, ApiError> {
    let reads = operation(context)?.read().await?;
    Ok(service::access::own_tenant(&reads).await?.slug)
}

fn shown(context: &Context<'_>, tenant: &str, row: Provider) -> Result<IdentityProvider, ApiError> {
    let redirect_url = oauth::redirect_url(&operation(context)?.app, tenant, &row.settings.slug);
    Ok(IdentityProvider { row, redirect_url })
}

#[derive(Default)]
pub(super) struct ProviderMutations;

#[Object]
impl ProviderMutations {
    /// Asks the provider whether it is there, then keeps it.
    async fn create_identity_provider(
        &self,
        context: &Context<'_>,
        input: CreateIdentityProviderInput,
    ) -> Result<IdentityProviderPayload, ApiError> {
        let operation = operation(context)?;
        let new = NewProvider {
            slug: input.slug,
            name: input.name,
            kind: input.kind.into(),
            issuer: input.issuer,
            client_id: input.client_id,
            authorization_url: input.authorization_url,
            token_url: input.token_url,
            userinfo_url: input.userinfo_url,
            scopes: input.scopes.unwrap_or_else(|| "openid email profile".to_owned()),
            email_trusted: input.email_trusted,
            join_domains: input.join_domains,
            join_role: input.join_role.map_or(tenants::Role::Agent, Into::into),
        };
        let secret = input.client_secret.filter(|text| !text.is_empty()).map(SecretString::from);
        let made =
            operation.change(providers::create(&operation.app, operation.viewer()?, new, secret)).await;
        payload(context, made).await
    }

    async fn update_identity_provider(
        &self,
        context: &Context<'_>,
        input: UpdateIdentityProviderInput,
    ) -> Result<IdentityProviderPayload, ApiError> {
        let operation = operation(context)?;
        let change = providers::Change {
            name: input.name,
            client_id: input.client_id,
            client_secret: input.client_secret.filter(|text| !text.is_empty()).map(SecretString::from),
            join_domains: input.join_domains,
            join_role: input.join_role.map(Into::into),
            enabled: input.enabled,
        };
        let changed = operation
            .change(providers::update(&operation.app, operation.viewer()?, input.id.0, change))
            .await;
        payload(context, changed).await
    }

    /// Its people keep their accounts, and need another way to sign in.
    async fn delete_identity_provider(
        &self,
        context: &Context<'_>,
        id: Id<ProviderId>,
    ) -> Result<DeleteIdentityProviderPayload, ApiError> {
        let operation = operation(context)?;
        let deleted = operation.change(providers::delete(&operation.app, operation.viewer()?, id.0)).await;
        let error = expected(deleted)?.err();
        Ok(DeleteIdentityProviderPayload { ok: error.is_none(), error })
    }
}

async fn payload(
    context: &Context<'_>,
    changed: Result<Provider, service::Error>,
) -> Result<IdentityProviderPayload, ApiError> {
    Ok(match expected(changed)? {
        Ok(row) => {
            let slug = own_slug(context).await?;
            IdentityProviderPayload { provider: Some(shown(context, &slug, row)?), error: None }
        }
        Err(error) => IdentityProviderPayload { provider: None, error: Some(error) },
    })
}
