//! What a worker does with claimed deliveries, step by step: ask, send, judge, finish. No loop and no waiting here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::profile::OnUnknown;
use domain::delivery::{LeadFacts, Next, Outcome, Policy, Reply, Signal, judge_failure, judge_reply};
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use sqlx::PgPool;
use uuid::Uuid;

use super::Error;
use super::client::{Answer, Client};
use super::destinations::{Destination, Destinations, Key, Known, Opened};
use super::gates::{self, Gates};
use super::lookup::{self, Found};
use super::request;
use super::settings::Settings;
use super::settled::{End, Settled, settled};
use super::store::{self, Attempt, Doubt, Finished, State, Written};
use crate::database::{Mode, TenantTx};
use crate::runtime::{Clock, Ids};
use crate::secrets::Secrets;
use crate::suppression;

/// A claimed delivery with all that sending it takes.
pub(super) struct Job {
    pub tenant: TenantId,
    pub destination_id: DestinationId,
    /// Requests to its destination at a time.
    pub concurrency: usize,
    pub id: DeliveryId,
    pub number: i16,
    pub budget_from: i16,
    pub doubt: Doubt,
    pub probe: bool,
    pub leased_until: DateTime<Utc>,
    pub lead: LeadFacts,
    pub suppressed: bool,
    pub destination: Option<Known>,
}

impl Job {
    pub(super) fn key(&self) -> Key {
        (self.tenant, self.destination_id)
    }

    /// Number of the attempt within the present budget, from 1.
    fn attempt(&self) -> u16 {
        u16::try_from(self.number.saturating_sub(self.budget_from)).unwrap_or(1).max(1)
    }

    /// It may have arrived, and nobody has decided that it is sent all the same.
    fn in_doubt(&self) -> bool {
        self.doubt == Doubt::Open
    }

    /// Its destination can neither be asked nor recognises a copy. Of one that cannot be opened nothing is known; nothing is sent there.
    fn copy_costs(&self) -> bool {
        let destination = self.destination.as_deref().and_then(Opened::usable);
        destination.is_some_and(|destination| !destination.plan.profile.is_repeatable())
    }
}

/// Claims, sends, finishes.
pub(super) struct Engine {
    pub settings: Settings,
    pub pool: PgPool,
    pub clock: Clock,
    pub ids: Ids,
    pub secrets: Arc<Secrets>,
    pub client: Client,
    pub destinations: Destinations,
    pub gates: Gates,
    /// Names this worker in the leases.
    pub holder: Uuid,
}

impl Engine {
    pub(super) fn new(
        pool: PgPool,
        secrets: Arc<Secrets>,
        clock: Clock,
        ids: Ids,
        settings: Settings,
    ) -> Result<Self, Error> {
        let client = Client::new(settings.client.clone()).map_err(Error::Client)?;
        let holder = ids.next(clock.now());
        Ok(Self {
            settings,
            pool,
            clock,
            ids,
            secrets,
            client,
            destinations: Destinations::default(),
            gates: Gates::default(),
            holder,
        })
    }

    /// Makes the request, unless there is a reason not to, and says what is to be written.
    pub(super) async fn send(&self, job: Job) -> Finished {
        let attempt = job.attempt();
        if !self.settings.schedule.allows(attempt) {
            let reason = format!("{} attempts made, and the last ones never came to an end", attempt - 1);
            return self.unsent(&job, State::Unknown { reason });
        }
        // Before every other reason not to send it: what may have arrived is not to look as if it had never left.
        if job.in_doubt() && job.copy_costs() {
            let reason = "it may have arrived: Baton was stopped while it was being sent, or no answer came";
            return self.unsent(&job, State::Unknown { reason: reason.to_owned() });
        }
        if job.suppressed {
            return self.unsent(&job, State::Held { reason: suppression::REASON.to_owned() });
        }
        let destination = match job.destination.as_deref().map(|known| &known.destination) {
            Some(Ok(destination)) => destination,
            Some(Err(reason)) => return self.unsent(&job, State::Held { reason: reason.clone() }),
            None => return self.unsent(&job, State::Held { reason: "the destination is gone".to_owned() }),
        };
        let rejections = &destination.plan.profile.rejections;
        if let Some(rule) = rejections.iter().find(|rule| rule.when.holds(&job.lead)) {
            let (code, reason) = (rule.code.clone(), rule.reason.clone());
            return self.unsent(&job, State::Rejected { code, reason });
        }
        let started_at = self.clock.now();
        let outgoing = match request::build(destination, &job.lead, job.id, started_at) {
            Ok(outgoing) => outgoing,
            Err(hold) => return self.unsent(&job, State::Held { reason: hold.to_string() }),
        };
        // Sending what could outlast the lease would be sending it twice at a time.
        let deadline = TimeDelta::from_std(self.client.settings().deadline).unwrap_or(TimeDelta::hours(1));
        let asked_first = job.doubt != Doubt::None && destination.plan.profile.lookup.is_some();
        let steps = if asked_first { 2 } else { 1 };
        if started_at + deadline * steps >= job.leased_until {
            return self.release(&job);
        }
        let mut looked_up = None;
        if asked_first {
            match lookup::ask(&self.client, destination, (job.id, &job.lead), deadline).await {
                Found::Here { remote_id, answer } => return self.found(&job, started_at, remote_id, *answer),
                Found::Absent => looked_up = Some("absent"),
                Found::NotAsked if job.in_doubt() && destination.plan.profile.unknown == OnUnknown::Ask => {
                    let reason = "it may have arrived, and the settings of the lookup find nothing to ask the destination by";
                    return self.unsent(&job, State::Unknown { reason: reason.to_owned() });
                }
                Found::NotAsked => {}
                Found::Failed { answer } => return self.unasked(&job, destination, started_at, *answer),
            }
        }
        let answer = self.client.send(&destination.endpoint, outgoing).await;
        let outcome = self.outcome(destination, &answer);
        self.judge(&job, destination, outcome, attempt_row(started_at, answer, looked_up))
    }

