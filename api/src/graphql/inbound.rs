//! Reports of destinations, and the suppression list.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, InboundHookId, LeadId, SuppressionId};
use entity::suppression;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use service::inbound::reads::{self, HookFilter, HookRow};
use service::suppression::{self as list, Contact, Entry};
use service::{Error, inbound};

use super::alerts::DonePayload;
use super::at_hand::{AtHand, Below, Getter};
use super::error::{ApiError, UserError, expected, found, stored};
use super::id::Id;
use super::operation::operation;
use super::page::{Listed, Window, connection, page_cost};

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
    /// The sender's own words → what they mean, beside the usual ones.
    words: Value,
    created_at: DateTime<Utc>,
}

/// A report as it came in.
pub struct InboundHook {
    row: HookRow,
    state: InboundState,
    confirmation: Option<InboundConfirmation>,
    body: Option<String>,
}

#[Object]
impl InboundHook {
    async fn id(&self) -> ID {
        ID(InboundHookId(self.row.id).to_string())
    }

    async fn destination_id(&self) -> ID {
        ID(DestinationId(self.row.destination_id).to_string())
    }

    async fn received_at(&self) -> DateTime<Utc> {
        self.row.received_at
    }

    async fn state(&self) -> InboundState {
        self.state
    }

    /// What the service's own record says of it; null: its signature vouches for it, or nobody has asked yet.
    async fn confirmation(&self) -> Option<InboundConfirmation> {
        self.confirmation
    }

    async fn lead_id(&self) -> Option<ID> {
        self.row.lead_id.map(|id| ID(LeadId(id).to_string()))
    }

    /// What was done, why nothing was, or what it waits for.
    async fn result(&self) -> Option<&str> {
        self.row.result.as_deref()
    }

    async fn processed_at(&self) -> Option<DateTime<Utc>> {
        self.row.processed_at
    }

    /// As it came; of a single report, null in a list.
    async fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }
}

impl AtHand for InboundHook {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of reports.
    InboundHookConnection, InboundHookEdge, InboundHook {}
}

/// What the service's own record says of a report that only a static code vouches for.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum InboundConfirmation {
    /// The same.
    Confirmed,
    /// Something else, or it knows nothing of it: the report has no effect.
    Contradicted,
    /// There is no API to ask; the report is believed.
    Unchecked,
}

/// Where a report stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum InboundState {
    Received,
    Processed,
    Ignored,
    Failed,
}

impl InboundState {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Received, "received"),
        (Self::Processed, "processed"),
        (Self::Ignored, "ignored"),
        (Self::Failed, "failed"),
    ];
}

fn hook(row: HookRow, body: Option<String>) -> Result<Arc<InboundHook>, ApiError> {
    let state = InboundState::ALL.into_iter().find(|(_, word)| *word == row.state);
    let confirmation = row.confirmation.as_deref().map(|word| {
        let known = match word {
            "confirmed" => Some(InboundConfirmation::Confirmed),
            "contradicted" => Some(InboundConfirmation::Contradicted),
            "unchecked" => Some(InboundConfirmation::Unchecked),
            _ => None,
        };
        stored("inbound_hook.confirmation", row.id, word, known)
    });
    Ok(Arc::new(InboundHook {
        state: stored("inbound_hook.state", row.id, &row.state, state.map(|(state, _)| state))?,
        confirmation: confirmation.transpose()?,
        row,
        body,
    }))
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
            words: row.status_map,
            created_at: row.created_at,
        }))
    }

    /// Reports, the newest first, of one destination or of all.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn inbound_hooks(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        destination: Option<Id<DestinationId>>,
        states: Option<Vec<InboundState>>,
    ) -> Result<InboundHookConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let word = |state: &InboundState| InboundState::ALL.into_iter().find(|(one, _)| one == state);
        let states = states.iter().flatten().filter_map(word).map(|(_, word)| word.to_owned()).collect();
        let filter = HookFilter { destination: destination.map(|id| id.0), states };
        let open = operation(context)?.read().await?;
        let rows = reads::list(&open, &filter, page).await?;
        let nodes = rows.rows.into_iter().map(|row| hook(row, None)).collect::<Result<Vec<_>, _>>()?;
        let listed = Listed::new(nodes, |hook| hook.row.id, (rows.more_after, rows.more_before));
        Ok(InboundHookConnection { page_info: listed.info(), listed })
    }

    /// One report with its body.
    async fn inbound_hook(
        &self,
        context: &Context<'_>,
        id: Id<InboundHookId>,
    ) -> Result<Option<Arc<InboundHook>>, ApiError> {
        let open = operation(context)?.read().await?;
        let one = found(reads::by_id(&open, id.0).await)?;
        one.map(|(row, body)| hook(row, Some(body))).transpose()
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

#[derive(SimpleObject)]
struct ProcessReportsPayload {
    /// How many are processed again.
    queued: Option<i32>,
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

    /// Sets what a sender's own words mean: `{"In Escrow": "qualified"}`; one of submitted, contacted, qualified, sold, lost, `opted_out`, ignored.
    async fn set_inbound_words(
        &self,
        context: &Context<'_>,
        destination: Id<DestinationId>,
        words: Value,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let set = async {
            let map: BTreeMap<String, String> = serde_json::from_value(words).map_err(|_| {
                Error::invalid("words", "it is an object of texts: {\"In Escrow\": \"qualified\"}")
            })?;
            inbound::set_status_map(&operation.app, tenant, destination.0, &map).await
        };
        DonePayload::of(operation.change(set).await)
    }

    /// Has reports that failed or were ignored processed once more.
    async fn process_reports(
        &self,
        context: &Context<'_>,
        ids: Vec<Id<InboundHookId>>,
    ) -> Result<ProcessReportsPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let ids: Vec<InboundHookId> = ids.into_iter().map(|id| id.0).collect();
        let again = inbound::process::again(&operation.app, tenant, &ids);
        Ok(match expected(operation.change(again).await)? {
            Ok(count) => {
                let queued = Some(i32::try_from(count).unwrap_or(i32::MAX));
                ProcessReportsPayload { queued, error: None }
            }
            Err(error) => ProcessReportsPayload { queued: None, error: Some(error) },
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
