//! Outcomes on their way into the database: gathered, and committed by tenant.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::ids::TenantId;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BACK_OFF, Outcome, Run, sleep_or};
use crate::delivery::engine::Engine;
use crate::delivery::load::Place;
use crate::delivery::store::{self, Finished};

/// Commits at a time: while one waits for the disk, the next is written.
const COMMITS: usize = 2;
/// Between two looks for tables that have outgrown their statistics, while there is work.
const STATISTICS: Duration = Duration::from_secs(1);

/// Gathers outcomes and commits them by tenant, a few batches at a time.
pub(super) async fn commit_loop(run: Arc<Run>, mut received: UnboundedReceiver<Outcome>) {
    let commits = Arc::new(Semaphore::new(COMMITS));
    let tasks = TaskTracker::new();
    let mut looked_at: Option<Instant> = None;
    while let ControlFlow::Continue(batch) = gather(&run, &mut received).await {
        if looked_at.is_none_or(|at| at.elapsed() > STATISTICS) {
            looked_at = Some(Instant::now());
            tokio::spawn(keep_statistics(Arc::clone(&run.engine)));
        }
        let mut by_tenant: HashMap<TenantId, Vec<Outcome>> = HashMap::new();
        for outcome in batch {
            by_tenant.entry(outcome.tenant).or_default().push(outcome);
        }
        for (tenant, batch) in by_tenant {
            let Ok(permit) = Arc::clone(&commits).acquire_owned().await else { return };
            let engine = Arc::clone(&run.engine);
            let give_up = run.give_up.clone();
            tasks.spawn(async move {
                commit(&engine, &give_up, tenant, batch).await;
                drop(permit);
            });
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// The next batch of outcomes; ends when all jobs have ended after a stop.
async fn gather(run: &Run, received: &mut UnboundedReceiver<Outcome>) -> ControlFlow<(), Vec<Outcome>> {
    let settings = &run.engine.settings;
    let mut batch = Vec::new();
    tokio::select! {
        _ = received.recv_many(&mut batch, settings.batch) => {}
        () = all_ended(run) => {
            // The last ones may have come between the two looks.
            while batch.len() < settings.batch && let Ok(outcome) = received.try_recv() {
                batch.push(outcome);
            }
            return if batch.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(batch) };
        }
    }
    let until = Instant::now() + settings.gather;
    while batch.len() < settings.batch && run.sending.load(Ordering::Relaxed) > 0 {
        let room = settings.batch - batch.len();
        if timeout_at(until, received.recv_many(&mut batch, room)).await.is_err() {
            break;
        }
    }
    ControlFlow::Continue(batch)
}

async fn all_ended(run: &Run) {
    run.jobs.wait().await;
}

/// Commits outcomes, and waits for the database as long as it takes: the fence decides what is still ours.
async fn commit(engine: &Engine, give_up: &CancellationToken, tenant: TenantId, batch: Vec<Outcome>) {
    let (mut finished, places): (Vec<Finished>, Vec<Place>) =
        batch.into_iter().map(|outcome| (outcome.finished, outcome.place)).unzip();
    let mut back_off = BACK_OFF.0;
    loop {
        match engine.finish_each(tenant, &mut finished).await {
            Ok(written) => {
                let lost = finished.len() as u64 - written;
                if lost > 0 {
                    tracing::warn!(tenant.id = %tenant, deliveries = lost, "outcomes came after the lease had passed on");
                }
                break;
            }
            Err(error) if error.is_passing() && !give_up.is_cancelled() => {
                tracing::warn!(error = &error as &dyn std::error::Error, tenant.id = %tenant, "outcomes wait for the database");
                sleep_or(give_up, back_off).await;
                back_off = (back_off * 2).min(BACK_OFF.1);
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, tenant.id = %tenant, "outcomes are lost; their leases will end");
                break;
            }
        }
    }
    drop(places);
}

async fn keep_statistics(engine: Arc<Engine>) {
    if let Err(error) = store::analyze_outgrown(&engine.pool).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the tables' statistics could not be renewed"
        );
    }
}
