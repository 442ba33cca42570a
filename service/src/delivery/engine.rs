//! What a worker does with deliveries, step by step: claim, send, finish. No loop and no waiting here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::{
    Kind, LeadFacts, Next, Outcome, Reply, RetrySchedule, bonzo, judge_failure, judge_reply, payload,
};
use domain::ids::{DeliveryId, DestinationId, TenantId};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use sqlx::PgPool;
use uuid::Uuid;

use super::Error;
use super::client::{self, Answer, Client};
use super::destinations::{Destination, Destinations, Known, Opener};
use super::store::{self, Attempt, Finished, Lease, State};
use crate::database::{Mode, TenantTx};
use crate::runtime::{Clock, Ids};
use crate::secrets::Secrets;
use crate::suppression;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How a worker works. The defaults suit a machine with a few cores and one worker process on it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Outgoing requests.
    pub client: client::Settings,
    /// When to try again.
    pub schedule: RetrySchedule,
    /// For how long a claim holds; more than the deadline, so that what waits its turn is still sent.
    pub lease: Duration,
    /// Deliveries held at a time at most, from claim to commit.
    pub places: usize,
    /// Deliveries in one claim or one commit at most.
    pub batch: usize,
    /// Requests to one destination at a time at most.
    pub requests_per_destination: usize,
    /// Longest time between two looks at the database when nobody wakes the worker.
    pub poll: Duration,
    /// How long outcomes wait for company before they are committed, while more are on their way.
    pub gather: Duration,
    /// How long requests on their way may go on after the worker was told to stop.
    pub stop_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: client::Settings::default(),
            schedule: RetrySchedule::default(),
            lease: Duration::from_secs(35),
            places: 2_048,
            batch: 256,
            requests_per_destination: 128,
            poll: Duration::from_millis(500),
            gather: Duration::from_millis(10),
            stop_limit: Duration::from_secs(20),
        }
    }
}

/// What came of a piece of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Claims made.
    pub claimed: u64,
    /// Delivered.
    pub delivered: u64,
    /// Failed: refused, or out of attempts.
    pub failed: u64,
    /// Held: cannot be sent as they are.
    pub held: u64,
    /// To be tried again.
    pub again: u64,
    /// Finished too late: somebody else had them by then, and nothing was written.
    pub lost: u64,
}

