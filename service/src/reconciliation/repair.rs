//! Putting right: what is missing is sent again, which [`super::proof`] looks up; what is there after all is called delivered.

use domain::ids::{DeliveryId, DestinationId, ExceptionId, LeadId, ReconciliationId, TenantId};
use domain::reconciliation::State;
use domain::sla::Event;
use uuid::Uuid;

use super::exceptions;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::{Seen, manage};
use crate::error::Error;
use crate::sla::clocks::{self, Occurrence};

/// Exceptions of one transaction.
pub(super) const BATCH: i64 = 500;

/// Sends the leads of those exceptions again: their deliveries are due at once, under the same message id. Answers how many;
/// one that is not missing, or not open, is refused and nothing is sent.
pub async fn resend(app: &App, tenant: TenantId, ids: &[ExceptionId], actor: &str) -> Result<u64, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    lock(&mut tx, ids).await?;
    let found = exceptions::by_ids(&tx, ids).await?;
    for id in ids {
        let row =
            found.iter().find(|row| row.id == id.uuid()).ok_or_else(|| Error::not_found("difference", id))?;
        if row.kind != "missing" || row.state != "open" {
            let message = format!(
                "{id} is {} and {}; only an open missing lead can be sent again",
                row.kind, row.state
            );
            return Err(Error::Conflict(message.into()));
        }
    }
    let pairs: Vec<(Uuid, Uuid)> = found.iter().filter_map(|row| Some((row.id, row.delivery_id?))).collect();
    let sent = send(app, &mut tx, (&pairs, Seen::ByAPerson), actor).await?;
    tx.commit().await?;
    app.wake.delivery();
    Ok(sent)
}

/// Sends again what is missing at a destination, oldest first, up to `most`; of a run, only what that run has found. Where two people may
/// have become one there, a person has to look first: those are left out, and so is what we know ourselves not to be delivered. Nobody has
/// looked at each of the others, so that the destination is asked before each is sent, where it can be asked.
pub async fn resend_missing(
    app: &App,
    tenant: TenantId,
    (destination, of): (DestinationId, Option<ReconciliationId>),
    most: u64,
    actor: &str,
) -> Result<u64, Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    manage::by_id(&tx, destination).await?;
    tx.commit().await?;
    let mut total = 0;
    while total < most {
        let batch = BATCH.min(i64::try_from(most - total).unwrap_or(BATCH));
        let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
        let pairs: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "SELECT e.id, e.delivery_id FROM reconciliation_exception e JOIN reconciliation_difference d
               ON d.tenant_id = e.tenant_id AND d.exception_id = e.id AND d.run_id = e.last_run_id
             JOIN delivery ours ON ours.tenant_id = e.tenant_id AND ours.id = e.delivery_id AND ours.state = 'delivered'
             WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.state = 'open' AND e.kind = 'missing'
               AND NOT d.merge_suspected AND ($4::uuid IS NULL OR e.last_run_id = $4)
             ORDER BY e.id LIMIT $3 FOR UPDATE OF e",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(batch)
        .bind(of.map(ReconciliationId::uuid))
        .fetch_all(tx.connection())
        .await?;
        if pairs.is_empty() {
            break;
        }
        total += send(app, &mut tx, (&pairs, Seen::ByNobody), actor).await?;
        tx.commit().await?;
        app.wake.delivery();
    }
    Ok(total)
}

/// Of two people who act on a difference at the same moment the second sees what the first has done, and nothing is sent twice.
async fn lock(tx: &mut TenantTx, ids: &[ExceptionId]) -> Result<(), Error> {
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "SELECT FROM reconciliation_exception WHERE tenant_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE",
    )
    .bind(tenant)
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Makes the deliveries pending and says so everywhere: in the exception, its history, and the lead's journey.
async fn send(
    app: &App,
    tx: &mut TenantTx,
    (pairs, seen): (&[(Uuid, Uuid)], Seen),
    actor: &str,
) -> Result<u64, Error> {
    let tenant = tx.tenant();
    let ids: Vec<Uuid> = pairs.iter().map(|(exception, _)| *exception).collect();
    let deliveries: Vec<DeliveryId> = pairs.iter().map(|(_, delivery)| DeliveryId(*delivery)).collect();
    let sent = app.retries().resend(tx.connection(), tenant, (&deliveries, seen), actor).await?;
    to(app, tx, &ids, State::Resending, None, actor).await?;
    Ok(sent)
}

/// Moves those exceptions to a state, with a step of their history.
pub(super) async fn to(
    app: &App,
    tx: &mut TenantTx,
    ids: &[Uuid],
    state: State,
    reason: Option<&str>,
    actor: &str,
) -> Result<(), Error> {
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "UPDATE reconciliation_exception SET state = $3, reason = $4, updated_at = $5
         WHERE tenant_id = $1 AND id = ANY ($2)",
    )
    .bind(tenant)
    .bind(ids)
    .bind(state.as_str())
    .bind(reason)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    exceptions::write_steps(app, tx, ids, actor, state, reason).await
}

/// What their list has and our record does not call delivered becomes delivered, with their id: the evidence is theirs.
pub async fn confirm(app: &App, tenant: TenantId, id: ExceptionId, actor: &str) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    lock(&mut tx, &[id]).await?;
    let row = exceptions::by_id(&tx, id).await?;
    if row.kind != "unconfirmed" || row.state != "open" {
        let message = format!(
            "{id} is {} and {}; only an open one that was found there can be confirmed",
            row.kind, row.state
        );
        return Err(Error::Conflict(message.into()));
    }
    sqlx::query(
        "UPDATE delivery SET state = 'delivered', finished_at = $3, remote_id = coalesce($4, remote_id), reason = NULL,
             code = NULL, unsure = false, lease = NULL, failed_once = failed_once OR state <> 'pending'
         WHERE tenant_id = $1 AND id = $2 AND state <> 'delivered'",
    )
    .bind(tenant.uuid())
    .bind(row.delivery_id)
    .bind(app.clock.now())
    .bind(&row.remote_id)
    .execute(tx.connection())
    .await?;
    if let Some(lead) = row.lead_id {
        // Clocks that wait for the handing over stop: it is handed over.
        let now = app.clock.now();
        let destination = Some(DestinationId(row.destination_id));
        let occurrence = Occurrence { destination, ..Occurrence::of(LeadId(lead), now) };
        clocks::occurred(tx.connection(), tenant, Event::Delivered, &[occurrence], now, &app.ids).await?;
    }
    to(app, &mut tx, &[row.id], State::Resolved, Some("confirmed: it is in their list"), actor).await?;
    tx.commit().await?;
    Ok(())
}
