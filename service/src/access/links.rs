//! Resource links: pages of Baton inside a CRM.
//!
//! `/r/{link}` authorises nothing: it says which tenant and which page. Whoever opens it must be signed in, by a session
//! that lives in that frame: begun with a code from a window of its own ([`issue_code`], [`redeem_code`]), or with a frame
//! that the CRM has signed ([`prove`]). The page may be framed by the tenant's own list of origins and by nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::ids::{LinkId, TenantId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tenants::{
    FrameProof, FrameProofKind, LinkAddress, NewLink, ResourceLink, Role, SessionLimits, SessionOrigin,
    StartedSession,
};
use url::form_urlencoded::Serializer;

use super::frames::Signed;
use super::oauth::providers::{Button, buttons_of};
use super::{Actor, Viewer, audit};
use crate::App;
use crate::database::Mode;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// The most filters of a link.
const FILTERS_MAX: usize = 20;
/// The longest filter, prospect id or secret.
const TEXT_BYTES_MAX: usize = 4_000;

/// A page that a link can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPage {
    /// The list of leads.
    Leads,
    /// One lead, found by the CRM's id of the prospect, which the CRM adds to the address: `?prospect=…`.
    Lead,
    /// Files that came in.
    Imports,
    /// Records that were refused.
    Refused,
    /// Deliveries to the CRM.
    Deliveries,
    /// Agreements and their clocks.
    Sla,
    /// Billing reports.
    Billing,
    /// What Baton and the CRM disagree about.
    Reconciliation,
}

impl LinkPage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Leads,
        Self::Lead,
        Self::Imports,
        Self::Refused,
        Self::Deliveries,
        Self::Sla,
        Self::Billing,
        Self::Reconciliation,
    ];

    /// Its text, as in `leads`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Lead => "lead",
            Self::Imports => "imports",
            Self::Refused => "refused",
            Self::Deliveries => "deliveries",
            Self::Sla => "sla",
            Self::Billing => "billing",
            Self::Reconciliation => "reconciliation",
        }
    }

    /// The page of that text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.as_str() == text)
    }

    /// Its path in the dashboard.
    const fn path(self) -> &'static str {
        match self {
            Self::Leads | Self::Lead => "/leads",
            Self::Imports => "/imports",
            Self::Refused => "/imports/refused",
            Self::Deliveries => "/deliveries",
            Self::Sla => "/sla",
            Self::Billing => "/billing",
            Self::Reconciliation => "/reconciliation",
        }
    }
}

