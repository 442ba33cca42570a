//! The worker: claiming, sending and committing, each going on while the others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::ids::{DestinationId, TenantId};
use futures_util::StreamExt as _;
use sqlx::PgPool;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Error;
use super::claim::{Claim, Room};
use super::engine::{Engine, Job};
use super::load::{Load, Place, Turn};
use super::settings::Settings;
use super::store::{self, Finished};
use super::tally::Tally;
use crate::database::TenantTx;
use crate::runtime::{Clock, Ids};
use crate::secrets::Secrets;

mod commits;
mod handover;

pub use handover::{Handover, Wake};

/// Deliveries claimed for a destination, as a multiple of the requests that may be on their way to it: while those of
/// one claim are answered, the next claim is made.
const CLAIMED_AHEAD: usize = 4;
/// Claims at a time: while one waits for the disk, what has come since is claimed, so that a lead waits for its own claim only.
const CLAIMS: usize = 2;
/// First and longest pause when the database is away.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Delivers what is due. Cheap to clone; clones are the same worker.
#[derive(Clone)]
pub struct Worker {
    engine: Arc<Engine>,
    wake: Wake,
}

/// What the tasks of a running worker share.
struct Run {
    engine: Arc<Engine>,
    load: Arc<Load>,
    /// Jobs whose outcome is not yet in `outcomes`.
    sending: AtomicUsize,
    outcomes: UnboundedSender<Outcome>,
    claims: Arc<Semaphore>,
    /// Told whenever a claim is durable: there may be more of the same.
    claimed: Notify,
    jobs: TaskTracker,
    /// No new requests.
    stop: CancellationToken,
    /// Not even what is on its way.
    abandon: CancellationToken,
    /// No more waiting for a database that is away.
    give_up: CancellationToken,
}

/// A delivery's outcome and the place that it gives back once it is committed.
struct Outcome {
    tenant: TenantId,
    finished: Finished,
    place: Place,
}

impl Worker {
    /// A worker over the restricted role's pool. It does nothing until [`Worker::run`] or [`Worker::run_due_work`].
    pub fn new(
        pool: PgPool,
        secrets: Arc<Secrets>,
        (clock, ids): (Clock, Ids),
        wake: Wake,
        settings: Settings,
    ) -> Result<Self, Error> {
        Ok(Self { engine: Arc::new(Engine::new(pool, secrets, clock, ids, settings)?), wake })
    }

    /// Does everything that is due at the clock's time, and returns when nothing is. No sleeping: for tests
    /// and for commands that deliver once.
    pub async fn run_due_work(&self) -> Result<Tally, Error> {
        let engine = &self.engine;
        engine.forget_destinations();
        let mut total = Tally::default();
        loop {
            let mut round = Tally::default();
            for (tenant, destinations) in store::due_destinations(&engine.pool, engine.clock.now()).await? {
                round.add(self.do_batch(tenant, &destinations).await?);
            }
            total.add(round);
            if round.claimed == 0 {
                return Ok(total);
            }
        }
    }

    async fn do_batch(&self, tenant: TenantId, destinations: &[DestinationId]) -> Result<Tally, Error> {
        let engine = &self.engine;
        let room = Room { limit: engine.settings.batch, waiting: &|_| 0, ahead: 1, rationed: true };
        let (tx, Claim { jobs, .. }) = engine.claim(tenant, destinations, &room).await?;
        tx.commit().await?;
        let mut tally = Tally { claimed: jobs.len() as u64, ..Tally::default() };
        let mut done: Vec<Finished> = futures_util::stream::iter(jobs)
            .map(|job| engine.send(job))
            .buffer_unordered(engine.settings.requests_per_destination)
            .collect()
            .await;
        tally.count(&done);
        let written = engine.finish_each(tenant, &mut done).await?;
        tally.lost = done.len() as u64 - written;
        Ok(tally)
    }

