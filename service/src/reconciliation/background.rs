//! Runs that go on by themselves, and what becomes of one whose process died.
//!
//! A run that was begun from the web is a job: its row, its file and the job are there before it is acknowledged, and whichever process takes
//! the job carries it out. Whoever works on a run holds a lock of the database on a connection of its own ([`Working`]), which ends
//! with the process. So a run that is called running and that nobody holds was left by a process that died: [`take_over`] looks for those when
//! a worker starts and once an hour. A run of the background begins anew, from its file or their API, and nothing of the first try is
//! left to double; one of a command or of the night is called failed, because whoever asked for it has gone.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, ReconciliationId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::pool::PoolConnection;
use sqlx::{FromRow, Postgres};
use uuid::Uuid;

use super::run::{self, List, Request};
use super::{proof, record};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::jobs::{self, How, Job};

/// Shows that a process works on a run or a proof, for as long as its connection lives.
pub(super) struct Working(#[expect(dead_code, reason = "held, not used")] PoolConnection<Postgres>);

impl Working {
    /// None when somebody works on it already.
    pub(super) async fn try_on(app: &App, what: &impl Display) -> Result<Option<Self>, Error> {
        let mut connection = app.database.app.acquire().await?;
        // The lock goes with the connection, whatever ends first: the work, a panic or the process.
        connection.close_on_drop();
        let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 6))")
            .bind(format!("work on {what}"))
            .fetch_one(&mut *connection)
            .await?;
        Ok(got.then_some(Self(connection)))
    }

    /// For a run that nobody else can know yet.
    pub(super) async fn on(app: &App, run: ReconciliationId) -> Result<Self, Error> {
        let working = Self::try_on(app, &run).await?;
        working.ok_or_else(|| Error::Conflict("somebody works on this reconciliation already".into()))
    }
}

/// Begins a run that goes on by itself; answers its id at once. `stored_as`: where the file of its list waits, relative to the data folder;
/// from now on it is the run's, which removes it at its end.
pub async fn start(
    app: &App,
    tenant: TenantId,
    request: Request,
    stored_as: Option<&str>,
) -> Result<ReconciliationId, Error> {
    run::check(app, tenant, &request).await?;
    let now = app.clock.now();
    let id = ReconciliationId(app.ids.next(now));
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let stored_as = Some(stored_as.unwrap_or_default());
    record::insert(tx.connection(), tenant, id, &request, stored_as, now).await?;
    queue(tx.connection(), tenant, id).await?;
    tx.commit().await?;
    Ok(id)
}

async fn queue(
    connection: &mut sqlx::PgConnection,
    tenant: TenantId,
    run: ReconciliationId,
) -> Result<(), Error> {
    let how = How::keyed(format!("{} {tenant} {run}", Reconcile::NAME));
    jobs::enqueue(connection, &Reconcile { tenant, run }, how).await
}

/// Carries out one run of the background.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {
    tenant: TenantId,
    run: ReconciliationId,
}

impl Job for Reconcile {
    const NAME: &'static str = "reconcile";

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        // Another process has it: the queue gave it away while this one was slow to say that it lives.
        let Some(working) = Working::try_on(&app, &self.run).await? else { return Ok(()) };
        let Some(row) = unfinished(&app, self.tenant, self.run).await? else { return Ok(()) };
        let path = row.stored_as.as_deref().map(|stored| app.settings.data_dir.join(stored));
        let request = row.request(path.as_deref());
        // What went wrong stands in the run's row, and it is not begun again by itself.
        if let Err(error) = run::carry_out(&app, self.tenant, self.run, &request).await {
            tracing::warn!(reconciliation.id = %self.run, error = &error as &dyn std::error::Error, "a reconciliation failed");
        }
        // Still running: its end could not be written, and the queue tries again.
        if unfinished(&app, self.tenant, self.run).await?.is_some() {
            return Err(Error::Unavailable {
                what: "the database",
                source: "the end of a run could not be written".into(),
            });
        }
        drop(working);
        if let Some(path) = path
            && let Err(error) = tokio::fs::remove_file(path).await
        {
            // The sweep of uploads finds it later.
            tracing::warn!(%error, reconciliation.id = %self.run, "the file of a list could not be removed");
        }
        Ok(())
    }
}

#[derive(FromRow)]
struct Row {
    destination_id: Uuid,
    file_name: Option<String>,
    since: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    channel: Option<String>,
    as_of: DateTime<Utc>,
    actor: String,
    stored_as: Option<String>,
    background: bool,
}

impl Row {
    fn request(self, path: Option<&Path>) -> Request {
        Request {
            destination: DestinationId(self.destination_id),
            list: match path {
                Some(path) => List::File { path: path.to_owned(), name: self.file_name.unwrap_or_default() },
                None => List::Api,
            },
            since: self.since,
            before: self.before,
            channel: self.channel,
            as_of: Some(self.as_of),
            dry_run: false,
            actor: self.actor,
        }
    }
}

async fn unfinished(app: &App, tenant: TenantId, run: ReconciliationId) -> Result<Option<Row>, Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    Ok(sqlx::query_as(
        "SELECT destination_id, file_name, since, before, channel, as_of, actor, stored_as, background
         FROM reconciliation_run WHERE tenant_id = $1 AND id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(run.uuid())
    .fetch_optional(tx.connection())
    .await?)
}

/// Sees to the runs and proofs that nobody works on any more: those of the background are queued, the others are called failed. Answers how
/// many.
pub async fn take_over(app: &App) -> Result<usize, Error> {
    let running: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT tenant_id, id FROM running_reconciliations() WHERE tenant_id NOT IN (SELECT suspended_tenants())",
    )
    .fetch_all(&app.database.app)
    .await?;
    let mut taken = 0;
    for (tenant, run) in running {
        let (tenant, run) = (TenantId(tenant), ReconciliationId(run));
        let Some(working) = Working::try_on(app, &run).await? else { continue };
        let Some(row) = unfinished(app, tenant, run).await? else { continue };
        if row.background {
            let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
            queue(tx.connection(), tenant, run).await?;
            tx.commit().await?;
        } else {
            record::fail(app, tenant, run, "it was interrupted; run it again").await?;
        }
        drop(working);
        taken += 1;
    }
    Ok(taken + proof::take_over(app).await?)
}
