//! What an answer came to: the attempt's row, what it says about the destination, and the delivery's next state.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::delivery::{Failure, Next, Outcome, Policy, Reply, Signal, judge_failure, judge_reply};

use super::client::Answer;
use super::destinations::Destination;
use super::engine::{Engine, Job};
use super::gates;
use super::store::{Attempt, Finished, State};

/// A lookup that finds something says nothing about failures in a row.
const NO_LIMITS: gates::Limits = gates::Limits { version: 0, failures: 0, pause: Duration::ZERO };

impl Engine {
    /// What an answer, or its absence, came to. A secret that the destination repeats leaves no trace in the reason.
    pub(super) fn outcome(&self, destination: &Destination, answer: &Answer) -> Outcome {
        let mut outcome = match (answer.status, answer.failure) {
            (Some(status), _) => {
                let retry_after = answer.headers.get("retry-after").map(String::as_str);
                let reply = Reply { status, retry_after, body: &answer.text };
                judge_reply(&destination.plan.profile, &reply, self.clock.now())
            }
            (None, Some(failure)) => judge_failure(failure),
            (None, None) => unreachable!("a request ends with a status or a failure"),
        };
        match &mut outcome {
            Outcome::Delivered { .. } => {}
            Outcome::Refused { reason }
            | Outcome::Barred { reason }
            | Outcome::Retryable { reason, .. }
            | Outcome::Unknown { reason } => *reason = destination.endpoint.redact(std::mem::take(reason)),
        }
        outcome
    }

    /// The destination already has it.
    pub(super) fn found(
        &self,
        job: &Job,
        started_at: DateTime<Utc>,
        remote_id: Option<String>,
        answer: Answer,
    ) -> Finished {
        let outcome = Outcome::Delivered { remote_id };
        let mut attempt = attempt_row(started_at, answer, Some("found"));
        attempt.outcome = outcome.as_str();
        measure(&outcome, attempt.duration_us);
        self.gates.note(job.key(), Signal::Well, job.probe, NO_LIMITS);
        let Outcome::Delivered { remote_id } = outcome else { unreachable!("it was just made") };
        self.finished(job, State::Delivered { remote_id, flagged: false }, Some(attempt))
    }

    /// The destination did not say whether it has it, so nothing was sent.
    pub(super) fn unasked(
        &self,
        job: &Job,
        destination: &Destination,
        started_at: DateTime<Utc>,
        answer: Answer,
    ) -> Finished {
        let reason = match self.outcome(destination, &answer) {
            barred @ Outcome::Barred { .. } => {
                return self.judge(job, destination, barred, attempt_row(started_at, answer, Some("failed")));
            }
            Outcome::Refused { reason } | Outcome::Retryable { reason, .. } | Outcome::Unknown { reason } => {
                reason
            }
            Outcome::Delivered { .. } => "the answer cannot be read".to_owned(),
        };
        let reason = format!("it may have arrived, and the destination does not say: {reason}");
        let outcome = Outcome::Unknown { reason };
        self.judge(job, destination, outcome, attempt_row(started_at, answer, Some("failed")))
    }

    /// What follows.
    pub(super) fn judge(
        &self,
        job: &Job,
        destination: &Destination,
        outcome: Outcome,
        mut attempt: Attempt,
    ) -> Finished {
        let now = self.clock.now();
        let profile = &destination.plan.profile;
        attempt.outcome = outcome.as_str();
        measure(&outcome, attempt.duration_us);
        // An error of theirs may have come after they stored it: asking costs little where it can be done.
        let theirs = attempt.http_status.is_some_and(|status| status >= 500) && profile.lookup.is_some();
        // A lookup that failed has sent nothing, whatever it was answered: the doubt is the same as before.
        attempt.unsure = match &outcome {
            _ if attempt.looked_up == Some("failed") => true,
            Outcome::Unknown { .. } => true,
            Outcome::Retryable { .. } => theirs,
            Outcome::Delivered { .. } | Outcome::Refused { .. } | Outcome::Barred { .. } => false,
        };
        let limits = gates::Limits {
            version: job.version(),
            failures: profile.limits.breaker_failures,
            pause: Duration::from_secs(profile.limits.breaker_pause_s.into()),
        };
        let signal = Signal::of(&outcome);
        let in_vain = matches!(signal, Signal::Trouble(_));
        if let Outcome::Retryable { not_before: Some(until), rate_limited: true, .. } = &outcome {
            self.gates.pause(job.key(), *until);
        }
        self.gates.note(job.key(), signal, job.probe, limits);
        let policy = Policy {
            automatic: !profile.retry.by_person.contains(&job.lead.channel),
            repeatable: profile.is_repeatable(),
        };
        let expected = profile.answer.remote_id_expected;
        let random = u32::try_from(self.ids.jitter() >> 32).unwrap_or(u32::MAX);
        let state = match self.settings.schedule.next(job.attempt(), outcome, policy, now, random) {
            Next::Delivered { remote_id } => {
                State::Delivered { flagged: expected && remote_id.is_none(), remote_id }
            }
            Next::Failed { code, reason, not_before } => State::Failed { code, reason, not_before },
            Next::Unknown { reason } => State::Unknown { reason },
            Next::Waits => State::Refunded(now),
            // A try that only shows whether the destination answers takes nothing of the lead's attempts.
            Next::Again { at } if job.probe && in_vain => State::Refunded(at),
            Next::Again { at } => State::Pending(at),
        };
        self.finished(job, state, Some(attempt))
    }
}

/// The row of an attempt; its outcome is filled in by whoever judges.
pub(super) fn attempt_row(
    started_at: DateTime<Utc>,
    answer: Answer,
    looked_up: Option<&'static str>,
) -> Attempt {
    Attempt {
        started_at,
        duration_us: i32::try_from(answer.duration.as_micros()).unwrap_or(i32::MAX),
        outcome: "unknown",
        http_status: answer.status.and_then(|status| i16::try_from(status).ok()),
        error_kind: answer.failure.map(Failure::as_str),
        headers: answer.headers,
        body: answer.body,
        looked_up,
        unsure: false,
    }
}

fn measure(outcome: &Outcome, duration_us: i32) {
    metrics::counter!("baton_delivery_attempts_total", "outcome" => outcome.as_str()).increment(1);
    metrics::histogram!("baton_delivery_attempt_seconds").record(f64::from(duration_us) / 1e6);
}
