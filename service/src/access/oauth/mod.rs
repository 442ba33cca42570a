//! Signing in with OAuth 2.0 and `OpenID` Connect, after RFC 9700.
//!
//! The walk of a sign-in: [`start`] asks the provider where its endpoints are, begins a flow for this browser and sends it
//! there with PKCE, state and nonce → the person signs in → the provider sends the browser back to this provider's own
//! redirect address → [`finish`] takes the flow, once and for the browser that began it, checks who answers (`iss`),
//! exchanges the code, checks the id token or asks user-info, and finds the user: by who the person was there before,
//! by verified address, or by a rule for the address's domain.
//!
//! Nothing of a provider's tokens is kept: who the person is was all that was asked. No token, code or address reaches
//! a log.

use chrono::{DateTime, Utc};
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tenants::{Person, Provider, ProviderKind, Tenant, User};

use crate::App;
use crate::error::Error;

mod endpoints;
mod exchange;
mod id_token;
mod outbound;
pub mod providers;

use endpoints::{Endpoints, EndpointsError};
use exchange::{client, identify};
use id_token::IdTokenFault;
pub use outbound::{Outbound, OutboundError};

/// The longest code or state that is looked at, in bytes.
const PARAMETER_BYTES_MAX: usize = 4096;

/// A browser on its way to a provider.
#[derive(Debug)]
pub struct Started {
    /// Where it goes.
    pub url: String,
    /// The value of the cookie that proves it when it comes back.
    pub cookie: SecretString,
}

/// What a provider sent the browser back with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// To be exchanged.
    pub code: Option<String>,
    /// Which flow it is of.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Instead of a code.
    pub error: Option<String>,
}

/// A person who came back.
#[derive(Debug)]
pub struct SignedIn {
    /// Who it is.
    pub user: User,
    /// The tenant's database.
    pub tenant: Tenant,
    /// The provider's name: how the session began.
    pub provider: String,
    /// Where the browser goes: a path of the dashboard.
    pub next: String,
}

/// Why somebody is not signed in, as far as that person may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such tenant or provider, or it is switched off.
    NoProvider,
    /// The person declined.
    Cancelled,
    /// Too old, used already, or another browser's.
    Expired,
    /// Not a user, and not of a domain that may join.
    NotInvited,
    /// The provider does not vouch for the address.
    EmailNotVerified,
    /// The user is disabled.
    Disabled,
    /// The provider does not work as it should.
    ProviderFailed,
    /// Baton does not.
    Failed,
}

impl Refusal {
    /// A word for addresses, as in `not-invited`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoProvider => "no-provider",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::NotInvited => "not-invited",
            Self::EmailNotVerified => "email-not-verified",
            Self::Disabled => "disabled",
            Self::ProviderFailed => "provider-failed",
            Self::Failed => "failed",
        }
    }
}