/// A link to be made.
#[derive(Debug)]
pub struct Wanted {
    /// For people.
    pub name: String,
    /// Which page.
    pub page: LinkPage,
    /// The page's filters, as its address has them.
    pub filters: BTreeMap<String, String>,
    /// Who may open it; empty: every role.
    pub roles: Vec<Role>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What somebody who is not signed in sees of a link.
#[derive(Debug, PartialEq, Eq)]
pub struct Door {
    /// The tenant's short name.
    pub tenant: String,
    /// The tenant's name.
    pub tenant_name: String,
    /// Whether the link still opens.
    pub lives: bool,
    /// Ways to sign in.
    pub providers: Vec<Button>,
    /// Whether the frame should ask the CRM for the user's context.
    pub asks_highlevel: bool,
}

/// Makes a link.
pub async fn create(app: &App, viewer: &Viewer, wanted: Wanted) -> Result<ResourceLink, Error> {
    let now = app.clock.now();
    if wanted.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "the expiry must lie in the future"));
    }
    let name_fits = |name: &str| {
        (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let fits = |(name, value): (&String, &String)| {
        name_fits(name) && value.len() <= 200 && !value.chars().any(char::is_control)
    };
    if wanted.filters.len() > FILTERS_MAX || !wanted.filters.iter().all(fits) {
        return Err(Error::invalid(
            "filters",
            "at most 20 filters, each a name as in the page's address and at most 200 characters",
        ));
    }
    let new = NewLink {
        name: wanted.name,
        page: wanted.page.as_str().to_owned(),
        filters: wanted.filters,
        roles: wanted.roles,
        created_by: match viewer.actor {
            Actor::User(user) => Some(user),
            Actor::Key(_) | Actor::Operator | Actor::Schedule => None,
        },
        expires_at: wanted.expires_at,
    };
    let link = app.tenants.open(viewer.tenant).await?.create_link(new, now).await?;
    let detail = json!({ "name": link.name, "page": link.page, "expires_at": link.expires_at });
    audit(app, viewer.tenant, viewer.actor, "link.created", link.id, detail).await?;
    Ok(link)
}

/// All links of a tenant, newest first.
pub async fn list(app: &App, tenant: TenantId) -> Result<Vec<ResourceLink>, Error> {
    Ok(app.tenants.open(tenant).await?.links().await?)
}

/// Refuses a link from now on, and ends the sessions that began under it.
pub async fn revoke(app: &App, viewer: &Viewer, id: LinkId) -> Result<ResourceLink, Error> {
    let link = app.tenants.open(viewer.tenant).await?.revoke_link(id, app.clock.now()).await?;
    audit(app, viewer.tenant, viewer.actor, "link.revoked", id, json!({ "name": link.name })).await?;
    Ok(link)
}

/// The address of a link.
pub fn url(app: &App, link: &ResourceLink) -> String {
    let prospect = if link.page == LinkPage::Lead.as_str() { "?prospect=" } else { "" };
    format!("{}/r/{}{prospect}", app.settings.issuer, link.token)
}

/// What a link shows before anybody is signed in.
pub async fn door(app: &App, token: &str) -> Result<Door, Error> {
    let address: LinkAddress = token.parse()?;
    let (database, link) = find(app, &address).await?;
    let tx = app.begin(address.tenant, Mode::ReadOnly).await?;
    let tenant = super::own_tenant(&tx).await?;
    tx.commit().await?;
    let proofs = database.frame_proofs().await?;
    Ok(Door {
        tenant: tenant.slug,
        tenant_name: tenant.name,
        lives: link.lives(app.clock.now()),
        providers: buttons_of(app, address.tenant).await?,
        asks_highlevel: proofs.iter().any(|proof| proof.kind == FrameProofKind::HighLevel),
    })
}

/// Opens a link: the path of its page in the dashboard. Each opening is kept.
pub async fn open(app: &App, viewer: &Viewer, token: &str, prospect: Option<&str>) -> Result<String, Error> {
    let address = own_address(viewer, token)?;
    let Actor::User(user) = viewer.actor else {
        return Err(Error::Forbidden("a link is opened by a person".into()));
    };
    let database = app.tenants.open(viewer.tenant).await?;
    let link = database.open_link(&address, viewer.role, app.clock.now()).await?;
    audit(app, viewer.tenant, Actor::User(user), "link.opened", link.id, json!({ "name": link.name }))
        .await?;
    let page = LinkPage::parse(&link.page)
        .ok_or_else(|| Error::internal("opening a link", format!("{} has an unknown page", link.id)))?;
    let mut path = page.path().to_owned();
    if page == LinkPage::Lead {
        let prospect = prospect.filter(|id| (1..=200).contains(&id.len())).ok_or_else(|| {
            Error::invalid("prospect", "this link opens one lead: the CRM must add ?prospect= and its id")
        })?;
        let tx = app.begin(viewer.tenant, Mode::ReadOnly).await?;
        let lead = crate::delivery::reads::lead_of_remote_id(&tx, prospect).await;
        tx.commit().await?;
        path = format!("{path}/{}", lead?);
    }
    if !link.filters.is_empty() {
        let query = Serializer::new(String::new()).extend_pairs(&link.filters).finish();
        path = format!("{path}?{query}");
    }
    Ok(path)
}

/// A code for the frame whose verifier has that SHA-256 (base64url): it carries the caller's sign-in there.
pub async fn issue_code(
    app: &App,
    viewer: &Viewer,
    token: &str,
    challenge: &str,
) -> Result<SecretString, Error> {
    let address = own_address(viewer, token)?;
    let Actor::User(user) = viewer.actor else {
        return Err(Error::Forbidden("only a person's sign-in is carried into a frame".into()));
    };
    let decoded = URL_SAFE_NO_PAD.decode(challenge).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let challenge =
        decoded.ok_or_else(|| Error::invalid("challenge", "the challenge must be a SHA-256 in base64url"))?;
    let (database, link) = find_living(app, &address).await?;
    Ok(database.issue_frame_code(link.id, user, challenge, app.clock.now()).await?)
}

/// Begins the session of a frame: the code from the window, the verifier from the frame.
pub async fn redeem_code(
    app: &App,
    token: &str,
    code: &SecretString,
    verifier: &SecretString,
) -> Result<StartedSession, Error> {
    let address: LinkAddress = token.parse()?;
    if code.expose_secret().len().max(verifier.expose_secret().len()) > 200 {
        return Err(tenants::Error::InvalidFlow.into());
    }
    let (database, link) = find_living(app, &address).await?;
    let user = database.redeem_frame_code(link.id, code, verifier, app.clock.now()).await?;
    start_session(app, &database, &link, user, "frame").await
}

/// Begins the session of a frame whose CRM vouches for the person, when the tenant takes that CRM's word.
pub async fn prove(app: &App, token: &str, signed: &Signed<'_>) -> Result<StartedSession, Error> {
    let address: LinkAddress = token.parse()?;
    let (database, link) = find_living(app, &address).await?;
    let kind = signed.kind();
    let proofs = database.frame_proofs().await?;
    let proof = proofs.into_iter().find(|proof| proof.kind == kind).ok_or_else(refused)?;
    let context = Context::of_row(address.tenant, address.tenant.uuid(), Purpose::FrameProof(kind.as_str()));
    let secret = app
        .secrets
        .open(context, &proof.secret_sealed)
        .map_err(|error| Error::internal("opening a CRM's secret", error))?;
    let now = app.clock.now();
    let proven = match signed.check(secret.expose_secret(), proof.audience.as_deref(), now) {
        Ok(proven) => proven,
        Err(fault) => {
            // Why is for the log: an attacker would learn from it.
            tracing::warn!(
                tenant.id = %address.tenant, link.id = %link.id, frame.kind = kind.as_str(), error = %fault,
                "a signed frame was refused"
            );
            return Err(refused());
        }
    };
    database.spend_proof(signed.identity(), proven.expires_at, now).await?;
    let user = database.admit_by_email(&proven.email, now).await?;
    start_session(app, &database, &link, user.id, kind.as_str()).await
}

fn refused() -> Error {
    Error::Unauthenticated("the CRM's word on who you are is not accepted: sign in".into())
}

/// How long a frame stays signed in: a working day.
fn frame_limits() -> SessionLimits {
    SessionLimits { absolute: Duration::from_hours(10), ..SessionLimits::default() }
}

async fn start_session(
    app: &App,
    database: &tenants::Tenant,
    link: &ResourceLink,
    user: UserId,
    method: &str,
) -> Result<StartedSession, Error> {
    let origin = SessionOrigin { method: method.to_owned(), ..SessionOrigin::default() };
    let started = database.start_session_from(user, origin, frame_limits(), app.clock.now()).await?;
    database.bind_session(started.session.id, link.id).await?;
    Ok(started)
}

async fn find(app: &App, address: &LinkAddress) -> Result<(tenants::Tenant, ResourceLink), Error> {
    let database = match app.tenants.open(address.tenant).await {
        Ok(database) => database,
        Err(tenants::Error::DatabaseMissing { .. }) => return Err(tenants::Error::LinkNotFound.into()),
        Err(other) => return Err(other.into()),
    };
    let link = database.link(address).await?;
    Ok((database, link))
}

async fn find_living(app: &App, address: &LinkAddress) -> Result<(tenants::Tenant, ResourceLink), Error> {
    let (database, link) = find(app, address).await?;
    if link.lives(app.clock.now()) { Ok((database, link)) } else { Err(tenants::Error::LinkNotFound.into()) }
}

/// Not yours is not found.
fn own_address(viewer: &Viewer, token: &str) -> Result<LinkAddress, Error> {
    let address: LinkAddress = token.parse()?;
    if address.tenant == viewer.tenant { Ok(address) } else { Err(tenants::Error::LinkNotFound.into()) }
}

/// The value of `frame-ancestors` for a link: the tenant's list, or nobody for what is no link.
pub async fn frame_ancestors(app: &App, token: &str) -> Result<String, Error> {
    let Ok(address) = token.parse::<LinkAddress>() else { return Ok("'none'".to_owned()) };
    match find(app, &address).await {
        Ok((database, _)) => {
            // The dashboard itself shows a link in a frame, as a preview.
            let mut origins = vec!["'self'".to_owned()];
            origins.extend(database.frame_ancestors().await?);
            Ok(origins.join(" "))
        }
        Err(Error::NotFound { .. }) => Ok("'none'".to_owned()),
        Err(other) => Err(other),
    }
}

/// The origins that may show links in a frame.
pub async fn ancestors(app: &App, tenant: TenantId) -> Result<Vec<String>, Error> {
    Ok(app.tenants.open(tenant).await?.frame_ancestors().await?)
}

/// Sets them: `https://crm.example.com`, or `https://*.example.com` for all below it.
pub async fn set_ancestors(app: &App, viewer: &Viewer, origins: Vec<String>) -> Result<Vec<String>, Error> {
    let insecure = app.settings.allow_private_addresses;
    let checked: Option<Vec<String>> = origins.iter().map(|origin| ancestor(origin, insecure)).collect();
    let checked = checked.ok_or_else(|| {
        Error::invalid(
            "ancestors",
            "each must be an origin such as https://app.example.com or https://*.example.com, without a path",
        )
    })?;
    let database = app.tenants.open(viewer.tenant).await?;
    database.set_frame_ancestors(checked, app.clock.now()).await?;
    let set = database.frame_ancestors().await?;
    let detail = json!({ "origins": set });
    audit(app, viewer.tenant, viewer.actor, "frame.ancestors_set", viewer.tenant, detail).await?;
    Ok(set)
}

/// An origin as a security policy writes it. Whatever could end the policy's directive is no part of one.
fn ancestor(text: &str, insecure: bool) -> Option<String> {
    let text = text.trim().trim_end_matches('/').to_lowercase();
    let rest = match text.split_once("://")? {
        ("https", rest) => rest,
        ("http", rest) if insecure => rest,
        _ => return None,
    };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let named = host.strip_prefix("*.").unwrap_or(host);
    // A wildcard over a whole top-level domain would let everybody in.
    let deep_enough = host == named || named.contains('.');
    let labels_fit = named
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (deep_enough && labels_fit && port_fits && text.len() <= 300).then_some(text)
}

/// The CRMs whose signed frames are taken, without their secrets.
pub async fn proofs(app: &App, tenant: TenantId) -> Result<Vec<FrameProof>, Error> {
    Ok(app.tenants.open(tenant).await?.frame_proofs().await?)
}

/// Takes a CRM's signed frames from now on, or, without a secret, no more.
pub async fn set_proof(
    app: &App,
    viewer: &Viewer,
    kind: FrameProofKind,
    secret: Option<SecretString>,
    audience: Option<String>,
) -> Result<(), Error> {
    let tenant = viewer.tenant;
    let audience = audience.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if audience.as_ref().is_some_and(|text| text.len() > 300) {
        return Err(Error::invalid("audience", "the account must have at most 300 characters"));
    }
    let proof = match secret {
        Some(secret) => {
            let length = secret.expose_secret().trim().len();
            if !(8..=TEXT_BYTES_MAX).contains(&length) {
                return Err(Error::invalid("secret", "the secret must have 8 to 4000 characters"));
            }
            if kind == FrameProofKind::Zendesk && audience.is_none() {
                return Err(Error::invalid(
                    "audience",
                    "Zendesk signs for an installation: its address is needed, as in https://acme.zendesk.com/api/v2/apps/installations/7.json",
                ));
            }
            let context = Context::of_row(tenant, tenant.uuid(), Purpose::FrameProof(kind.as_str()));
            let secret_sealed = app.secrets.seal(context, secret.expose_secret().trim());
            Some(FrameProof { kind, secret_sealed, audience })
        }
        None => None,
    };
    let taken = proof.is_some();
    app.tenants.open(tenant).await?.set_frame_proof(kind, proof, app.clock.now()).await?;
    audit(app, tenant, viewer.actor, "frame.proof_set", kind.as_str(), json!({ "taken": taken })).await?;
    Ok(())
}

/// Seals anew what an older key has sealed; says how many secrets those were.
pub(crate) async fn reseal(app: &App, tenant: TenantId) -> Result<u64, Error> {
    let database = app.tenants.open(tenant).await?;
    let mut count = 0;
    for proof in database.frame_proofs().await? {
        if app.secrets.is_current(&proof.secret_sealed) {
            continue;
        }
        let kind = proof.kind;
        let context = Context::of_row(tenant, tenant.uuid(), Purpose::FrameProof(kind.as_str()));
        let plain = app.secrets.open(context, &proof.secret_sealed);
        let plain = plain.map_err(|error| Error::internal("opening a CRM's secret", error))?;
        let secret_sealed = app.secrets.seal(context, plain.expose_secret());
        let anew = FrameProof { secret_sealed, ..proof };
        database.set_frame_proof(kind, Some(anew), app.clock.now()).await?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_origin_and_nothing_that_widens_the_policy() {
        for (text, wanted) in [
            ("https://app.getbonzo.com", Some("https://app.getbonzo.com")),
            (" HTTPS://App.GetBonzo.com/ ", Some("https://app.getbonzo.com")),
            ("https://*.getbonzo.com", Some("https://*.getbonzo.com")),
            ("https://crm.example.com:8443", Some("https://crm.example.com:8443")),
            ("https://*.com", None),
            ("https://*", None),
            ("*", None),
            ("https:", None),
            ("'self'", None),
            ("http://crm.example.com", None),
            ("https://a.example/x", None),
            ("https://a.example; script-src *", None),
            ("https://a.example https://b.example", None),
            ("https://a.example:99999", None),
            ("https://user@a.example", None),
        ] {
            assert_eq!(ancestor(text, false).as_deref(), wanted, "{text}");
        }
        assert_eq!(ancestor("http://localhost:3000", true).as_deref(), Some("http://localhost:3000"));
    }
}
