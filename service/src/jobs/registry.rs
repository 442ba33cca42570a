//! Every job, and what recurs.

use graphile_worker::{Cron, CronJobKeyMode, WorkerOptions};

use super::{Job, Run, tidy};
use crate::alerts::evaluate;
use crate::alerts::send::SendNotice;
use crate::inbound::process::ProcessHook;

/// A worker that knows every job and every schedule. Times are UTC; a tenant's own hours are decided by the job.
pub(super) fn everything() -> WorkerOptions {
    WorkerOptions::default()
        .define_job::<Run<tidy::Tidy>>()
        .define_job::<Run<evaluate::Tick>>()
        .define_job::<Run<evaluate::Evaluate>>()
        .define_job::<Run<SendNotice>>()
        .define_job::<Run<ProcessHook>>()
        .with_cron(
            Cron::daily_at::<Run<tidy::Tidy>>(3, 17)
                .expect("a time of day")
                .job_key(tidy::Tidy::NAME)
                .job_key_mode(CronJobKeyMode::Replace),
        )
        .with_cron(
            Cron::every_minute::<Run<evaluate::Tick>>()
                .job_key(evaluate::Tick::NAME)
                .job_key_mode(CronJobKeyMode::Replace),
        )
}