impl Tally {
    pub(super) fn count(&mut self, batch: &[Finished]) {
        for finished in batch {
            match finished.state {
                State::Delivered { .. } => self.delivered += 1,
                State::Failed { .. } => self.failed += 1,
                State::Held { .. } => self.held += 1,
                State::Pending(_) => self.again += 1,
            }
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.held += other.held;
        self.again += other.again;
        self.lost += other.lost;
    }
}

/// A claimed delivery with all that sending it takes.
pub(super) struct Job {
    pub tenant: TenantId,
    pub destination_id: DestinationId,
    id: DeliveryId,
    number: i16,
    budget_from: i16,
    leased_until: DateTime<Utc>,
    lead: LeadFacts,
    suppressed: bool,
    destination: Option<Known>,
}

/// Claims, sends, finishes.
pub(super) struct Engine {
    pub settings: Settings,
    pub pool: PgPool,
    pub clock: Clock,
    pub ids: Ids,
    secrets: Arc<Secrets>,
    client: Client,
    destinations: Destinations,
    /// Names this worker in the leases.
    holder: Uuid,
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
            holder,
        })
    }

    /// Claims up to `limit` due deliveries of a tenant.
    pub(super) async fn claim(
        &self,
        tenant: TenantId,
        limit: usize,
        except: &[Uuid],
    ) -> Result<Vec<Job>, Error> {
        let now = self.clock.now();
        let leased_until = now + TimeDelta::from_std(self.settings.lease).unwrap_or(TimeDelta::hours(1));
        let lease = Lease { holder: self.holder, now, until: leased_until };
        let mut tx = TenantTx::begin(&self.pool, tenant, Mode::ReadWrite).await?;
        let claimed = store::claim(tx.connection(), tenant, lease, limit, except).await?;
        let wanted = claimed.iter().map(|claimed| claimed.destination).collect();
        let open =
            Opener { secrets: &self.secrets, allow_private: self.client.settings().allow_private_addresses };
        let destinations = self.destinations.get(tx.connection(), tenant, wanted, &open).await?;
        tx.commit().await?;
        let jobs = claimed.into_iter().map(|claimed| Job {
            tenant,
            destination_id: claimed.destination,
            id: claimed.id,
            number: claimed.number,
            budget_from: claimed.budget_from,
            leased_until,
            lead: claimed.lead,
            suppressed: claimed.suppressed,
            destination: destinations.get(&claimed.destination).cloned(),
        });
        Ok(jobs.collect())
    }

    /// Makes the request, unless there is a reason not to, and says what is to be written.
    pub(super) async fn send(&self, job: Job) -> Finished {
        let attempt = u16::try_from(job.number.saturating_sub(job.budget_from)).unwrap_or(1).max(1);
        if !self.settings.schedule.allows(attempt) {
            let made = attempt - 1;
            let reason = format!("{made} attempts made, and the last ones never came to an end");
            return self.unsent(&job, State::Failed { reason });
        }
        if job.suppressed {
            return self.unsent(&job, State::Held { reason: suppression::REASON.to_owned() });
        }
        let known = match job.destination.as_deref() {
            Some(Ok(destination)) => destination,
            Some(Err(reason)) => return self.unsent(&job, State::Held { reason: reason.clone() }),
            None => return self.unsent(&job, State::Held { reason: "the destination is gone".to_owned() }),
        };
        let body = match known.kind {
            Kind::Webhook => payload::webhook(&job.lead),
            Kind::Bonzo => match bonzo::body(&job.lead, known.first_name_fallback.as_deref()) {
                Ok(body) => body,
                Err(hold) => return self.unsent(&job, State::Held { reason: hold.to_string() }),
            },
        };
        let started_at = self.clock.now();
        // Sending what could outlast the lease would be sending it twice at a time.
        let deadline = TimeDelta::from_std(self.client.settings().deadline).unwrap_or(TimeDelta::hours(1));
        if started_at + deadline >= job.leased_until {
            return self.release(&job);
        }
        let headers = headers(&job, known, &body, started_at);
        let answer = self.client.post(&known.endpoint, headers, Bytes::from(body)).await;
        self.judge(&job, attempt, known.kind, started_at, answer)
    }

    /// Gives a claimed delivery back as it was, due at once.
    pub(super) fn release(&self, job: &Job) -> Finished {
        self.unsent(job, State::Pending(self.clock.now()))
    }

    fn unsent(&self, job: &Job, state: State) -> Finished {
        Finished { id: job.id, number: job.number, state, attempt: None, at: self.clock.now() }
    }

    fn judge(
        &self,
        job: &Job,
        attempt: u16,
        kind: Kind,
        started_at: DateTime<Utc>,
        answer: Answer,
    ) -> Finished {
        let now = self.clock.now();
        let outcome = match (answer.status, answer.failure) {
            (Some(status), _) => {
                let retry_after = answer.headers.get("retry-after").map(String::as_str);
                judge_reply(kind, &Reply { status, retry_after, body: &answer.body }, now)
            }
            (None, Some(failure)) => judge_failure(failure),
            (None, None) => unreachable!("a request ends with a status or a failure"),
        };
        measure(&outcome, answer.duration);
        let record = Attempt {
            started_at,
            duration_us: i32::try_from(answer.duration.as_micros()).unwrap_or(i32::MAX),
            outcome: outcome.as_str(),
            http_status: answer.status.and_then(|status| i16::try_from(status).ok()),
            error_kind: answer.failure.map(domain::delivery::Failure::as_str),
            headers: answer.headers,
            body: answer.body,
        };
        let random = u32::try_from(self.ids.jitter() >> 32).unwrap_or(u32::MAX);
        let state = match self.settings.schedule.next(attempt, outcome, now, random) {
            Next::Delivered { remote_id } => State::Delivered { remote_id },
            Next::Failed { reason } => State::Failed { reason },
            Next::Again { at } => State::Pending(at),
        };
        Finished { id: job.id, number: job.number, state, attempt: Some(record), at: now }
    }

    /// Writes what came of deliveries of one tenant, in one transaction. Answers how many were still ours.
    pub(super) async fn finish(&self, tenant: TenantId, batch: &[Finished]) -> Result<u64, Error> {
        let mut tx = TenantTx::begin(&self.pool, tenant, Mode::ReadWrite).await?;
        let written = store::finish(tx.connection(), tenant, self.holder, batch).await?;
        tx.commit().await?;
        Ok(written)
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

/// The delivery's id on every attempt, by which a receiver recognises a second copy; a signature where the kind has one.
fn headers(job: &Job, destination: &Destination, body: &str, now: DateTime<Utc>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    let id = job.id.to_string();
    let timestamp = now.timestamp();
    if let Some(signer) = &destination.signer {
        let signature = signer.sign(&id, timestamp, body.as_bytes()).expect("the body is UTF-8");
        headers
            .insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(signature).expect("base64 is a header's text"));
    }
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
    headers.insert(WEBHOOK_ID, HeaderValue::try_from(id).expect("an id is a header's text"));
    headers
}

fn measure(outcome: &Outcome, duration: Duration) {
    metrics::counter!("baton_delivery_attempts_total", "outcome" => outcome.as_str()).increment(1);
    metrics::histogram!("baton_delivery_attempt_seconds").record(duration.as_secs_f64());
}
