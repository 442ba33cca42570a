//! What would be sent for a lead: the exact request, secrets masked. Nothing is sent and nothing is written.

use domain::delivery::Hold;
use domain::ids::{DeliveryId, DestinationId, LeadId};

use super::destinations::{self, Opener};
use super::request::{self, Shown};
use super::{Error, facts};
use crate::app::App;
use crate::database::TenantTx;

/// What would become of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would be sent.
    Send,
    /// A rule of the client would stop it.
    Rejected {
        /// The rule's category.
        code: String,
        /// Why.
        reason: String,
    },
    /// It could not be sent as it is.
    Held {
        /// What is missing.
        reason: String,
    },
}

/// What would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun {
    /// What would become of it.
    pub verdict: Verdict,
    /// The request; absent when it cannot be made.
    pub request: Option<Shown>,
    /// What would be asked before it was sent a second time.
    pub lookups: Vec<Shown>,
}

/// Says what would be sent to that destination for that lead; none when the transaction sees no such destination or lead.
pub async fn dry_run(
    app: &App,
    tx: &TenantTx,
    destination: DestinationId,
    lead: LeadId,
) -> Result<Option<DryRun>, Error> {
    let (tenant, mut connection) = (tx.tenant(), tx.lock().await);
    let now = app.clock.now();
    let open = Opener { secrets: &app.secrets, allow_private: app.settings.allow_private_addresses, now };
    let Some(found) = destinations::masked(&mut connection, tenant, destination, &open).await? else {
        return Ok(None);
    };
    let Some(facts) = facts::of_lead(&mut connection, tenant, lead).await? else { return Ok(None) };
    let delivery: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM delivery WHERE tenant_id = $1 AND lead_id = $2 AND destination_id = $3",
    )
    .bind(tenant.uuid())
    .bind(lead.uuid())
    .bind(destination.uuid())
    .fetch_optional(&mut *connection)
    .await?;
    drop(connection);
    let destination = match found {
        Ok(destination) => destination,
        Err(reason) => {
            return Ok(Some(DryRun {
                verdict: Verdict::Held { reason },
                request: None,
                lookups: Vec::new(),
            }));
        }
    };
    let rule = destination.plan.profile.rejections.iter().find(|rule| rule.when.holds(&facts));
    let built = request::build(&destination, &facts, DeliveryId(delivery.unwrap_or_default()), now);
    let verdict = match (rule, &built) {
        (Some(rule), _) => Verdict::Rejected { code: rule.code.clone(), reason: rule.reason.clone() },
        (None, Err(hold)) => Verdict::Held { reason: Hold::to_string(hold) },
        (None, Ok(_)) => Verdict::Send,
    };
    let masked = &destination.url_masked;
    let questions = request::questions(&destination, &facts);
    let lookups = questions.iter().map(|question| Shown::of(&question.outgoing, masked)).collect();
    let request = built.ok().map(|outgoing| Shown::of(&outgoing, masked));
    Ok(Some(DryRun { verdict, request, lookups }))
}
