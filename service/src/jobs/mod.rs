//! Work in the background other than deliveries: schedules, alerts, mail, reports, retention.
//!
//! The queue is `graphile_worker`'s, in the schema [`SCHEMA`] of the shared Postgres. The owner makes and migrates it
//! ([`install`]); the restricted role works in it, whether it serves, works or runs a command.
//!
//! * A [`Job`] is a small serialisable value that holds ids and never a lead's data: the queue looks across tenants.
//! * [`enqueue`] adds it in the caller's transaction, so the job exists exactly if what it is about does.
//! * [`Worker`] runs jobs until told to stop, in `baton serve` and in `baton worker`; several processes share the queue.
//! * What recurs is in [`registry`]: a *tick* a minute or a day, which asks Baton's own clock and the tables what is due, and
//!   enqueues one job a tenant. Of the ticks of several processes one runs.
//!
//! The promise is **at least once**: a job whose process dies runs again when its worker's heartbeat is two minutes old, one that fails
//! runs again after a growing pause until its attempts are used up. So a job must be able to run twice; what it does
//! to the outside world it records in a row that says that it was done.
//!
//! Adding a job: implement [`Job`], add one line to [`registry`].

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use futures_util::FutureExt as _;
use graphile_worker::{TaskHandler, WorkerContext, WorkerUtils};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::app::App;
use crate::error::Error;

mod registry;
mod tidy;
mod worker;

pub use tidy::Tidy;
pub use worker::{Worker, run_due};

/// The schema of the queue's tables. `database/roles.sql` names it too.
pub const SCHEMA: &str = "baton_jobs";

/// A piece of work, as it is stored: ids and small settings, never a lead's data.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the queue, `snake_case`; it must not change while jobs of that name wait.
    const NAME: &'static str;

    /// How often it is tried in all; the pauses between tries grow from seconds to hours.
    const ATTEMPTS_MAX: i16 = 12;

    /// Whose work it is, in a field `tenant`, by which an erased tenant's jobs are found; none for what looks across tenants. A
    /// suspended tenant's job is put off until it is resumed.
    fn tenant(&self) -> Option<TenantId>;

    /// Does the work. An error is logged with its causes, and the job runs again later; the last one tells that it is given up.
    fn run(self, app: Arc<App>) -> impl Future<Output = Result<(), Error>> + Send;
}

/// How a job is queued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Of waiting jobs with the same key there is one, the one that was queued last. Keys are one set for all tenants and jobs:
    /// begin with the job's name and the tenant's id.
    pub key: Option<String>,
    /// Not before this, by the database's clock; now when absent.
    pub at: Option<DateTime<Utc>>,
}

impl How {
    /// One waiting job of that key.
    pub fn keyed(key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), at: None }
    }

    /// Not before then.
    #[must_use]
    pub fn at(self, at: DateTime<Utc>) -> Self {
        Self { at: Some(at), ..self }
    }
}

/// Queues a job on that connection: in its transaction, when one is open.
pub async fn enqueue<J: Job>(connection: &mut PgConnection, job: &J, how: How) -> Result<(), Error> {
    let payload = serde_json::to_value(job)
        .map_err(|error| Error::internal(format!("writing job {}", J::NAME), error))?;
    sqlx::query(
        "SELECT FROM baton_jobs.add_job($1, $2::jsonb::json, run_at => $3, max_attempts => $4, job_key => $5,
                                        job_key_mode => 'replace')",
    )
    .bind(J::NAME)
    .bind(payload)
    .bind(how.at)
    .bind(i32::from(J::ATTEMPTS_MAX))
    .bind(how.key)
    .execute(connection)
    .await?;
    Ok(())
}

/// Queues a job that begins after a pause, by the database's clock.
pub async fn enqueue_after<J: Job>(
    connection: &mut PgConnection,
    job: &J,
    pause: Duration,
    how: How,
) -> Result<(), Error> {
    let at: DateTime<Utc> = sqlx::query_scalar("SELECT now() + make_interval(secs => $1)")
        .bind(pause.as_secs_f64())
        .fetch_one(&mut *connection)
        .await?;
    enqueue(connection, job, how.at(at)).await
}

