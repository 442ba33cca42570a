//! Proving a repair: what was sent again is looked up at the destination's API.
//!
//! From the web it is a job, as a run is: [`start`] writes the destination's one row and the job, and answers. A lookup is a request to a
//! service that may be slow, and there may be thousands. What a lookup found and the row's count commit together, so whoever takes the
//! job over goes on where a process died and counts nothing twice. What concerns one lead stands in its difference's history; the row says
//! only how far the last proof is, or why it ended early.

use std::sync::Arc;

use domain::ids::{DestinationId, TenantId};
use domain::reconciliation::State;
use entity::{Tenanted, reconciliation_proof};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::api::Wanted;
use super::background::Working;
use super::{ledger, plans, repair, run};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::jobs::{self, How, Job};

/// What came of looking up what was sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proved {
    /// Found there: resolved.
    pub found: u64,
    /// Sent again and still not there: open.
    pub absent: u64,
    /// Still on its way.
    pub waiting: u64,
}

/// The last proof of a destination; none when there was none.
pub async fn of(
    tx: &TenantTx,
    destination: DestinationId,
) -> Result<Option<reconciliation_proof::Model>, Error> {
    Ok(reconciliation_proof::Entity::of(tx.tenant())
        .filter(reconciliation_proof::Column::DestinationId.eq(destination.uuid()))
        .one(tx)
        .await?)
}

/// Begins a proof that goes on by itself; one that is under way is answered as it is.
pub async fn start(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    actor: &str,
) -> Result<reconciliation_proof::Model, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    if plans::api(app, &tx, destination).await?.is_none() {
        let message = "this destination has no API to look leads up at: its next list proves them";
        return Err(Error::invalid("destinationId", message));
    }
    let begun = sqlx::query(
        "INSERT INTO reconciliation_proof AS p (tenant_id, destination_id, actor, state, started_at)
         VALUES ($1, $2, $3, 'running', $4)
         ON CONFLICT (tenant_id, destination_id) DO UPDATE
         SET actor = EXCLUDED.actor, state = 'running', error = NULL, total = 0, found = 0, absent = 0, waiting = 0,
             started_at = EXCLUDED.started_at, finished_at = NULL
         WHERE p.state <> 'running'",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(actor)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    if begun.rows_affected() > 0 {
        queue(tx.connection(), tenant, destination).await?;
    }
    let row = of(&tx, destination).await?.ok_or_else(|| Error::not_found("proof of", destination))?;
    tx.commit().await?;
    Ok(row)
}

async fn queue(
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
) -> Result<(), Error> {
    let how = How::keyed(format!("{} {tenant} {destination}", Prove::NAME));
    jobs::enqueue(connection, &Prove { tenant, destination }, how).await
}

/// Carries out the proof of one destination.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prove {
    tenant: TenantId,
    destination: DestinationId,
}

impl Job for Prove {
    const NAME: &'static str = "reconciliation_proof";

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let Self { tenant, destination } = self;
        // Another process has it.
        let Some(working) = Working::try_on(&app, &held(destination)).await? else { return Ok(()) };
        let Some(actor) = begin(&app, tenant, destination).await? else { return Ok(()) };
        let ended = prove(&app, tenant, destination, &actor).await;
        if let Err(error) = &ended {
            // It stands in the row too, and it is not begun again by itself.
            tracing::warn!(destination.id = %destination, error = error as &dyn std::error::Error, "a proof failed");
        }
        finish(&app, tenant, destination, ended.as_ref().err()).await?;
        drop(working);
        Ok(())
    }
}

/// What the lock of a proof is called.
fn held(destination: DestinationId) -> String {
    format!("the proof of {destination}")
}

/// Writes how much there is to do. Answers who asked for it; none when the proof has ended.
async fn begin(app: &App, tenant: TenantId, destination: DestinationId) -> Result<Option<String>, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let actor = sqlx::query_scalar(
        "UPDATE reconciliation_proof p SET waiting = 0, total = p.found + p.absent + (
             SELECT count(*) FROM reconciliation_exception e
             WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.state = 'resending')::integer
         WHERE p.tenant_id = $1 AND p.destination_id = $2 AND p.state = 'running' RETURNING p.actor",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .fetch_optional(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(actor)
}

async fn finish(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    error: Option<&Error>,
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE reconciliation_proof SET state = CASE WHEN $3::text IS NULL THEN 'done' ELSE 'failed' END, error = $3, finished_at = $4
         WHERE tenant_id = $1 AND destination_id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(error.map(run::told))
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    Ok(tx.commit().await?)
}

