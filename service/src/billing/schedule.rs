//! Periods that close by themselves: of partners that want it, once the period is over in their zone. A job each, so that one
//! that cannot be closed now is tried again and holds up none of the others.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::billing::Period;
use domain::ids::{PartnerId, RatePlanId, TenantId};
use entity::partner;
use serde::{Deserialize, Serialize};

use super::{closing, partners, plans, reports};
use crate::access::Actor;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::jobs::{self, How, Job};

/// Periods of a partner that are made up for at most, after a time in which nothing ran.
const BEHIND_MAX: usize = 12;

/// Looks, every quarter of an hour, which periods are due, and queues a job for each. Tenants that are suspended wait.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tick {}

impl Job for Tick {
    const NAME: &'static str = "billing_tick";
    /// The next quarter of an hour brings another.
    const ATTEMPTS_MAX: i16 = 1;

    fn tenant(&self) -> Option<TenantId> {
        None
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        for tenant in tenants(&app).await? {
            // What one tenant lacks holds up no other.
            if let Err(error) = queue_due(&app, tenant).await {
                tracing::warn!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "periods that are due could not be queued");
            }
        }
        Ok(())
    }
}

/// The tenants, not suspended, that have partners whose periods close by themselves.
pub async fn tenants(app: &App) -> Result<Vec<TenantId>, Error> {
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM tenants_with_closing_partners() AS closing (id) WHERE id NOT IN (SELECT suspended_tenants())",
    )
    .fetch_all(&app.database.app)
    .await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

async fn queue_due(app: &App, tenant: TenantId) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    for partner in partners::partners(&tx).await?.into_iter().filter(|partner| partner.closes_itself) {
        for period in due(&tx, &partner, now).await? {
            let job =
                ClosePeriod { tenant, partner: PartnerId(partner.id), start: period.start, end: period.end };
            let key = format!("{} {tenant} {} {period}", ClosePeriod::NAME, job.partner);
            jobs::enqueue(tx.connection(), &job, How::keyed(key)).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// The partner's periods that are over and that nobody has closed: those after its latest report, or the last one alone when
/// it has none. One whose report was voided is a person's to close again.
async fn due(tx: &TenantTx, partner: &partner::Model, now: DateTime<Utc>) -> Result<Vec<Period>, Error> {
    let zone = partners::zone(partner)?;
    let versions = plans::versions(tx, RatePlanId(partner.plan_id)).await?;
    // By the version of that day: an earlier one may have billed by another cycle.
    let of = |day: NaiveDate| plans::in_force(&versions, day).map(|plan| plan.spec.cycle.of(day));
    let before = |period: Period| of(period.start - Days::new(1));
    let mut next = of(now.with_timezone(&zone).date_naive()).and_then(before);
    let Some(latest) = reports::list(tx, Some(PartnerId(partner.id)), None).await?.into_iter().next() else {
        let Some(last) = next else { return Ok(Vec::new()) };
        let (from, to) = last.bounds(zone);
        // A partner that was made since has nothing to be told of that period, unless its actions came with it.
        let any = partner.created_at < to || has_actions(tx, partner, from, to).await?;
        return Ok(any.then_some(last).into_iter().collect());
    };
    let mut periods = Vec::new();
    while let Some(period) = next
        && period.start >= latest.period_end
        && periods.len() < BEHIND_MAX
    {
        periods.push(period);
        next = before(period);
    }
    periods.reverse();
    Ok(periods)
}

async fn has_actions(
    tx: &TenantTx,
    partner: &partner::Model,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM lead_action
                        WHERE tenant_id = $1 AND partner_id = $2 AND occurred_at >= $3 AND occurred_at < $4)",
    )
    .bind(tx.tenant().uuid())
    .bind(partner.id)
    .bind(from)
    .bind(to)
    .fetch_one(&mut *tx.lock().await)
    .await?)
}

/// Closes a partner's period.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClosePeriod {
    tenant: TenantId,
    partner: PartnerId,
    start: NaiveDate,
    end: NaiveDate,
}

impl Job for ClosePeriod {
    const NAME: &'static str = "billing_close";
    /// The tick queues it anew while it is due.
    const ATTEMPTS_MAX: i16 = 5;

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let period = Period { start: self.start, end: self.end };
        match closing::close(&app, self.tenant, self.partner, period, Actor::Schedule).await {
            Ok(_) => Ok(()),
            // No plan in force, another cycle, or closed by somebody else: trying again changes nothing.
            Err(error @ (Error::Conflict(_) | Error::Invalid { .. } | Error::NotFound { .. })) => {
                tracing::warn!(partner.id = %self.partner, %period, error = %error, "a period could not be closed by itself");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
