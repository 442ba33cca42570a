//! Resource links: pages of Baton inside a CRM.
//!
//! `/r/{link}` authorises nothing: it says which tenant and which page. Whoever opens it must be signed in, by a session
//! that lives in that frame ([`super::framed`]) and may do what the pages of its links need ([`LinkPage::rights`]). Who may
//! show it in a frame: [`super::embedding`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::access::{Right, Scope};
use domain::ids::{LinkId, SessionId, TenantId};
use serde_json::json;
use tenants::{FrameProofKind, LinkAddress, NewLink, ResourceLink, Role};
use url::form_urlencoded::Serializer;

use super::oauth::providers::{Button, buttons_of};
use super::{Actor, Viewer, audit};
use crate::App;
use crate::database::Mode;
use crate::error::Error;

/// The most filters of a link.
const FILTERS_MAX: usize = 20;

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

/// Leads with all that belongs to them; a list leads to its leads, and a lead to its deliveries.
const LEADS_WORK: [Right; 10] = [
    Right::LeadsRead,
    Right::LeadsWrite,
    Right::ImportsRead,
    Right::SourcesRead,
    Right::DestinationsRead,
    Right::DeliveriesRead,
    Right::DeliveriesRetry,
    Right::TrackingRead,
    Right::SlaRead,
    Right::AlertsRead,
];
const SLA_WORK: [Right; 6] = [
    Right::SlaRead,
    Right::SlaWrite,
    Right::LeadsRead,
    Right::LeadsWrite,
    Right::SourcesRead,
    Right::DestinationsRead,
];
const RECONCILIATION_WORK: [Right; 6] = [
    Right::ReconciliationRead,
    Right::ReconciliationWrite,
    Right::LeadsRead,
    Right::SourcesRead,
    Right::DestinationsRead,
    Right::DeliveriesRead,
];

/// What a session may do that lives in a frame under links to those pages.
pub fn scope_of<'page>(pages: impl IntoIterator<Item = &'page str>) -> Scope {
    Scope::only(pages.into_iter().filter_map(LinkPage::parse).flat_map(LinkPage::rights).copied())
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

    /// What its page asks for and does, as far as the person's role has it: a session in a frame has no other rights.
    pub const fn rights(self) -> &'static [Right] {
        match self {
            Self::Leads | Self::Lead | Self::Imports | Self::Refused | Self::Deliveries => &LEADS_WORK,
            Self::Sla => &SLA_WORK,
            Self::Billing => &[Right::BillingRead, Right::LeadsRead, Right::SourcesRead],
            Self::Reconciliation => &RECONCILIATION_WORK,
        }
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

/// Opens a link: the path of its page in the dashboard. Each opening is kept, and a frame's session may do from then on
/// what that page needs, too.
pub async fn open(
    app: &App,
    viewer: &Viewer,
    session: Option<SessionId>,
    token: &str,
    prospect: Option<&str>,
) -> Result<String, Error> {
    let address = own_address(viewer, token)?;
    let Actor::User(user) = viewer.actor else {
        return Err(Error::Forbidden("a link is opened by a person".into()));
    };
    let database = app.tenants.open(viewer.tenant).await?;
    let link = database.open_link(&address, viewer.role, app.clock.now()).await?;
    if let Some(session) = session {
        database.widen_session(session, link.id).await?;
    }
    audit(app, viewer.tenant, Actor::User(user), "link.opened", link.id, json!({ "name": link.name }))
        .await?;
    let page = LinkPage::parse(&link.page)
        .ok_or_else(|| Error::internal("opening a link", format!("{} has an unknown page", link.id)))?;
    let mut path = page.path().to_owned();
    if page == LinkPage::Lead {
        let prospect = prospect.filter(|id| (1..=200).contains(&id.len())).ok_or_else(|| {
            Error::invalid("prospect", "this link opens one lead: the CRM must add ?prospect= and its id")
        })?;
        // An agent finds the leads of its teams alone, somebody of a partner none.
        let tx = app.begin_for(viewer, Mode::ReadOnly).await?;
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

pub(super) async fn find(app: &App, address: &LinkAddress) -> Result<(tenants::Tenant, ResourceLink), Error> {
    let database = match app.tenants.open(address.tenant).await {
        Ok(database) => database,
        Err(tenants::Error::DatabaseMissing { .. }) => return Err(tenants::Error::LinkNotFound.into()),
        Err(other) => return Err(other.into()),
    };
    let link = database.link(address).await?;
    Ok((database, link))
}

pub(super) async fn find_living(
    app: &App,
    address: &LinkAddress,
) -> Result<(tenants::Tenant, ResourceLink), Error> {
    let (database, link) = find(app, address).await?;
    if link.lives(app.clock.now()) { Ok((database, link)) } else { Err(tenants::Error::LinkNotFound.into()) }
}

/// Not yours is not found.
pub(super) fn own_address(viewer: &Viewer, token: &str) -> Result<LinkAddress, Error> {
    let address: LinkAddress = token.parse()?;
    if address.tenant == viewer.tenant { Ok(address) } else { Err(tenants::Error::LinkNotFound.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_session_does_what_its_pages_need_and_never_administers() {
        for page in LinkPage::ALL {
            let scope = scope_of([page.as_str()]);
            for right in page.rights() {
                assert!(scope.allows(*right), "{page:?} {right}");
            }
            for right in [
                Right::UsersRead,
                Right::UsersWrite,
                Right::KeysWrite,
                Right::SettingsWrite,
                Right::AuditRead,
            ] {
                assert!(!scope.allows(right), "{page:?} {right}");
            }
        }
        assert!(!scope_of(["leads"]).allows(Right::BillingRead));
        let both = scope_of(["leads", "billing"]);
        assert!(both.allows(Right::BillingRead) && both.allows(Right::LeadsWrite));
        assert!(!scope_of(["a page of a later version"]).allows(Right::LeadsRead));
    }
}
