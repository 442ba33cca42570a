//! Periods that close by themselves: of partners that want it, once the period is over in their zone.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{BillingReportId, PartnerId, RatePlanId, TenantId};

use tokio_util::sync::CancellationToken;

use super::{catalog, reports};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Who closes by itself, as reports name it.
const BY: &str = "schedule";
/// Between two looks: a period is closed within a quarter of an hour after its end.
const PAUSE: Duration = Duration::from_mins(15);

/// Closes what is due until it is told to stop. Any number of processes may do so: of two that close the same period the
/// second one finds it closed.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = close_all_due(&app).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "periods that are due could not be closed"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn close_all_due(app: &Arc<App>) -> Result<(), Error> {
    for tenant in tenants(app).await? {
        close_due(app, tenant).await?;
    }
    Ok(())
}

/// The tenants that have partners whose periods close by themselves.
pub async fn tenants(app: &App) -> Result<Vec<TenantId>, Error> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM tenants_with_closing_partners() AS closing (id) WHERE id NOT IN (SELECT suspended_tenants())")
            .fetch_all(&app.database.app)
            .await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

/// Closes each wanting partner's last period that is over and that nobody has closed. What one partner lacks (a plan in
/// force) holds up none of the others.
pub async fn close_due(app: &Arc<App>, tenant: TenantId) -> Result<Vec<BillingReportId>, Error> {
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut due = Vec::new();
    for partner in catalog::partners(&tx).await?.into_iter().filter(|partner| partner.closes_itself) {
        let zone = catalog::zone(&partner)?;
        let versions = catalog::versions(&tx, RatePlanId(partner.plan_id)).await?;
        let Some(plan) = catalog::in_force(versions, now.with_timezone(&zone).date_naive()) else { continue };
        let period = plan.spec.cycle.at(now, zone).before();
        let id = PartnerId(partner.id);
        // A report that was voided is a person's to close again.
        if reports::list(&tx, Some(id), Some(period)).await?.is_empty() {
            due.push((id, period));
        }
    }
    drop(tx);
    let mut closed = Vec::new();
    for (partner, period) in due {
        match reports::close(app, tenant, partner, period, BY).await {
            Ok(report) => closed.push(BillingReportId(report.id)),
            Err(error @ (Error::Conflict(_) | Error::Invalid { .. })) => {
                tracing::warn!(partner.id = %partner, %period, error = %error, "a period could not be closed by itself");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(closed)
}
