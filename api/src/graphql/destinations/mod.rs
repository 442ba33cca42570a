//! Destinations. Their addresses are secrets: they go in and never come out.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use domain::ids::DestinationId;
use entity::destination;
use service::delivery::{manage, reads};
use uuid::Uuid;

use super::at_hand::{AtHand, Below, Getter};
use super::big_int::BigInt;
use super::error::{ApiError, found, stored};
use super::id::Id;
use super::operation::{Reads, operation};
use super::sources::{distinct, not_loaded};
use super::wants::{DestinationWants, Selected, Wants};

mod changing;

pub(super) use changing::DestinationMutations;

/// What kind of receiver a destination is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::delivery::Kind")]
pub enum DestinationKind {
    /// Bonzo's inbound webhook.
    Bonzo,
    /// Bonzo's API v3, with a token; prospects can be looked up.
    BonzoApi,
    /// NPA's lead API.
    Npa,
    /// boberdoo's posting API.
    Boberdoo,
    /// Any receiver that follows Standard Webhooks.
    Webhook,
}

/// Whether leads flow to a destination.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum Breaker {
    /// They flow.
    Closed,
    /// Nobody answers there; one at a time is tried until one gets through.
    Open,
    /// It does not let us in, or a person stopped it; leads wait until it is resumed.
    Held,
}

impl Breaker {
    fn of(word: &str) -> Option<Self> {
        match word {
            "closed" => Some(Self::Closed),
            "open" => Some(Self::Open),
            "held" => Some(Self::Held),
            _ => None,
        }
    }
}

/// Where leads are delivered.
#[derive(Clone, Debug)]
pub struct Destination {
    pub(super) row: destination::Model,
    kind: DestinationKind,
    counts: Option<Counts>,
}

/// Deliveries by state.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pending: i64,
    delivered: i64,
    failed: i64,
    held: i64,
    unknown: i64,
    rejected: i64,
}

impl Destination {
    fn counts(&self) -> Result<Counts, ApiError> {
        self.counts.ok_or_else(|| not_loaded("Destination's counts"))
    }
}

#[Object]
impl Destination {
    async fn id(&self) -> ID {
        ID(DestinationId(self.row.id).to_string())
    }

    async fn slug(&self) -> &str {
        &self.row.slug
    }

    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn kind(&self) -> DestinationKind {
        self.kind
    }

    async fn enabled(&self) -> bool {
        self.row.enabled
    }

    /// Host and masked path; the URL itself is a secret.
    async fn url_masked(&self) -> &str {
        &self.row.url_masked
    }

    /// What stands for a missing first name; null holds such a lead.
    async fn first_name_fallback(&self) -> Option<&str> {
        self.row.first_name_fallback.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn breaker(&self) -> Result<Breaker, ApiError> {
        stored("destination.breaker", self.row.id, &self.row.breaker, Breaker::of(&self.row.breaker))
    }

    /// Why leads do not flow.
    async fn breaker_reason(&self) -> Option<&str> {
        self.row.breaker_reason.as_deref()
    }

    async fn breaker_since(&self) -> Option<DateTime<Utc>> {
        self.row.breaker_since
    }

    /// When it is tried again whether it answers.
    async fn probe_at(&self) -> Option<DateTime<Utc>> {
        self.row.probe_at
    }

    /// What differs from the profile of its kind.
    async fn settings(&self) -> &serde_json::Value {
        &self.row.settings
    }

    /// The profile of its kind, over which the settings are laid.
    async fn kind_profile(&self) -> serde_json::Value {
        domain::delivery::Kind::from(self.kind).profile()
    }

    /// The names of the secrets that its templates ask for.
    async fn credential_names(&self) -> Vec<String> {
        domain::delivery::Plan::new(self.kind.into(), &self.row.settings)
            .map(|plan| plan.secrets)
            .unwrap_or_default()
    }

    /// Until then the signing secret before the present one signs too.
    async fn older_secret_signs_until(&self) -> Option<DateTime<Utc>> {
        self.row.signing_old_until
    }

    async fn pending(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.pending.into())
    }

