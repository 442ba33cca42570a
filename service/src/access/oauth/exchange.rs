//! What the provider is asked once the browser is back: the code's tokens, and of whom they speak.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeVerifier, RedirectUrl, StandardRevocableToken, StandardTokenResponse,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tenants::{Flow, Person, Provider, ProviderKind, Tenant};

use super::endpoints::Endpoints;
use super::id_token::{self, Expected, KeySet, PersonClaims};
use super::{Answer, Fault, PARAMETER_BYTES_MAX, redirect_url};
use crate::App;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// The id token beside the access token.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type Tokens = StandardTokenResponse<IdTokenField, BasicTokenType>;
pub(super) type OAuthClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The client of a provider, as it is registered there.
pub(super) fn client(
    app: &App,
    slug: &str,
    tenant: &Tenant,
    provider: &Provider,
    endpoints: &Endpoints,
) -> Result<OAuthClient, Fault> {
    let settings = &provider.settings;
    let mut client: Client<
        BasicErrorResponse,
        Tokens,
        BasicTokenIntrospectionResponse,
        StandardRevocableToken,
        BasicRevocationErrorResponse,
    > = Client::new(ClientId::new(settings.client_id.clone()));
    if let Some(sealed) = &provider.client_secret_sealed {
        let context = Context::of_row(tenant.id(), provider.id.uuid(), Purpose::ProviderSecret);
        let secret = app.secrets.open(context, sealed);
        let secret = secret.map_err(|error| Error::internal("opening a provider's secret", error))?;
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    if endpoints.secret_in_body {
        client = client.set_auth_type(AuthType::RequestBody);
    }
    let address = |_| Fault::Address;
    Ok(client
        .set_auth_uri(AuthUrl::new(endpoints.authorization.clone()).map_err(address)?)
        .set_token_uri(TokenUrl::new(endpoints.token.clone()).map_err(address)?)
        .set_redirect_uri(RedirectUrl::new(redirect_url(app, slug, &settings.slug)).map_err(address)?))
}

/// Who came back, proven.
pub(super) async fn identify(
    app: &App,
    slug: &str,
    tenant: &Tenant,
    provider: &Provider,
    flow: &Flow<'_>,
    answer: &Answer,
) -> Result<Person, Fault> {
    let endpoints: Endpoints = serde_json::from_str(&flow.endpoints)
        .map_err(|error| Error::internal("reading a provider's endpoints", error))?;
    // Before the code leaves the house: it may be another provider's, to be stolen from us (mix-up).
    match &answer.iss {
        Some(iss) if *iss != endpoints.issuer => return Err(Fault::Issuer),
        None if endpoints.names_itself => return Err(Fault::Issuer),
        _ => {}
    }
    let code = answer.code.clone().filter(|code| code.len() <= PARAMETER_BYTES_MAX).ok_or(Fault::Code)?;
    let tokens =
        exchange(app, client(app, slug, tenant, provider, &endpoints)?, code, flow.verifier()).await?;
    let claims = match provider.settings.kind {
        ProviderKind::Oidc => by_id_token(app, provider, flow, &endpoints, &tokens).await?,
        ProviderKind::OAuth2 => by_user_info(app, &endpoints, &tokens).await?,
    };
    claims.person(provider.settings.email_trusted).ok_or(Fault::Subject)
}

/// The tokens for a code. Boxed: the library's future would tie this one to its own lifetimes.
fn exchange(
    app: &App,
    client: OAuthClient,
    code: String,
    verifier: SecretString,
) -> BoxFuture<'_, Result<Tokens, Fault>> {
    async move {
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()));
        // The library's error may hold the answer's body.
        request.request_async(&app.outbound).await.map_err(|error| match error {
            oauth2::RequestTokenError::Request(outbound) => Fault::Outbound(outbound),
            _ => Fault::Code,
        })
    }
    .boxed()
}

async fn by_id_token(
    app: &App,
    provider: &Provider,
    flow: &Flow<'_>,
    endpoints: &Endpoints,
    tokens: &Tokens,
) -> Result<PersonClaims, Fault> {
    let token = tokens.extra_fields().id_token.as_deref().ok_or(Fault::NoIdToken)?;
    let keys: KeySet = app.outbound.json(endpoints.jwks.as_deref().unwrap_or_default(), None).await?;
    let expected = Expected {
        issuer: &endpoints.issuer,
        client_id: &provider.settings.client_id,
        nonce: &flow.nonce(),
        now: app.clock.now(),
    };
    let claims = id_token::verify(token, &keys, &expected).map_err(Fault::IdToken)?;
    if claims.has_email() || endpoints.userinfo.is_none() {
        return Ok(claims);
    }
    // Many providers tell the address at user-info only; it must speak of the same person (Core 1.0, 5.3.2).
    let more = by_user_info(app, endpoints, tokens).await?;
    if claims.subject().is_some() && claims.subject() == more.subject() {
        Ok(more)
    } else {
        Err(Fault::Subject)
    }
}

async fn by_user_info(app: &App, endpoints: &Endpoints, tokens: &Tokens) -> Result<PersonClaims, Fault> {
    let url = endpoints.userinfo.as_deref().unwrap_or_default();
    Ok(app.outbound.json(url, Some(tokens.access_token().secret())).await?)
}