/// Everything that can go wrong on the way, for the log.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Endpoints(#[from] EndpointsError),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("the provider's id token is refused")]
    IdToken(#[source] IdTokenFault),
    #[error("the answer is of another provider")]
    Issuer,
    #[error("the provider refused the code")]
    Code,
    #[error("the provider answered without an id token")]
    NoIdToken,
    #[error("the provider tells no subject, or another one")]
    Subject,
    #[error("an address of the provider cannot be used")]
    Address,
    #[error(transparent)]
    Ours(#[from] Error),
}

/// Sends a browser to a provider. `next` is a path of the dashboard, `cookie` the one that the browser has already.
pub async fn start(
    app: &App,
    slug: &str,
    provider: &str,
    next: &str,
    cookie: Option<&str>,
) -> Result<Started, Refusal> {
    let (tenant, provider) = find(app, slug, provider).await?;
    let outcome = async {
        let endpoints = Endpoints::of(&provider.settings, &app.outbound).await?;
        let client = client(app, slug, &tenant, &provider, &endpoints)?;
        let kept = serde_json::to_string(&endpoints)
            .map_err(|error| Error::internal("keeping a provider's endpoints", error))?;
        let now = app.clock.now();
        let flow = tenant.start_flow(provider.id, kept, safe_next(next).to_owned(), cookie, now);
        let flow = flow.await.map_err(Error::from)?;
        let verifier = PkceCodeVerifier::new(flow.verifier.expose_secret().to_owned());
        let state = flow.state;
        let mut request = client
            .authorize_url(|| CsrfToken::new(state))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        for scope in provider.settings.scopes.split_whitespace() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if provider.settings.kind == ProviderKind::Oidc {
            request = request.add_extra_param("nonce", flow.nonce.expose_secret());
        }
        Ok::<_, Fault>(Started { url: request.url().0.into(), cookie: flow.cookie })
    };
    outcome.await.map_err(|fault| refuse(&tenant, &provider, &fault))
}

/// Takes up a sign-in that came back from a provider.
pub async fn finish(
    app: &App,
    slug: &str,
    provider: &str,
    answer: Answer,
    cookie: Option<&str>,
) -> Result<SignedIn, Refusal> {
    let (tenant, provider) = find(app, slug, provider).await?;
    let (state, cookie) = (answer.state.as_deref().ok_or(Refusal::Expired)?, cookie.ok_or(Refusal::Expired)?);
    if state.len().max(cookie.len()) > PARAMETER_BYTES_MAX {
        return Err(Refusal::Expired);
    }
    let now = app.clock.now();
    let flow = match tenant.finish_flow(provider.id, state, cookie, now).await {
        Ok(flow) => flow,
        Err(tenants::Error::InvalidFlow) => return Err(Refusal::Expired),
        Err(other) => return Err(refuse(&tenant, &provider, &Fault::Ours(other.into()))),
    };
    if let Some(error) = &answer.error {
        let declined = error == "access_denied";
        return Err(if declined { Refusal::Cancelled } else { Refusal::ProviderFailed });
    }
    let person = match identify(app, slug, &tenant, &provider, &flow, &answer).await {
        Ok(person) => person,
        Err(fault) => return Err(refuse(&tenant, &provider, &fault)),
    };
    match admit(&tenant, &provider, person, now).await {
        Ok(user) => Ok(SignedIn { user, next: flow.next, provider: provider.settings.name, tenant }),
        Err(tenants::Error::NotInvited) => Err(Refusal::NotInvited),
        Err(tenants::Error::EmailNotVerified) => Err(Refusal::EmailNotVerified),
        Err(tenants::Error::UserDisabled { .. }) => Err(Refusal::Disabled),
        Err(other) => Err(refuse(&tenant, &provider, &Fault::Ours(other.into()))),
    }
}

/// The user that the person is: known, of a domain that may join, or invited under the address that the provider vouches
/// for.
async fn admit(
    tenant: &Tenant,
    provider: &Provider,
    person: Person,
    now: DateTime<Utc>,
) -> Result<User, tenants::Error> {
    match tenant.admit(provider, person.clone(), now).await {
        Err(tenants::Error::NotInvited) => {}
        decided => return decided,
    }
    // Not invited is said of verified addresses only.
    let email = person.email.as_ref().ok_or(tenants::Error::NotInvited)?;
    let name = person.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(email.as_str());
    match tenant.accept_invitation_of(email.as_str(), name, now).await? {
        Some(_) => tenant.admit(provider, person, now).await,
        None => Err(tenants::Error::NotInvited),
    }
}

async fn find(app: &App, slug: &str, provider: &str) -> Result<(Tenant, Provider), Refusal> {
    let found = async {
        let Some(id) = super::tenant_of_slug(app, slug).await? else { return Ok(None) };
        let tenant = app.tenants.open(id).await?;
        let provider = tenant.provider_by_slug(provider).await?.filter(|provider| provider.enabled);
        Ok::<_, Error>(provider.map(|provider| (tenant, provider)))
    };
    match found.await {
        Ok(found) => found.ok_or(Refusal::NoProvider),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a provider could not be looked up");
            Err(Refusal::Failed)
        }
    }
}

/// Logs what is wrong and says whose fault it is.
fn refuse(tenant: &Tenant, provider: &Provider, fault: &Fault) -> Refusal {
    tracing::warn!(
        tenant.id = %tenant.id(), provider.id = %provider.id, error = fault as &dyn std::error::Error,
        "a sign-in with a provider failed"
    );
    if matches!(fault, Fault::Ours(_)) { Refusal::Failed } else { Refusal::ProviderFailed }
}

/// The one address that a provider may send the browser back to: of this tenant and this provider alone (RFC 9700, 4.4.2).
pub fn redirect_url(app: &App, tenant: &str, provider: &str) -> String {
    format!("{}/t/{tenant}/oauth/{provider}/callback", app.settings.issuer)
}

/// A path of the dashboard, never another site.
pub fn safe_next(next: &str) -> &str {
    let path = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let plain = next.len() <= 2_000 && next.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    if path && plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn the_browser_goes_nowhere_else() {
        for (next, goes) in [
            ("/leads?status=FAILED", "/leads?status=FAILED"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nset-cookie: b=c", "/"),
            ("/a b", "/"),
        ] {
            assert_eq!(safe_next(next), goes, "{next}");
        }
    }
}
