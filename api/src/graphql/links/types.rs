//! What is told of resource links and of frames, and what is asked for.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use service::access::links;
use tenants::ResourceLink as Row;

use crate::graphql::access::Role;
use crate::graphql::error::{ApiError, UserError};
use crate::graphql::providers::SignInProvider;

/// A page that a link can open.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "service::access::links::LinkPage")]
pub enum LinkPage {
    /// The list of leads.
    Leads,
    /// One lead, by the CRM's id of the prospect: the CRM adds `?prospect=…` to the address.
    Lead,
    Imports,
    /// Records that were refused.
    Refused,
    Deliveries,
    Sla,
    Billing,
    Reconciliation,
}

/// A CRM that signs its frames.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "tenants::FrameProofKind", rename_items = "UPPERCASE")]
pub enum FrameProofKind {
    HubSpot,
    HighLevel,
    Salesforce,
    Zendesk,
}

/// A filter of a link's page, named as in the page's address.
#[derive(SimpleObject, InputObject)]
#[graphql(input_name = "LinkFilterInput")]
pub(super) struct LinkFilter {
    pub(super) name: String,
    pub(super) value: String,
}

/// A link that opens a page inside a CRM. It authorises nothing by itself.
pub struct ResourceLink {
    pub(super) row: Row,
    pub(super) url: String,
    pub(super) live: bool,
}

#[Object]
impl ResourceLink {
    async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn page(&self) -> Result<LinkPage, ApiError> {
        let page = links::LinkPage::parse(&self.row.page);
        page.map(Into::into).ok_or_else(|| ApiError::internal("reading a link", "its page is unknown"))
    }

    async fn filters(&self) -> Vec<LinkFilter> {
        let filter =
            |(name, value): (&String, &String)| LinkFilter { name: name.clone(), value: value.clone() };
        self.row.filters.iter().map(filter).collect()
    }

    /// Who may open it; empty: every role.
    async fn roles(&self) -> Vec<Role> {
        self.row.roles.iter().map(|role| (*role).into()).collect()
    }

    /// To be entered at the CRM.
    async fn url(&self) -> &str {
        &self.url
    }

    /// Whether it opens now: neither revoked nor expired.
    async fn live(&self) -> bool {
        self.live
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.expires_at
    }

    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.row.revoked_at
    }

    async fn openings(&self) -> u64 {
        self.row.openings
    }

    async fn last_opened_at(&self) -> Option<DateTime<Utc>> {
        self.row.last_opened_at
    }
}

/// What a link shows before anybody is signed in.
#[derive(SimpleObject)]
pub(super) struct LinkDoor {
    pub(super) tenant_slug: String,
    pub(super) tenant_name: String,
    /// Whether the link still opens.
    pub(super) live: bool,
    pub(super) providers: Vec<SignInProvider>,
    /// Whether the frame should ask HighLevel for the user's context.
    pub(super) asks_high_level: bool,
}

/// A CRM whose signed frames are taken.
#[derive(SimpleObject)]
pub(super) struct FrameProofEntry {
    pub(super) kind: FrameProofKind,
    /// The CRM's own account that its word must be for.
    pub(super) audience: Option<String>,
}

/// Who may show Baton in a frame, and whose word counts there.
#[derive(SimpleObject)]
pub(super) struct Embedding {
    /// Origins, as in `https://app.example.com`.
    pub(super) ancestors: Vec<String>,
    pub(super) proofs: Vec<FrameProofEntry>,
}

#[derive(InputObject)]
pub(super) struct CreateResourceLinkInput {
    pub(super) name: String,
    pub(super) page: LinkPage,
    #[graphql(default)]
    pub(super) filters: Vec<LinkFilter>,
    /// Who may open it; empty: every role.
    #[graphql(default)]
    pub(super) roles: Vec<Role>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

#[derive(InputObject)]
pub(super) struct RedeemFrameCodeInput {
    /// What stands after `/r/`.
    pub(super) link: String,
    /// From the window in which the person has signed in.
    pub(super) code: String,
    /// From the frame; the code was made for its SHA-256.
    pub(super) verifier: String,
}

#[derive(InputObject)]
pub(super) struct SetFrameProofInput {
    pub(super) kind: FrameProofKind,
    /// The shared secret, or Zendesk's public key; absent: its frames are taken no more.
    pub(super) secret: Option<String>,
    /// The CRM's own account: portal, location, organisation, installation.
    pub(super) audience: Option<String>,
}

#[derive(SimpleObject)]
pub(super) struct ResourceLinkPayload {
    pub(super) link: Option<ResourceLink>,
    pub(super) error: Option<UserError>,
}

#[derive(SimpleObject)]
pub(super) struct OpenResourceLinkPayload {
    /// The page's path in the dashboard.
    pub(super) path: Option<String>,
    pub(super) error: Option<UserError>,
}

#[derive(SimpleObject)]
pub(super) struct FrameCodePayload {
    pub(super) code: Option<String>,
    pub(super) error: Option<UserError>,
}

#[derive(SimpleObject)]
pub(super) struct FrameSessionPayload {
    pub(super) ok: bool,
    pub(super) error: Option<UserError>,
}

#[derive(SimpleObject)]
pub(super) struct EmbeddingPayload {
    pub(super) embedding: Option<Embedding>,
    pub(super) error: Option<UserError>,
}
