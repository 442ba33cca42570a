//! How far a run is: counted while it works, written into its row once a second, beside its transaction.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use domain::ids::{ReconciliationId, TenantId};

use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Between two writes.
const EVERY: Duration = Duration::from_secs(1);

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet.
    #[default]
    Waiting,
    /// Their API is asked page by page.
    Fetching,
    /// Their list is read and copied.
    Reading,
    /// Both sides are paired and compared.
    Comparing,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Fetching, Self::Reading, Self::Comparing];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Reading => "reading",
            Self::Comparing => "comparing",
        }
    }

    /// The phase of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<(Phase, i32)>);

impl Progress {
    /// A new phase begins; it counts from nothing, but comparing keeps the number of records.
    pub(super) fn enter(&self, phase: Phase) {
        let mut now = self.lock();
        let records = if phase == Phase::Comparing { now.1 } else { 0 };
        *now = (phase, records);
    }

    /// So many records more.
    pub(super) fn add(&self, records: usize) {
        let mut now = self.lock();
        now.1 = now.1.saturating_add(i32::try_from(records).unwrap_or(i32::MAX));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Phase, i32)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Runs the work and writes beside it how far it is. A write that fails is tried again with the next.
    pub(super) async fn while_running<T>(
        &self,
        (app, tenant, run): (&App, TenantId, ReconciliationId),
        work: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            biased;
            done = work => done,
            // Polled beside the work and never before it ends: a write may wait for the row that the work has just written.
            never = self.tell(app, tenant, run) => match never {},
        }
    }

    async fn tell(&self, app: &App, tenant: TenantId, run: ReconciliationId) -> Infallible {
        let mut written = (Phase::Waiting, 0);
        loop {
            tokio::time::sleep(EVERY).await;
            let now = *self.lock();
            if now != written && write(app, tenant, run, now).await.is_ok() {
                written = now;
            }
        }
    }
}

async fn write(
    app: &App,
    tenant: TenantId,
    run: ReconciliationId,
    (phase, records): (Phase, i32),
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE reconciliation_run SET phase = $3, records = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(run.uuid())
    .bind(phase.as_str())
    .bind(records)
    .execute(tx.connection())
    .await?;
    Ok(tx.commit().await?)
}
