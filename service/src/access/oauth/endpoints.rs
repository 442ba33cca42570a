//! Where a provider's endpoints are: by discovery, or set by hand.

use serde::{Deserialize, Serialize};
use tenants::{NewProvider, ProviderKind};

use super::outbound::{Outbound, OutboundError};

/// A provider's endpoints, as a sign-in keeps them from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Endpoints {
    /// Who it says it is; compared byte by byte (RFC 8414, 3.3).
    pub issuer: String,
    pub authorization: String,
    pub token: String,
    /// Keys of its id tokens; none for a plain OAuth 2.0 provider.
    pub jwks: Option<String>,
    pub userinfo: Option<String>,
    /// It names itself in each answer (RFC 9207), so an answer that does not is somebody else's.
    pub names_itself: bool,
    /// It takes the client's secret in the body only.
    pub secret_in_body: bool,
}

/// The part of `OpenID` Connect Discovery 1.0, section 3, that is used.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointsError {
    /// It cannot be asked.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It says that it is somebody else.
    #[error("the provider calls itself by another issuer: enter the issuer exactly as it does")]
    OtherIssuer,
    /// It does not support what is needed.
    #[error("the provider does not support PKCE with S256")]
    NoPkce,
    /// Set by hand, and incomplete.
    #[error("authorization, token and user-info addresses are all needed")]
    Incomplete,
}

impl Endpoints {
    /// The provider's endpoints now, each of them an address that may be reached.
    pub(super) async fn of(provider: &NewProvider, outbound: &Outbound) -> Result<Self, EndpointsError> {
        let endpoints = match provider.kind {
            ProviderKind::Oidc => Self::discover(&provider.issuer, outbound).await?,
            ProviderKind::OAuth2 => Self::by_hand(provider)?,
        };
        let all = [&endpoints.authorization, &endpoints.token];
        for url in all.into_iter().chain(&endpoints.jwks).chain(&endpoints.userinfo) {
            outbound.url(url).map_err(OutboundError::from)?;
        }
        Ok(endpoints)
    }

    fn by_hand(provider: &NewProvider) -> Result<Self, EndpointsError> {
        let given = |url: &Option<String>| url.clone().ok_or(EndpointsError::Incomplete);
        Ok(Self {
            issuer: provider.issuer.clone(),
            authorization: given(&provider.authorization_url)?,
            token: given(&provider.token_url)?,
            jwks: None,
            userinfo: Some(given(&provider.userinfo_url)?),
            names_itself: false,
            secret_in_body: true,
        })
    }

    async fn discover(issuer: &str, outbound: &Outbound) -> Result<Self, EndpointsError> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found: Metadata = outbound.json(&url, None).await?;
        if found.issuer != issuer {
            return Err(EndpointsError::OtherIssuer);
        }
        if found.code_challenge_methods_supported.is_some_and(|all| !all.iter().any(|one| one == "S256")) {
            return Err(EndpointsError::NoPkce);
        }
        let basic = "client_secret_basic";
        let methods = found.token_endpoint_auth_methods_supported;
        Ok(Self {
            issuer: found.issuer,
            authorization: found.authorization_endpoint,
            token: found.token_endpoint,
            jwks: Some(found.jwks_uri),
            userinfo: found.userinfo_endpoint,
            names_itself: found.authorization_response_iss_parameter_supported,
            // Absent means the basic scheme (Discovery 1.0, section 3).
            secret_in_body: methods.is_some_and(|all| !all.iter().any(|one| one == basic)),
        })
    }
}