/// Makes the queue's tables, or brings them up to date. Runs as the owner of the schema.
pub async fn install(owner: &PgPool) -> Result<(), Error> {
    WorkerUtils::new(owner.clone(), SCHEMA)
        .migrate()
        .await
        .map_err(|error| Error::internal("making the tables of the job queue", error))
}

/// So long a suspended tenant's job is put off at a time.
const PUT_OFF: Duration = Duration::from_mins(10);

async fn suspended<J: Job>(app: &App, job: &J) -> Result<bool, Error> {
    let Some(tenant) = job.tenant() else { return Ok(false) };
    Ok(sqlx::query_scalar("SELECT $1 IN (SELECT suspended_tenants())")
        .bind(tenant.uuid())
        .fetch_one(&app.database.app)
        .await?)
}

/// Queues the same job for later, with all its attempts: nothing of a suspended tenant is lost, and nothing of it happens.
async fn put_off<J: Job>(app: &App, job: &J) -> Result<(), Error> {
    let mut connection = app.database.app.acquire().await?;
    enqueue_after(&mut connection, job, PUT_OFF, How::default()).await
}

/// Removes what waits for a tenant that is erased, and says how many jobs those were; what runs just now ends by itself.
pub(crate) async fn forget(connection: &mut PgConnection, tenant: TenantId) -> Result<u64, Error> {
    let gone = sqlx::query(
        "DELETE FROM baton_jobs._private_jobs WHERE payload->>'tenant' = $1 AND locked_at IS NULL",
    )
    .bind(tenant.to_string())
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

/// A job as the queue's library sees it.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "J: Job")]
struct Run<J: Job>(J);

impl<J: Job> TaskHandler for Run<J> {
    const IDENTIFIER: &'static str = J::NAME;

    #[expect(clippy::manual_async_fn, reason = "the trait wants a future that is Send and borrows nothing")]
    fn run(
        self,
        context: WorkerContext,
    ) -> impl Future<Output = impl graphile_worker::IntoTaskHandlerResult> + Send + 'static {
        async move {
            let Some(worker::Shared(app)) = context.get_ext::<worker::Shared>() else {
                return Err("the worker was made without the app".to_owned());
            };
            // A panic is caught here, because the library would tell of it with the job's payload.
            let done = AssertUnwindSafe(attempt(app, self.0)).catch_unwind().await;
            let done = done.unwrap_or_else(|_| Err(Error::internal("running a job", "it panicked")));
            done.map_err(|error| {
                let job = context.job();
                tell(&error, J::NAME, *job.id(), (*job.attempts(), *job.max_attempts()));
                // What is stored of it holds no source: a database's words may quote a row.
                error.to_string()
            })
        }
    }
}

async fn attempt<J: Job>(app: &Arc<App>, job: J) -> Result<(), Error> {
    if suspended(app, &job).await? { put_off(app, &job).await } else { job.run(Arc::clone(app)).await }
}

/// One that is tried again is a warning; one that is given up waits for a person.
fn tell(error: &Error, name: &str, id: i64, (attempt, attempts_max): (i16, i16)) {
    let error: &(dyn std::error::Error + 'static) = error;
    if attempt < attempts_max {
        tracing::warn!(
            error,
            job.name = name,
            job.id = id,
            job.attempt = attempt,
            "a job failed and will be tried again"
        );
    } else {
        tracing::error!(
            error,
            job.name = name,
            job.id = id,
            job.attempt = attempt,
            "a job failed and is given up"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Keeps the level of each event.
    #[derive(Default)]
    struct Levels(Mutex<Vec<Level>>);

    impl Subscriber for Levels {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_failure_is_an_error_when_nothing_tries_again() {
        let levels = Arc::new(Levels::default());
        tracing::subscriber::with_default(Arc::clone(&levels), || {
            let error = Error::internal("doing it", "no");
            for attempt in 1..=3 {
                tell(&error, "job", 7, (attempt, 3));
            }
        });
        assert_eq!(*levels.0.lock().unwrap(), [Level::WARN, Level::WARN, Level::ERROR]);
    }
}
