//! Every job, and what recurs.

use graphile_worker::{Cron, CronBuilder, CronJobKeyMode, WorkerOptions};

use super::{Job, Run, tidy};
use crate::alerts::evaluate;
use crate::alerts::send::SendNotice;
use crate::billing::{announce, schedule};
use crate::inbound::process::ProcessHook;
use crate::reconciliation::{background, nightly, proof};

/// A worker that knows every job and every schedule. Times are UTC; a tenant's own hours are decided by the job.
pub(super) fn everything() -> WorkerOptions {
    WorkerOptions::default()
        .define_job::<Run<tidy::Tidy>>()
        .define_job::<Run<evaluate::Tick>>()
        .define_job::<Run<evaluate::Evaluate>>()
        .define_job::<Run<SendNotice>>()
        .define_job::<Run<ProcessHook>>()
        .define_job::<Run<background::Reconcile>>()
        .define_job::<Run<proof::Prove>>()
        .define_job::<Run<nightly::Nightly>>()
        .define_job::<Run<nightly::Tick>>()
        .define_job::<Run<announce::Announce>>()
        .define_job::<Run<schedule::ClosePeriod>>()
        .define_job::<Run<schedule::Tick>>()
        .with_cron(recurs(Cron::daily_at(3, 17).expect("a time of day"), tidy::Tidy {}))
        .with_cron(recurs(Cron::hourly_at(7).expect("a minute"), nightly::Tick {}))
        .with_cron(recurs(Cron::every_n_minutes(15).expect("a step of minutes"), schedule::Tick {}))
        .with_cron(recurs(Cron::every_minute(), evaluate::Tick {}))
}

/// The job itself is the payload: without one the queue would store null, which is no job. One key, so that a tick that was not run yet is
/// not joined by another.
fn recurs<J: Job>(cron: CronBuilder<Run<J>>, job: J) -> CronBuilder<Run<J>> {
    cron.payload(Run(job))
        .expect("a job can be written")
        .max_attempts(J::ATTEMPTS_MAX.unsigned_abs())
        .job_key(J::NAME)
        .job_key_mode(CronJobKeyMode::Replace)
}

#[cfg(test)]
mod tests {
    use graphile_worker::Crontab;
    use serde_json::{Value, json};

    use super::*;

    /// What the queue stores of a schedule is read back as the job, with what the scheduler adds to it.
    #[test]
    fn a_scheduled_payload_is_the_job() {
        let stored = |crontab: Crontab| {
            let mut payload = crontab.payload.expect("a payload");
            payload["_cron"] = json!({ "ts": "2026-11-20T12:00:00Z", "backfilled": false });
            payload
        };
        let read = |payload: Value| serde_json::from_value::<Run<evaluate::Tick>>(payload).map(|_| ());
        read(stored(recurs(Cron::every_minute(), evaluate::Tick {}).into())).expect("the job");
        assert!(read(Value::Null).is_err(), "and null would be none");
    }
}
