//! Every job, and what recurs.

use graphile_worker::{Cron, CronJobKeyMode, WorkerOptions};

use super::{Run, tidy};

/// A worker that knows every job and every schedule. Times are UTC; a tenant's own hours are decided by the job.
pub(super) fn everything() -> WorkerOptions {
    WorkerOptions::default().define_job::<Run<tidy::Tidy>>().with_cron(
        Cron::daily_at::<Run<tidy::Tidy>>(3, 17)
            .expect("a time of day")
            .job_key(tidy::KEY)
            .job_key_mode(CronJobKeyMode::Replace),
    )
}
