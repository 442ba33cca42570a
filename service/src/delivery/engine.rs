//! What a worker does with claimed deliveries, step by step: ask, send, judge (`judgement`), finish. No loop and no waiting here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::LeadFacts;
use domain::delivery::profile::OnUnknown;
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use sqlx::PgPool;
use uuid::Uuid;

use super::Error;
use super::client::Client;
use super::destinations::{Destinations, Key, Known, Opened};
use super::gates::{self, Gates};
use super::judgement::attempt_row;
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
    pub(super) fn attempt(&self) -> u16 {
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

    /// How often a person had changed or resumed its destination when it was claimed.
    pub(super) fn version(&self) -> i32 {
        self.destination.as_ref().map_or(0, |known| known.version)
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
        self.finished(job, state, None)
    }

    /// What is to be written. A decision that it is sent although it may have arrived is used up by the attempt.
    pub(super) fn finished(&self, job: &Job, state: State, attempt: Option<Attempt>) -> Finished {
        let decided = attempt.is_none() && job.doubt == Doubt::Decided;
        let (id, destination, number, at) = (job.id, job.destination_id, job.number, self.clock.now());
        Finished { id, destination, number, state, attempt, decided, at }
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

fn ended(written: &Written, now: DateTime<Utc>) -> Option<Settled> {
    Some(Settled {
        delivery: DeliveryId(written.id),
        lead: LeadId(written.lead_id),
        destination: DestinationId(written.destination_id),
        end: End::of(&written.state)?,
        at: written.finished_at.unwrap_or(now),
    })
}
