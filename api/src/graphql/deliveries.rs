//! Deliveries as they are listed and loaded, and their second chance.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::ids::{DeliveryId, DestinationId, LeadId};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use service::delivery::reads::{self, DeliveryRow};
use service::delivery::{InDoubt, Retried};
use uuid::Uuid;

use super::big_int::BigInt;
use super::delivery::{AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState};
use super::destinations;
use super::error::{ApiError, UserError, expected, found, stored};
use super::id::{Id, each};
use super::leads;
use super::operation::{Reads, operation};
use super::page::{Listed, Window, connection, page_cost};
use super::wants::{DeliveryWants, Selected, Wants};

/// The deliveries of those rows, in their order, with what is wanted of them.
///
/// Boxed, because a delivery's lead has deliveries: how deep, the operation says and its depth is bounded.
pub(super) fn load<'a>(
    reads: &'a Reads,
    rows: Vec<DeliveryRow>,
    wants: &'a DeliveryWants,
) -> BoxFuture<'a, Result<Vec<Arc<Delivery>>, ApiError>> {
    async move {
        let mut attempts = if wants.attempts { attempts_of(reads, &rows).await? } else { HashMap::new() };
        let destinations = match wants.destination {
            Some(wanted) => {
                destinations::by_ids(reads, rows.iter().map(|row| row.destination_id), wanted).await?
            }
            None => HashMap::new(),
        };
        let of_leads = match &wants.lead {
            Some(wanted) => leads::by_ids(reads, rows.iter().map(|row| row.lead_id), wanted).await?,
            None => HashMap::new(),
        };
        let delivery = |row: DeliveryRow| -> Result<Arc<Delivery>, ApiError> {
            let sent_now = row.state == "pending" && row.lease.is_some() && row.due_at > reads.now;
            let word = if sent_now { "sending" } else { &row.state };
            let state = stored("delivery.state", row.id, &row.state, DeliveryState::of(word))?;
            Ok(Arc::new(Delivery {
                state,
                lead: of_leads.get(&row.lead_id).map(Arc::clone),
                destination: destinations.get(&row.destination_id).map(Arc::clone),
                attempts: wants.attempts.then(|| attempts.remove(&row.id).unwrap_or_default()),
                row,
            }))
        };
        rows.into_iter().map(delivery).collect()
    }
    .boxed()
}

async fn attempts_of(
    reads: &Reads,
    rows: &[DeliveryRow],
) -> Result<HashMap<Uuid, Vec<DeliveryAttempt>>, ApiError> {
    let ids: Vec<DeliveryId> = rows.iter().map(|row| DeliveryId(row.id)).collect();
    let mut by_delivery: HashMap<Uuid, Vec<DeliveryAttempt>> = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(by_delivery);
    }
    for row in reads::attempts_of(reads, &ids).await? {
        let outcome = AttemptOutcome::of(&row.outcome);
        let outcome = stored("delivery_attempt.outcome", row.delivery_id, &row.outcome, outcome)?;
        by_delivery.entry(row.delivery_id).or_default().push(DeliveryAttempt { row, outcome });
    }
    Ok(by_delivery)
}

/// The delivery of that id, when there is one.
async fn by_id(
    reads: &Reads,
    id: DeliveryId,
    wants: &DeliveryWants,
) -> Result<Option<Arc<Delivery>>, ApiError> {
    let row = found(reads::by_id(reads, id).await)?;
    Ok(load(reads, row.into_iter().collect(), wants).await?.pop())
}

/// Which deliveries.
#[derive(Default, InputObject)]
pub struct DeliveryFilter {
    destination_ids: Option<Vec<Id<DestinationId>>>,
    states: Option<Vec<DeliveryState>>,
    http_status: Option<i32>,
    lead_id: Option<Id<LeadId>>,
}

impl DeliveryFilter {
    fn read(self) -> Result<reads::DeliveryFilter, ApiError> {
        let status = |status: i32| {
            i16::try_from(status).map_err(|_| {
                ApiError::invalid("filter.httpStatus", "an HTTP status has three digits, as in 422")
            })
        };
        Ok(reads::DeliveryFilter {
            destinations: each(self.destination_ids.as_ref()),
            states: self.states.into_iter().flatten().map(|state| state.word().to_owned()).collect(),
            http_status: self.http_status.map(status).transpose()?,
            lead: self.lead_id.map(|id| id.0),
        })
    }
}

connection! {
    /// A page of deliveries.
    DeliveryConnection, DeliveryEdge, Delivery {}
}

#[derive(Default)]
pub(super) struct DeliveryQueries;