    /// Claims one batch of due deliveries to a destination and gives it back as it was; answers how long looking and
    /// claiming took. For measuring.
    pub async fn time_a_claim(
        &self,
        tenant: TenantId,
        destination: DestinationId,
    ) -> Result<Duration, Error> {
        let engine = &self.engine;
        let started = Instant::now();
        store::due_destinations(&engine.pool, engine.clock.now()).await?;
        let room =
            Room { limit: engine.settings.batch, waiting: &|_| 0, ahead: CLAIMED_AHEAD, rationed: true };
        let (tx, Claim { jobs, .. }) = engine.claim(tenant, &[destination], &room).await?;
        tx.commit().await?;
        let took = started.elapsed();
        let given_back: Vec<Finished> = jobs.iter().map(|job| engine.release(job)).collect();
        engine.finish(tenant, &given_back).await?;
        Ok(took)
    }

    /// Delivers until `stop` is cancelled. Then claims nothing more, gives back what is not yet sent, waits for
    /// what is on its way up to the limit, commits it and returns. What is cut off by the limit is claimed
    /// again by somebody when its lease ends.
    pub async fn run(&self, stop: CancellationToken) {
        let settings = &self.engine.settings;
        let (outcomes, received) = unbounded_channel();
        let run = Arc::new(Run {
            engine: Arc::clone(&self.engine),
            load: Arc::new(Load::new(settings.places)),
            sending: AtomicUsize::new(0),
            outcomes,
            claims: Arc::new(Semaphore::new(CLAIMS)),
            claimed: Notify::new(),
            jobs: TaskTracker::new(),
            stop: stop.clone(),
            abandon: CancellationToken::new(),
            give_up: CancellationToken::new(),
        });
        let commits = tokio::spawn(commits::commit_loop(Arc::clone(&run), received));
        self.wake.runs(&run);
        self.claim_loop(&run).await;
        run.jobs.close();
        if timeout(settings.stop_limit, run.jobs.wait()).await.is_err() {
            tracing::warn!(
                deliveries = run.load.held(),
                "requests on their way are abandoned; their leases will end"
            );
            run.abandon.cancel();
        }
        // Every outcome is in the channel by now or never will be; committing them has a limit of its own.
        if timeout(settings.stop_limit, commits).await.is_err() {
            tracing::warn!("the database did not take the last outcomes in time; their leases will end");
            run.give_up.cancel();
        }
    }

    async fn claim_loop(&self, run: &Arc<Run>) {
        let mut back_off = BACK_OFF.0;
        let mut last = None;
        while !run.stop.is_cancelled() {
            // Armed before looking, so that a wake-up between looking and waiting is not lost.
            let woken = self.wake.notified();
            let freed = run.load.freed.notified();
            let claimed = run.claimed.notified();
            let pause = match self.claim_round(run, &mut last).await {
                Ok(Round::Claimed) => {
                    back_off = BACK_OFF.0;
                    run.engine.settings.poll
                }
                Ok(Round::Full) => {
                    // Room comes with the next commit; the poll is for the case that it does not.
                    tokio::select! {
                        () = freed => {}
                        () = sleep(run.engine.settings.poll) => {}
                        () = run.stop.cancelled() => {}
                    }
                    continue;
                }
                Ok(Round::Idle) => {
                    back_off = BACK_OFF.0;
                    self.jittered(run.engine.settings.poll)
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        pause_ms = u64::try_from(back_off.as_millis()).unwrap_or(u64::MAX),
                        "deliveries cannot be claimed"
                    );
                    let pause = back_off;
                    back_off = (back_off * 2).min(BACK_OFF.1);
                    sleep_or(&run.stop, self.jittered(pause)).await;
                    continue;
                }
            };
            tokio::select! {
                () = woken => {}
                () = claimed => {}
                () = sleep(pause) => {}
                () = run.stop.cancelled() => {}
            }
        }
    }

    /// One batch for each tenant with due deliveries, beginning after the one that was served last.
    async fn claim_round(&self, run: &Arc<Run>, last: &mut Option<TenantId>) -> Result<Round, Error> {
        let engine = &self.engine;
        let mut tenants = store::due_destinations(&engine.pool, engine.clock.now()).await?;
        let first = tenants.partition_point(|(tenant, _)| last.is_some_and(|last| *tenant <= last));
        tenants.rotate_left(first);
        let mut round = Round::Idle;
        for (tenant, destinations) in tenants {
            if run.stop.is_cancelled() {
                break;
            }
            // Small claims cost as much as large ones: for who is being served it pays to wait for more room.
            let allowance = run.load.allowance(tenant);
            let wanted = engine.settings.batch.min(engine.settings.places / 16);
            if allowance == 0 || (allowance < wanted && run.load.is_served(tenant)) {
                round = round.or_full();
                continue;
            }
            let waiting = |destination| run.load.waiting((tenant, destination));
            let room = Room { limit: allowance, waiting: &waiting, ahead: CLAIMED_AHEAD, rationed: true };
            let Ok(permit) = Arc::clone(&run.claims).acquire_owned().await else { break };
            let (tx, claim) = engine.claim(tenant, &destinations, &room).await?;
            *last = Some(tenant);
            if claim.jobs.is_empty() {
                round = if claim.crowded { round.or_full() } else { round };
                tx.commit().await?;
                continue;
            }
            round = Round::Claimed;
            // Counted from here on: the next claim begins before this one is durable.
            let taken = Taken::new(run, claim.jobs);
            run.jobs.spawn(do_claimed(Arc::clone(run), tx, taken, permit));
        }
        Ok(round)
    }

    /// Between half of it and all of it: workers that started together do not ask together for ever.
    fn jittered(&self, pause: Duration) -> Duration {
        let random = u32::try_from(self.engine.ids.jitter() >> 32).unwrap_or(0);
        pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// What a look at the database came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// There may be more.
    Claimed,
    /// There is more, and no room for it.
    Full,
    /// There is nothing that could be sent.
    Idle,
}

