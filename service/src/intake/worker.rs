//! Runs the imports of files that were received, of every tenant, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ImportId, TenantId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::imports::{self, Leased};
use super::run;
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// The fallback when another process received the file.
const POLL: Duration = Duration::from_secs(1);

/// Works until it is told to stop; what is running then is let go, and goes on from its last batch in whichever process takes it.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    let woken = app.wake.imports_notified();
    let mut running = JoinSet::new();
    loop {
        // Armed before the query, so that a file received in between is not slept over.
        let notified = woken.notified();
        let free = app.settings.imports_at_once.saturating_sub(running.len());
        if free > 0 {
            match lease_waiting(&app, free).await {
                Ok(leased) => {
                    for one in leased {
                        let (app, stop) = (Arc::clone(&app), stop.clone());
                        running.spawn(async move { one_import(&app, one, &stop).await });
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "waiting imports could not be read"
                    );
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = notified => {}
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
    // Each has the same word, and gives its lease up before it ends.
    while running.join_next().await.is_some() {}
}

/// Runs every waiting import, one after the other, until none waits. For tests and one-shot commands.
pub async fn run_waiting(app: &Arc<App>) -> Result<usize, Error> {
    let mut count = 0;
    loop {
        let leased = lease_waiting(app, 1).await?;
        if leased.is_empty() {
            return Ok(count);
        }
        for one in leased {
            run::run(app, &one).await?;
            count += 1;
        }
    }
}

async fn one_import(app: &Arc<App>, leased: Leased, stop: &CancellationToken) {
    let id = ImportId(leased.import.id);
    let ended = tokio::select! {
        ended = run::run(app, &leased) => ended,
        () = stop.cancelled() => {
            run::release(app, &leased).await;
            tracing::info!(import.id = %id, "import let go");
            return;
        }
    };
    match ended {
        Ok(run::Ended::Done(counts)) => {
            tracing::info!(import.id = %id, records = counts.records, "import done");
        }
        Ok(run::Ended::Failed(_)) => tracing::info!(import.id = %id, "import failed"),
        Ok(run::Ended::Stopped(_)) => tracing::info!(import.id = %id, "import stopped"),
        Err(error) => {
            tracing::warn!(import.id = %id, error = &error as &dyn std::error::Error, "import interrupted");
        }
    }
}

/// Takes hold of up to `most` waiting imports, the oldest of each tenant first.
async fn lease_waiting(app: &App, most: usize) -> Result<Vec<Leased>, Error> {
    let now = app.clock.now();
    let tenants: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM tenants_with_waiting_imports($1) AS waiting (id) WHERE id NOT IN (SELECT suspended_tenants())")
        .bind(now)
        .fetch_all(&app.database.app)
        .await?;
    let mut leased = Vec::new();
    for tenant in tenants.into_iter().map(TenantId) {
        let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
        let waiting: Vec<uuid::Uuid> = sqlx::query_scalar(
            "SELECT id FROM import WHERE tenant_id = $1 AND state IN ('received', 'running') AND stored_as IS NOT NULL
                 AND (leased_until IS NULL OR leased_until <= $2)
             ORDER BY created_at LIMIT 4",
        )
        .bind(tenant.uuid())
        .bind(now)
        .fetch_all(tx.connection())
        .await?;
        drop(tx);
        for id in waiting {
            if leased.len() >= most {
                return Ok(leased);
            }
            leased.extend(imports::lease(app, tenant, ImportId(id), None).await?);
        }
    }
    Ok(leased)
}
