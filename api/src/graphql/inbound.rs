//! Reports of destinations, and the suppression list.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, InboundHookId, LeadId, SuppressionId};
use entity::suppression;
use secrecy::{ExposeSecret as _, SecretString};
use service::inbound;
use service::inbound::reads::{self, HookRow};
use service::suppression::{self as list, Contact, Entry};

use super::alerts::DonePayload;
use super::error::{ApiError, UserError, expected, stored};
use super::id::Id;
use super::operation::operation;
use super::page::list_cost;

/// How a destination proves that a report is its own.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::inbound::Kind")]
pub enum InboundKind {
    /// Bonzo's event hooks: a static code in the header x-bonzo-code.
    Bonzo,
    /// A signature by Standard Webhooks.
    Standard,
    /// NPA's status of a lead: a static code in the header x-webhook-code.
    Npa,
}

/// How a destination reports back.
#[derive(SimpleObject)]
pub struct InboundEndpoint {
    destination_id: ID,
    kind: InboundKind,
    enabled: bool,
    /// Where it posts to.
    url: String,
    created_at: DateTime<Utc>,
}

/// A report as it came in, without its body.
#[derive(SimpleObject)]
pub struct InboundHook {
    id: ID,
    destination_id: ID,
    received_at: DateTime<Utc>,
    state: InboundState,
    lead_id: Option<ID>,
    /// What was done, or why nothing was.
    result: Option<String>,
    processed_at: Option<DateTime<Utc>>,
}

/// Where a report stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum InboundState {
    Received,
    Processed,
    Ignored,
    Failed,
}

fn hook(row: HookRow) -> Result<InboundHook, ApiError> {
    let state = match row.state.as_str() {
        "received" => Some(InboundState::Received),
        "processed" => Some(InboundState::Processed),
        "ignored" => Some(InboundState::Ignored),
        "failed" => Some(InboundState::Failed),
        _ => None,
    };
    Ok(InboundHook {
        id: ID(InboundHookId(row.id).to_string()),
        destination_id: ID(DestinationId(row.destination_id).to_string()),
        received_at: row.received_at,
        state: stored("inbound_hook.state", row.id, &row.state, state)?,
        lead_id: row.lead_id.map(|id| ID(LeadId(id).to_string())),
        result: row.result,
        processed_at: row.processed_at,
    })
}

/// Who wants no more contact.
#[derive(SimpleObject)]
pub struct Suppression {
    id: ID,
    kind: SuppressionKind,
    /// E.164, or the address in lower case.
    value: String,
    reason: Option<String>,
    lead_id: Option<ID>,
    /// Who entered it: a user, a key, or the destination that reported it.
    actor: String,
    created_at: DateTime<Utc>,
}

/// What an entry of the suppression list is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SuppressionKind {
    Phone,
    Email,
}

impl From<suppression::Model> for Suppression {
    fn from(row: suppression::Model) -> Self {
        Self {
            id: ID(SuppressionId(row.id).to_string()),
            kind: if row.kind == "phone" { SuppressionKind::Phone } else { SuppressionKind::Email },
            value: row.value,
            reason: row.reason,
            lead_id: row.lead_id.map(|id| ID(LeadId(id).to_string())),
            actor: row.actor,
            created_at: row.created_at,
        }
    }
}

#[derive(Default)]
pub(super) struct InboundQueries;

#[Object]
impl InboundQueries {
    /// How that destination reports back; null when it does not.
    async fn inbound_endpoint(
        &self,
        context: &Context<'_>,
        destination: Id<DestinationId>,
    ) -> Result<Option<InboundEndpoint>, ApiError> {
        let operation = operation(context)?;
        let open = operation.read().await?;
        let Some(row) = inbound::endpoint(&open, destination.0).await? else { return Ok(None) };
        let kind = domain::inbound::Kind::parse(&row.kind);
        let kind = stored("inbound_endpoint.kind", row.destination_id, &row.kind, kind)?;
        Ok(Some(InboundEndpoint {
            destination_id: ID(destination.0.to_string()),
            kind: kind.into(),
            enabled: row.enabled,
            url: format!("{}/hooks/{}", operation.app.settings.issuer, destination.0),
            created_at: row.created_at,
        }))
    }

    /// Reports, the newest first, of one destination or of all.
    #[graphql(complexity = "list_cost(first, child_complexity)")]
    async fn inbound_hooks(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        destination: Option<Id<DestinationId>>,
    ) -> Result<Vec<InboundHook>, ApiError> {
        let rows = usize::try_from(first)
            .ok()
            .filter(|rows| *rows <= reads::ROWS_MAX)
            .ok_or_else(|| ApiError::limit(format!("`first` is {first}; it is 0 to {}", reads::ROWS_MAX)))?;
        let open = operation(context)?.read().await?;
        let rows = reads::list(&open, destination.map(|id| id.0), rows).await?;
        rows.into_iter().map(hook).collect()
    }

    /// The suppression list, the newest first, up to 500 entries; only those that contain the text, when one is given.
    #[graphql(complexity = "50 + 20 * child_complexity")]
    async fn suppressions(
        &self,
        context: &Context<'_>,
        search: Option<String>,
    ) -> Result<Vec<Suppression>, ApiError> {
        let open = operation(context)?.read().await?;
        Ok(list::list(&open, search.as_deref()).await?.into_iter().map(Into::into).collect())
    }
}

#[derive(SimpleObject)]
struct OpenInboundEndpointPayload {
    /// The code or signing secret, shown once.
    secret: Option<String>,
    /// Where the destination posts to.
    url: Option<String>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct InboundMutations;

#[Object]
impl InboundMutations {
    /// Lets a destination report, or gives it a new secret; the one before goes on being taken until the next.
    async fn open_inbound_endpoint(
        &self,
        context: &Context<'_>,
        destination: Id<DestinationId>,
        kind: InboundKind,
        #[graphql(desc = "The sender's own code, where it gives one; else one is made.")] secret: Option<
            String,
        >,
    ) -> Result<OpenInboundEndpointPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let secret = secret.map(SecretString::from);
        let opened = inbound::open(&operation.app, tenant, destination.0, kind.into(), secret);
        Ok(match expected(operation.change(opened).await)? {
            Ok(secret) => OpenInboundEndpointPayload {
                secret: Some(secret.expose_secret().to_owned()),
                url: Some(format!("{}/hooks/{}", operation.app.settings.issuer, destination.0)),
                error: None,
            },
            Err(error) => OpenInboundEndpointPayload { secret: None, url: None, error: Some(error) },
        })
    }

    /// No longer takes a destination's reports.
    async fn close_inbound_endpoint(
        &self,
        context: &Context<'_>,
        destination: Id<DestinationId>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(inbound::close(&operation.app, tenant, destination.0)).await)
    }

    /// Enters a phone or an e-mail into the suppression list; what waits for it is held.
    async fn suppress(
        &self,
        context: &Context<'_>,
        contact: String,
        reason: Option<String>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let add = async {
            let contact = Contact::read(&contact)?;
            list::add(&operation.app, viewer.tenant, Entry { contact, reason, lead: None, actor })
                .await
                .map(|_| ())
        };
        DonePayload::of(operation.change(add).await)
    }

    /// Takes an entry off the suppression list. Held deliveries are sent when they are retried.
    async fn unsuppress(
        &self,
        context: &Context<'_>,
        id: Id<SuppressionId>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(list::remove(&operation.app, tenant, id.0)).await)
    }
}
