//! Runs jobs until told to stop, or all that are due now.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{JobInterrupted, JobInterruptedContext, WorkerRecoveryConfig};
use tokio_util::sync::CancellationToken;

use super::registry;
use crate::app::App;
use crate::error::Error;
use crate::reconciliation::background;

/// How long jobs that run may go on after the worker was told to stop; then they run again in the next process.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The longest pause between two looks at the queue when no notice of a new job arrives.
const POLL: Duration = Duration::from_secs(2);
/// The pause before the worker begins anew after the database was away.
const PAUSE: Duration = Duration::from_secs(3);
/// A worker whose heartbeat is older than this has died, and its jobs are given to others.
const DEAD_AFTER: Duration = Duration::from_mins(2);
/// So long after it was taken from a dead worker a job begins anew.
const TAKEN_OVER_AFTER: Duration = Duration::from_secs(1);

/// What jobs work with.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Arc<App>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

/// Runs jobs.
pub struct Worker {
    app: Arc<App>,
}

impl Worker {
    /// A worker; it does nothing until it is run.
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Runs jobs until `stop`; then those that run are finished, within a limit.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let ended = self.until_it_breaks(&stop).await;
            let Err(error) = ended else { continue };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the job worker begins anew in a moment"
            );
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn until_it_breaks(&self, stop: &CancellationToken) -> Result<(), Error> {
        // What a process that died has left goes on at once, and not only when its heartbeat is old.
        background::take_over(&self.app).await?;
        let worker = make(&self.app, stop.clone()).await?;
        worker
            .run()
            .await
            .map_err(|error| Error::Unavailable { what: "the job queue", source: Box::new(error) })
    }
}

/// Runs every job that is due, those included that they queue, and returns. Jobs that fail wait for their next time.
pub async fn run_due(app: &Arc<App>) -> Result<(), Error> {
    let worker = make(app, CancellationToken::new()).await?;
    worker.run_once().await.map_err(|error| Error::internal("running jobs", error))
}

async fn make(app: &Arc<App>, stop: CancellationToken) -> Result<graphile_worker::Worker, Error> {
    registry::everything()
        .pg_pool(app.database.app.clone())
        .schema(super::SCHEMA)
        .concurrency(app.settings.jobs_at_once)
        .poll_interval(POLL)
        .listen_os_shutdown_signals(false)
        .shutdown_signal(stop.cancelled_owned())
        .shutdown_grace_period(STOP_LIMIT)
        .worker_recovery(
            WorkerRecoveryConfig::default()
                .enabled(true)
                .sweep_threshold(DEAD_AFTER)
                .recovery_delay(TAKEN_OVER_AFTER),
        )
        .add_extension(Shared(Arc::clone(app)))
        .on(JobInterrupted, interrupted)
        .init()
        .await
        .map_err(|error| Error::Unavailable { what: "the job queue", source: Box::new(error) })
}

/// The library's own words on it are not told, because they quote the payload.
async fn interrupted(context: JobInterruptedContext) {
    let job = context.job;
    tracing::warn!(
        job.name = job.task_identifier().as_str(),
        job.id = job.id(),
        "a job was cut off by the end of this process and begins anew in the next"
    );
}