#[Object]
impl DeliveryQueries {
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<DeliveryFilter>,
    ) -> Result<DeliveryConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), last, before: before.as_deref() }.page()?;
        let filter = filter.unwrap_or_default().read()?;
        let wants = DeliveryWants::read(&Selected::here(context).nodes());
        let reads = operation(context)?.read().await?;
        let rows = reads::list(&reads, &filter, page, reads.now).await?;
        let nodes = load(&reads, rows.rows, &wants).await?;
        let listed = Listed::new(nodes, |delivery| delivery.row.id, (rows.more_after, rows.more_before));
        Ok(DeliveryConnection { page_info: listed.info(), listed })
    }

    async fn delivery(
        &self,
        context: &Context<'_>,
        id: Id<DeliveryId>,
    ) -> Result<Option<Arc<Delivery>>, ApiError> {
        let wants = DeliveryWants::read(&Selected::here(context));
        by_id(&operation(context)?.read().await?, id.0, &wants).await
    }
}

#[derive(SimpleObject)]
struct RetryDeliveryPayload {
    delivery: Option<Arc<Delivery>>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RetryDeliveriesPayload {
    retried: u64,
    /// Those that are not there, or came to no bad end.
    left: u64,
    /// Left, because they may have arrived already, at a destination that can neither be asked nor recognises a copy.
    in_doubt: u64,
}

#[derive(SimpleObject)]
struct RetryAllFailedPayload {
    retried: BigInt,
}

#[derive(Default)]
pub(super) struct DeliveryMutations;

#[Object]
impl DeliveryMutations {
    async fn retry_delivery(
        &self,
        context: &Context<'_>,
        id: Id<DeliveryId>,
    ) -> Result<RetryDeliveryPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (retries, actor) = (operation.app.retries(), viewer.actor.to_string());
        let retry = async { Ok(retries.retry(viewer.tenant, id.0, &actor).await?) };
        if let Err(error) = expected(operation.change(retry).await)? {
            return Ok(RetryDeliveryPayload { delivery: None, error: Some(error) });
        }
        let wants = DeliveryWants::read(&Selected::here(context).field("delivery"));
        let delivery = by_id(&operation.read().await?, id.0, &wants).await?;
        Ok(RetryDeliveryPayload { delivery, error: None })
    }

    /// Several at once, at most 500: failed, held or unknown ones; the others are left as they are.
    async fn retry_deliveries(
        &self,
        context: &Context<'_>,
        ids: Vec<Id<DeliveryId>>,
        #[graphql(default, desc = "Also those that may have arrived already: each is a decision.")]
        in_doubt: bool,
    ) -> Result<RetryDeliveriesPayload, ApiError> {
        const IDS_MAX: usize = 500;
        if ids.len() > IDS_MAX {
            return Err(ApiError::limit(format!("at most {IDS_MAX} deliveries at once")));
        }
        let Retried { retried, in_doubt, skipped } = retry_each(context, &ids, in_doubt).await?;
        Ok(RetryDeliveriesPayload { retried, left: skipped, in_doubt: in_doubt.len() as u64 })
    }

    /// Says that a delivery of unknown outcome has arrived, under the destination's own id when it is known.
    async fn confirm_delivery(
        &self,
        context: &Context<'_>,
        id: Id<DeliveryId>,
        remote_id: Option<String>,
    ) -> Result<RetryDeliveryPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (retries, actor) = (operation.app.retries(), viewer.actor.to_string());
        let confirm = async { Ok(retries.confirm(viewer.tenant, id.0, remote_id.as_deref(), &actor).await?) };
        if let Err(error) = expected(operation.change(confirm).await)? {
            return Ok(RetryDeliveryPayload { delivery: None, error: Some(error) });
        }
        let wants = DeliveryWants::read(&Selected::here(context).field("delivery"));
        let delivery = by_id(&operation.read().await?, id.0, &wants).await?;
        Ok(RetryDeliveryPayload { delivery, error: None })
    }

    /// Every failed or held delivery, of one destination or of all. Unknown ones are left: each is a decision.
    async fn retry_all_failed(
        &self,
        context: &Context<'_>,
        destination: Option<Id<DestinationId>>,
    ) -> Result<RetryAllFailedPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let destination = destination.map(|id| id.0);
        if let Some(id) = destination {
            // Another tenant's destination is not found, like any unknown one.
            service::delivery::manage::by_id(&*operation.read().await?, id).await?;
        }
        let (again, actor) = (operation.app.retries(), viewer.actor.to_string());
        let retry = async { Ok(again.retry_all_failed(viewer.tenant, destination, &actor).await?) };
        let retried = operation.change(retry).await?;
        Ok(RetryAllFailedPayload { retried: BigInt(i64::try_from(retried).unwrap_or(i64::MAX)) })
    }
}

/// Gives those deliveries a second chance, in the caller's name.
pub(super) async fn retry_each(
    context: &Context<'_>,
    ids: &[Id<DeliveryId>],
    in_doubt: bool,
) -> Result<Retried, ApiError> {
    let operation = operation(context)?;
    let viewer = operation.viewer()?;
    let (retries, actor) = (operation.app.retries(), viewer.actor.to_string());
    let ids: Vec<DeliveryId> = ids.iter().map(|id| id.0).collect();
    let in_doubt = if in_doubt { InDoubt::Send } else { InDoubt::Leave };
    let retry = async { Ok(retries.retry_each(viewer.tenant, &ids, in_doubt, &actor).await?) };
    Ok(operation.change(retry).await?)
}