    async fn delivered(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.delivered.into())
    }

    async fn failed(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.failed.into())
    }

    async fn held(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.held.into())
    }

    async fn unknown(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.unknown.into())
    }

    async fn rejected(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.rejected.into())
    }
}

impl AtHand for Destination {
    fn getter(field: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        Some(Getter::Leaf(match field {
            "id" => |destination, out| out.id(DestinationId(destination.row.id)),
            "slug" => |destination, out| out.string(&destination.row.slug),
            "name" => |destination, out| out.string(&destination.row.name),
            "kind" => |destination, out| out.enumerated(destination.kind),
            "enabled" => |destination, out| out.boolean(destination.row.enabled),
            "urlMasked" => |destination, out| out.string(&destination.row.url_masked),
            _ => return None,
        }))
    }
}

/// The destinations of those rows, with what is wanted of them.
async fn load(
    reads: &Reads,
    rows: Vec<destination::Model>,
    wants: DestinationWants,
) -> Result<Vec<Arc<Destination>>, ApiError> {
    let counts = if wants.counts && !rows.is_empty() { Some(counts_by_id(reads).await?) } else { None };
    let destination = |row: destination::Model| {
        let kind = domain::delivery::Kind::parse(&row.kind);
        let kind = stored("destination.kind", row.id, &row.kind, kind)?.into();
        let counts = counts.as_ref().map(|counts| counts.get(&row.id).copied().unwrap_or_default());
        Ok(Arc::new(Destination { row, kind, counts }))
    };
    rows.into_iter().map(destination).collect()
}

async fn counts_by_id(reads: &Reads) -> Result<HashMap<Uuid, Counts>, ApiError> {
    let mut counts: HashMap<Uuid, Counts> = HashMap::new();
    for (destination, state, count) in reads::count_by_destination(reads).await? {
        let of_one = counts.entry(destination.uuid()).or_default();
        match state.as_str() {
            "delivered" => of_one.delivered += count,
            "failed" => of_one.failed += count,
            "held" => of_one.held += count,
            "unknown" => of_one.unknown += count,
            "rejected" => of_one.rejected += count,
            _ => of_one.pending += count,
        }
    }
    Ok(counts)
}

/// The destinations of those ids by id.
pub(super) async fn by_ids(
    reads: &Reads,
    ids: impl IntoIterator<Item = Uuid>,
    wants: DestinationWants,
) -> Result<HashMap<Uuid, Arc<Destination>>, ApiError> {
    let ids: Vec<DestinationId> = distinct(ids).map(DestinationId).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = manage::by_ids(reads, &ids).await?;
    Ok(load(reads, rows, wants)
        .await?
        .into_iter()
        .map(|destination| (destination.row.id, destination))
        .collect())
}

#[derive(Default)]
pub(super) struct DestinationQueries;

#[Object]
impl DestinationQueries {
    async fn destinations(&self, context: &Context<'_>) -> Result<Vec<Arc<Destination>>, ApiError> {
        let reads = operation(context)?.read().await?;
        load(&reads, manage::list(&reads).await?, DestinationWants::read(&Selected::here(context))).await
    }

    async fn destination(
        &self,
        context: &Context<'_>,
        id: Id<DestinationId>,
    ) -> Result<Option<Arc<Destination>>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = found(manage::by_id(&reads, id.0).await)?;
        Ok(load(&reads, row.into_iter().collect(), DestinationWants::read(&Selected::here(context)))
            .await?
            .pop())
    }
}

/// A destination after a change, as the payload's reads see it.
pub(super) async fn changed(
    context: &Context<'_>,
    row: destination::Model,
) -> Result<Option<Arc<Destination>>, ApiError> {
    let reads = operation(context)?.read().await?;
    let wants = DestinationWants::read(&Selected::here(context).field("destination"));
    Ok(load(&reads, vec![row], wants).await?.pop())
}