/// Queues the proofs that nobody works on any more. Answers how many.
pub(super) async fn take_over(app: &App) -> Result<usize, Error> {
    let running: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT tenant_id, destination_id FROM running_proofs() WHERE tenant_id NOT IN (SELECT suspended_tenants())",
    )
    .fetch_all(&app.database.app)
    .await?;
    let mut taken = 0;
    for (tenant, destination) in running {
        let (tenant, destination) = (TenantId(tenant), DestinationId(destination));
        let Some(working) = Working::try_on(app, &held(destination)).await? else { continue };
        let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
        queue(tx.connection(), tenant, destination).await?;
        tx.commit().await?;
        drop(working);
        taken += 1;
    }
    Ok(taken)
}

/// A lead that was sent again.
#[derive(FromRow)]
struct Resent {
    id: Uuid,
    state: String,
    remote_id: Option<String>,
    external_id: Option<String>,
    phone: Option<String>,
    email: Option<String>,
}

/// Looks up at the destination's API what was sent again, and has been delivered since or may have arrived. Without an API the next list
/// proves it.
pub async fn prove(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    actor: &str,
) -> Result<Proved, Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let api = plans::api(app, &tx, destination).await?;
    let plan = plans::of(&tx, destination).await?;
    tx.commit().await?;
    let mut proved = Proved::default();
    let Some(api) = api else { return Ok(proved) };
    let mapping = plans::mapping(&plan)?;
    let mut after = Uuid::nil();
    loop {
        let batch = resent(app, tenant, destination, after).await?;
        let Some(last) = batch.last() else { return Ok(proved) };
        after = last.id;
        proved.waiting += batch.iter().filter(|lead| lead.state == "pending").count() as u64;
        write_waiting(app, tenant, destination, proved.waiting).await?;
        for lead in batch.into_iter().filter(|lead| lead.state != "pending") {
            let wanted = Wanted {
                remote_id: lead.remote_id,
                external_id: lead.external_id,
                phone: lead.phone,
                email: lead.email,
            };
            // Of any other end we know ourselves that it is not there.
            let may_be = matches!(lead.state.as_str(), "delivered" | "unknown");
            let there = may_be && api.find(&mapping, &wanted).await?.is_some();
            let reason = if there { "sent again and found there" } else { absence(&lead.state) };
            if settle(app, (tenant, destination), lead.id, (there, reason), actor).await? {
                let count = if there { &mut proved.found } else { &mut proved.absent };
                *count += 1;
            }
        }
    }
}

/// What is told of a lead that was sent again, came to that state and was not found.
fn absence(state: &str) -> &'static str {
    match state {
        "delivered" => "sent again and still not there",
        "unknown" => ledger::NOT_KNOWN,
        _ => ledger::NOT_TAKEN,
    }
}

async fn resent(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    after: Uuid,
) -> Result<Vec<Resent>, Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    Ok(sqlx::query_as(
        "SELECT e.id, d.state, d.remote_id, l.external_id, l.phone, l.email
         FROM reconciliation_exception e
         JOIN delivery d ON d.tenant_id = e.tenant_id AND d.id = e.delivery_id
         JOIN lead l ON l.tenant_id = d.tenant_id AND l.id = d.lead_id
         WHERE e.tenant_id = $1 AND e.destination_id = $2 AND e.state = 'resending' AND e.id > $3
         ORDER BY e.id LIMIT $4",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(after)
    .bind(repair::BATCH)
    .fetch_all(tx.connection())
    .await?)
}

/// Writes what a lookup found, and counts it. False when the difference was settled otherwise while it was looked up.
async fn settle(
    app: &App,
    (tenant, destination): (TenantId, DestinationId),
    difference: Uuid,
    (there, reason): (bool, &str),
    actor: &str,
) -> Result<bool, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let still: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM reconciliation_exception WHERE tenant_id = $1 AND id = $2 AND state = 'resending' FOR UPDATE",
    )
    .bind(tenant.uuid())
    .bind(difference)
    .fetch_optional(tx.connection())
    .await?;
    if still.is_none() {
        return Ok(false);
    }
    let state = if there { State::Resolved } else { State::Open };
    repair::to(app, &mut tx, &[difference], state, Some(reason), actor).await?;
    // A proof that is under way counts what the night or a command looks up beside it: it has it in its total.
    sqlx::query(
        "UPDATE reconciliation_proof SET found = found + $3::boolean::integer, absent = absent + (NOT $3)::integer
         WHERE tenant_id = $1 AND destination_id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(there)
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(true)
}

async fn write_waiting(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    waiting: u64,
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE reconciliation_proof SET waiting = $3
         WHERE tenant_id = $1 AND destination_id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(i32::try_from(waiting).unwrap_or(i32::MAX))
    .execute(tx.connection())
    .await?;
    Ok(tx.commit().await?)
}
