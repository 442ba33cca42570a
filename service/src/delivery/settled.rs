//! What others do in the transaction in which deliveries come to an end.

use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use domain::sla::Event;
use sqlx::PgConnection;

use super::Error;
use crate::runtime::Ids;
use crate::sla::clocks::{self, Occurrence};

/// How a delivery came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The destination has it.
    Delivered,
    /// It was refused, or its attempts are used up; or a person is to try again.
    Failed,
    /// It may have arrived; a person decides.
    Unknown,
    /// A rule of the client stopped it before it was sent.
    Rejected,
}

/// A delivery that has come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Whose it is.
    pub lead: LeadId,
    /// Where to.
    pub destination: DestinationId,
    /// How it ended.
    pub end: End,
    /// When.
    pub at: DateTime<Utc>,
}

impl End {
    /// From the column `delivery.state`; none for a state that is no end.
    pub fn of(state: &str) -> Option<Self> {
        match state {
            "delivered" => Some(Self::Delivered),
            "failed" => Some(Self::Failed),
            "unknown" => Some(Self::Unknown),
            "rejected" => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// Called once for each batch of outcomes, before its commit: what is written here holds exactly when the outcomes do.
/// An error takes the outcomes back, and the batch is tried again; so nothing here may depend on the world outside the
/// transaction. Batches have up to some hundred deliveries, so use one statement for all of them.
///
/// A delivery that a person retried, or that reconciliation sends again, comes to an end again.
pub(super) async fn settled(
    connection: &mut PgConnection,
    tenant: TenantId,
    settled: &[Settled],
    (now, ids): (DateTime<Utc>, &Ids),
) -> Result<(), Error> {
    let delivered = settled.iter().filter(|settled| settled.end == End::Delivered);
    let delivered: Vec<Occurrence> = delivered
        .map(|settled| Occurrence {
            destination: Some(settled.destination),
            ..Occurrence::of(settled.lead, settled.at)
        })
        .collect();
    clocks::occurred(connection, tenant, Event::Delivered, &delivered, now, ids)
        .await
        .map_err(|error| Error::Clocks(Box::new(error)))
}
