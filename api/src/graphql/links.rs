//! Resource links: pages of Baton inside a CRM, and signing in there.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::collections::BTreeMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::LinkId;
use secrecy::{ExposeSecret, SecretString};
use service::access::frames::Signed;
use service::access::{embedding, framed, links};
use tenants::{FrameProof, ResourceLink as Row, StartedSession};

use super::access::Role;
use super::error::{ApiError, UserError, expected};
use super::id::Id;
use super::operation::operation;
use super::providers::{SignInProvider, buttons};
use super::session::SetCookies;

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
struct LinkFilter {
    name: String,
    value: String,
}

/// A link that opens a page inside a CRM. It authorises nothing by itself.
pub struct ResourceLink {
    row: Row,
    url: String,
    live: bool,
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
struct LinkDoor {
    tenant_slug: String,
    tenant_name: String,
    /// Whether the link still opens.
    live: bool,
    providers: Vec<SignInProvider>,
    /// Whether the frame should ask HighLevel for the user's context.
    asks_high_level: bool,
}

/// A CRM whose signed frames are taken.
#[derive(SimpleObject)]
struct FrameProofEntry {
    kind: FrameProofKind,
    /// The CRM's own account that its word must be for.
    audience: Option<String>,
}

/// Who may show Baton in a frame, and whose word counts there.
#[derive(SimpleObject)]
struct Embedding {
    /// Origins, as in `https://app.example.com`.
    ancestors: Vec<String>,
    proofs: Vec<FrameProofEntry>,
}

#[derive(InputObject)]
struct CreateResourceLinkInput {
    name: String,
    page: LinkPage,
    #[graphql(default)]
    filters: Vec<LinkFilter>,
    /// Who may open it; empty: every role.
    #[graphql(default)]
    roles: Vec<Role>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(InputObject)]
struct RedeemFrameCodeInput {
    /// What stands after `/r/`.
    link: String,
    /// From the window in which the person has signed in.
    code: String,
    /// From the frame; the code was made for its SHA-256.
    verifier: String,
}

#[derive(InputObject)]
struct SetFrameProofInput {
    kind: FrameProofKind,
    /// The shared secret, or Zendesk's public key; absent: its frames are taken no more.
    secret: Option<String>,
    /// The CRM's own account: portal, location, organisation, installation.
    audience: Option<String>,
}

#[derive(SimpleObject)]
struct ResourceLinkPayload {
    link: Option<ResourceLink>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct OpenResourceLinkPayload {
    /// The page's path in the dashboard.
    path: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct FrameCodePayload {
    code: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct FrameSessionPayload {
    ok: bool,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct EmbeddingPayload {
    embedding: Option<Embedding>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct LinkQueries;

#[Object]
impl LinkQueries {
    /// What a link shows before anybody is signed in; null: there is no such link.
    async fn link_door(&self, context: &Context<'_>, link: String) -> Result<Option<LinkDoor>, ApiError> {
        let door = match links::door(&operation(context)?.app, &link).await {
            Ok(door) => door,
            Err(service::Error::NotFound { .. }) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        Ok(Some(LinkDoor {
            live: door.lives,
            providers: buttons(&door.tenant, door.providers),
            tenant_slug: door.tenant,
            tenant_name: door.tenant_name,
            asks_high_level: door.asks_highlevel,
        }))
    }

    /// The tenant's links, newest first; at most 1000.
    async fn resource_links(&self, context: &Context<'_>) -> Result<Vec<ResourceLink>, ApiError> {
        let operation = operation(context)?;
        let rows = links::list(&operation.app, operation.viewer()?.tenant).await?;
        rows.into_iter().map(|row| shown(context, row)).collect()
    }

    async fn embedding(&self, context: &Context<'_>) -> Result<Embedding, ApiError> {
        embedding(context).await
    }
}

fn shown(context: &Context<'_>, row: Row) -> Result<ResourceLink, ApiError> {
    let app = &operation(context)?.app;
    Ok(ResourceLink { url: links::url(app, &row), live: row.lives(app.clock.now()), row })
}

async fn embedding(context: &Context<'_>) -> Result<Embedding, ApiError> {
    let operation = operation(context)?;
    let tenant = operation.viewer()?.tenant;
    let entry = |proof: FrameProof| FrameProofEntry { kind: proof.kind.into(), audience: proof.audience };
    let proofs = embedding::proofs(&operation.app, tenant).await?.into_iter().map(entry).collect();
    Ok(Embedding { ancestors: embedding::ancestors(&operation.app, tenant).await?, proofs })
}

#[derive(Default)]
pub(super) struct LinkMutations;

#[Object]
impl LinkMutations {
    async fn create_resource_link(
        &self,
        context: &Context<'_>,
        input: CreateResourceLinkInput,
    ) -> Result<ResourceLinkPayload, ApiError> {
        let operation = operation(context)?;
        let filters: BTreeMap<String, String> =
            input.filters.into_iter().map(|filter| (filter.name, filter.value)).collect();
        let wanted = links::Wanted {
            name: input.name,
            page: input.page.into(),
            filters,
            roles: input.roles.into_iter().map(Into::into).collect(),
            expires_at: input.expires_at,
        };
        let made = operation.change(links::create(&operation.app, operation.viewer()?, wanted)).await;
        link_payload(context, made)
    }

    /// Refuses a link from now on, and ends the sessions that began under it.
    async fn revoke_resource_link(
        &self,
        context: &Context<'_>,
        id: Id<LinkId>,
    ) -> Result<ResourceLinkPayload, ApiError> {
        let operation = operation(context)?;
        let revoked = operation.change(links::revoke(&operation.app, operation.viewer()?, id.0)).await;
        link_payload(context, revoked)
    }

    /// Opens a link; each opening is kept. `prospect` is the CRM's id of the person that the page is about.
    async fn open_resource_link(
        &self,
        context: &Context<'_>,
        link: String,
        prospect: Option<String>,
    ) -> Result<OpenResourceLinkPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let session = operation.identity.session;
        let open = links::open(&operation.app, viewer, session, &link, prospect.as_deref());
        let opened = operation.change(open).await;
        Ok(match expected(opened)? {
            Ok(path) => OpenResourceLinkPayload { path: Some(path), error: None },
            Err(error) => OpenResourceLinkPayload { path: None, error: Some(error) },
        })
    }

    /// A one-time code, good for a minute, that carries this sign-in into the frame whose verifier has that SHA-256
    /// (base64url).
    async fn issue_frame_code(
        &self,
        context: &Context<'_>,
        link: String,
        challenge: String,
    ) -> Result<FrameCodePayload, ApiError> {
        let operation = operation(context)?;
        let code = framed::issue_code(&operation.app, operation.viewer()?, &link, &challenge).await;
        Ok(match expected(code)? {
            Ok(code) => FrameCodePayload { code: Some(code.expose_secret().to_owned()), error: None },
            Err(error) => FrameCodePayload { code: None, error: Some(error) },
        })
    }

    /// Begins the session of a frame, with a code from a window in which the person has signed in.
    #[graphql(complexity = "2000 + child_complexity")]
    async fn redeem_frame_code(
        &self,
        context: &Context<'_>,
        input: RedeemFrameCodeInput,
    ) -> Result<FrameSessionPayload, ApiError> {
        let (code, verifier) = (SecretString::from(input.code), SecretString::from(input.verifier));
        let app = &operation(context)?.app;
        frame_session(context, framed::redeem_code(app, &input.link, &code, &verifier).await)
    }

    /// Begins the session of a frame whose CRM vouches for the person: HighLevel's encrypted user context.
    #[graphql(complexity = "2000 + child_complexity")]
    async fn prove_frame(
        &self,
        context: &Context<'_>,
        link: String,
        payload: String,
    ) -> Result<FrameSessionPayload, ApiError> {
        let app = &operation(context)?.app;
        frame_session(context, framed::prove(app, &link, &Signed::HighLevel(&payload)).await)
    }

    /// Sets who may show links in a frame: origins such as `https://app.example.com` or `https://*.example.com`.
    async fn set_frame_ancestors(
        &self,
        context: &Context<'_>,
        ancestors: Vec<String>,
    ) -> Result<EmbeddingPayload, ApiError> {
        let operation = operation(context)?;
        let set = embedding::set_ancestors(&operation.app, operation.viewer()?, ancestors);
        let set = operation.change(set).await;
        embedding_payload(context, set.map(drop)).await
    }

    /// Takes a CRM's signed frames from now on, or no more.
    async fn set_frame_proof(
        &self,
        context: &Context<'_>,
        input: SetFrameProofInput,
    ) -> Result<EmbeddingPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let secret = input.secret.map(SecretString::from);
        let set = embedding::set_proof(&operation.app, viewer, input.kind.into(), secret, input.audience);
        let set = operation.change(set).await;
        embedding_payload(context, set).await
    }
}

fn link_payload(
    context: &Context<'_>,
    changed: Result<Row, service::Error>,
) -> Result<ResourceLinkPayload, ApiError> {
    Ok(match expected(changed)? {
        Ok(row) => ResourceLinkPayload { link: Some(shown(context, row)?), error: None },
        Err(error) => ResourceLinkPayload { link: None, error: Some(error) },
    })
}

async fn embedding_payload(
    context: &Context<'_>,
    changed: Result<(), service::Error>,
) -> Result<EmbeddingPayload, ApiError> {
    Ok(match expected(changed)? {
        Ok(()) => EmbeddingPayload { embedding: Some(embedding(context).await?), error: None },
        Err(error) => EmbeddingPayload { embedding: None, error: Some(error) },
    })
}

/// Whoever is not let in is told so in words: an error would end whatever else the page does.
fn frame_session(
    context: &Context<'_>,
    started: Result<StartedSession, service::Error>,
) -> Result<FrameSessionPayload, ApiError> {
    let refused = |code: &str, message: String| {
        Ok(FrameSessionPayload { ok: false, error: Some(UserError::new(None, code, message)) })
    };
    let operation = operation(context)?;
    match started {
        Ok(started) => {
            let cookies = operation.identity.cookies.as_ref();
            let cookies =
                cookies.ok_or_else(|| ApiError::internal("a frame's session", "no cookies here"))?;
            cookies.put(SetCookies::start_frame(started, operation.app.clock.now()));
            Ok(FrameSessionPayload { ok: true, error: None })
        }
        Err(service::Error::Unauthenticated(text)) => refused("INVALID_CREDENTIALS", text.into_owned()),
        Err(service::Error::Forbidden(text)) => refused("FORBIDDEN", text.into_owned()),
        Err(error @ service::Error::NotFound { .. }) => refused("NOT_FOUND", error.to_string()),
        Err(other) => Err(other.into()),
    }
}