    /// Gives a claimed delivery back as it was, due at once.
    pub(super) fn release(&self, job: &Job) -> Finished {
        self.unsent(job, State::Pending(self.clock.now()))
    }

    fn unsent(&self, job: &Job, state: State) -> Finished {
        let (id, destination, number) = (job.id, job.destination_id, job.number);
        Finished {
            id,
            destination,
            number,
            state,
            attempt: None,
            decided: job.doubt == Doubt::Decided,
            at: self.clock.now(),
        }
    }

    /// What an answer, or its absence, came to. A secret that the destination repeats leaves no trace in the reason.
    fn outcome(&self, destination: &Destination, answer: &Answer) -> Outcome {
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
    fn found(
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
        let (id, destination, number, at) = (job.id, job.destination_id, job.number, self.clock.now());
        let state = State::Delivered { remote_id, flagged: false };
        Finished { id, destination, number, state, attempt: Some(attempt), decided: false, at }
    }

    /// The destination did not say whether it has it, so nothing was sent.
    fn unasked(
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

    fn judge(
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
            version: job.destination.as_ref().map_or(0, |known| known.version),
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
        let (id, destination, number) = (job.id, job.destination_id, job.number);
        Finished { id, destination, number, state, attempt: Some(attempt), decided: false, at: now }
    }

    /// Writes what came of deliveries of one tenant, in one transaction. Answers how many were still ours.
    pub(super) async fn finish(&self, tenant: TenantId, batch: &[Finished]) -> Result<u64, Error> {
        let mut tx = TenantTx::begin(&self.pool, tenant, Mode::ReadWrite).await?;
        let written = store::finish(tx.connection(), tenant, self.holder, batch).await?;
        let now = self.clock.now();
        let ended: Vec<Settled> = written.iter().filter_map(|written| ended(written, now)).collect();
        if !ended.is_empty() {
            settled(tx.connection(), tenant, &ended, (now, &self.ids)).await?;
        }
        let mut destinations: Vec<DestinationId> = batch.iter().map(|one| one.destination).collect();
        destinations.sort_unstable();
        destinations.dedup();
        let mut transitions = Vec::new();
        for destination in destinations {
            let key = (tenant, destination);
            if let Some(transition) = self.gates.wanted(key) {
                gates::apply(tx.connection(), key, &transition, now).await?;
                transitions.push((key, transition));
            }
        }
        tx.commit().await?;
        for (key, transition) in transitions {
            self.gates.written(key, &transition);
        }
        Ok(written.len() as u64)
    }

    /// The same for a batch that the database dislikes: halves it until the one row that is at fault stands
    /// alone, and writes that without the destination's words. One bad row must not keep others from being written.
    pub(super) async fn finish_each(&self, tenant: TenantId, batch: &mut [Finished]) -> Result<u64, Error> {
        match self.finish(tenant, batch).await {
            Err(error) if !error.is_passing() => tracing::error!(
                error = &error as &dyn std::error::Error,
                tenant.id = %tenant,
                deliveries = batch.len(),
                "outcomes could not be written together"
            ),
            other => return other,
        }
        if let [one] = batch {
            if let Some(attempt) = &mut one.attempt {
                attempt.headers = BTreeMap::new();
                attempt.body = String::new();
            }
            return self.finish(tenant, batch).await;
        }
        let (left, right) = batch.split_at_mut(batch.len() / 2);
        let written = Box::pin(self.finish_each(tenant, left)).await?;
        Ok(written + Box::pin(self.finish_each(tenant, right)).await?)
    }

    /// Forgets kept destinations.
    pub(super) fn forget_destinations(&self) {
        self.destinations.forget();
    }
}

/// A lookup that finds something says nothing about failures in a row.
const NO_LIMITS: gates::Limits = gates::Limits { version: 0, failures: 0, pause: Duration::ZERO };

fn ended(written: &Written, now: DateTime<Utc>) -> Option<Settled> {
    Some(Settled {
        delivery: DeliveryId(written.id),
        lead: LeadId(written.lead_id),
        destination: DestinationId(written.destination_id),
        end: End::of(&written.state)?,
        at: written.finished_at.unwrap_or(now),
    })
}

/// The row of an attempt; its outcome is filled in by whoever judges.
fn attempt_row(started_at: DateTime<Utc>, answer: Answer, looked_up: Option<&'static str>) -> Attempt {
    Attempt {
        started_at,
        duration_us: i32::try_from(answer.duration.as_micros()).unwrap_or(i32::MAX),
        outcome: "unknown",
        http_status: answer.status.and_then(|status| i16::try_from(status).ok()),
        error_kind: answer.failure.map(domain::delivery::Failure::as_str),
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