impl Round {
    fn or_full(self) -> Self {
        if self == Self::Idle { Self::Full } else { self }
    }
}

/// Claimed deliveries with their places. They are counted among what is on its way, and the worker does not end without them; dropped
/// before they begin, they are somebody's when their leases end, or at once when the claim was not committed.
struct Taken {
    run: Arc<Run>,
    jobs: Vec<(Job, Place, Turn)>,
    _awaited: TaskTrackerToken,
}

impl Taken {
    fn new(run: &Arc<Run>, jobs: Vec<Job>) -> Self {
        run.sending.fetch_add(jobs.len(), Ordering::Relaxed);
        let placed = jobs.into_iter().map(|job| {
            let (place, turn) = run.load.take(job.key(), job.concurrency);
            (job, place, turn)
        });
        Self { jobs: placed.collect(), _awaited: run.jobs.token(), run: Arc::clone(run) }
    }

    fn begin(mut self) {
        for (job, place, turn) in std::mem::take(&mut self.jobs) {
            self.run.jobs.spawn(do_job(Arc::clone(&self.run), job, place, turn));
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.run.sending.fetch_sub(self.jobs.len(), Ordering::Relaxed);
    }
}

/// Makes a claim durable and begins its jobs.
async fn do_claimed(run: Arc<Run>, tx: TenantTx, taken: Taken, permit: OwnedSemaphorePermit) {
    match tx.commit().await {
        Ok(()) => taken.begin(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a claim could not be committed");
            drop(taken);
            // As after a look that found nothing, lest it be tried without a pause.
            sleep_or(&run.stop, run.engine.settings.poll).await;
        }
    }
    drop(permit);
    run.claimed.notify_one();
}

/// Waits for its turn, sends, hands the outcome on. Told to stop while it waits, it gives the delivery back.
async fn do_job(run: Arc<Run>, job: Job, place: Place, turn: Turn) {
    let tenant = job.tenant;
    let permit = tokio::select! {
        biased;
        () = run.stop.cancelled() => None,
        permit = turn.turns.acquire() => permit.ok(),
    };
    let finished = if permit.is_none() || run.stop.is_cancelled() {
        Some(run.engine.release(&job))
    } else {
        tokio::select! {
            finished = run.engine.send(job) => Some(finished),
            () = run.abandon.cancelled() => None,
        }
    };
    drop(permit);
    drop(turn);
    if let Some(finished) = finished {
        // The receiver is gone only when the worker has given up waiting for us.
        let _ = run.outcomes.send(Outcome { tenant, finished, place });
    }
    run.sending.fetch_sub(1, Ordering::Relaxed);
}

async fn sleep_or(stop: &CancellationToken, pause: Duration) {
    tokio::select! {
        () = sleep(pause) => {}
        () = stop.cancelled() => {}
    }
}
