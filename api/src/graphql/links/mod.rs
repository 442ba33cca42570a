//! Resource links: pages of Baton inside a CRM, and signing in there.

mod types;

use std::collections::BTreeMap;

use async_graphql::{Context, Object};
use domain::ids::LinkId;
use secrecy::{ExposeSecret, SecretString};
use service::access::frames::Signed;
use service::access::{embedding, framed, links};
use tenants::{FrameProof, ResourceLink as Row, StartedSession};

use super::error::{ApiError, UserError, expected};
use super::id::Id;
use super::operation::operation;
use super::providers::buttons;
use super::session::SetCookies;
use types::{
    CreateResourceLinkInput, Embedding, EmbeddingPayload, FrameCodePayload, FrameProofEntry,
    FrameSessionPayload, LinkDoor, OpenResourceLinkPayload, RedeemFrameCodeInput, ResourceLink,
    ResourceLinkPayload, SetFrameProofInput,
};

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
