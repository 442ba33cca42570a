//! From commit to receipt: leads one at a time at a fixed rate, each committed durably by itself with its delivery, and the time
//! until each is received. They are committed by one plain statement, so that the rate is not bounded by what intake costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::DeliveryId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{FILL, Place, places, start_worker, wait_for};
use crate::process::{self, Listening};
use crate::receiver::now_us;
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

/// Commits under way at a time; the owner's pool has few connections.
const AT_ONCE: usize = 3;

pub(super) async fn measure(rate: f64, size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    let world = Arc::new(World::new().await?);
    let receiver = Listening::start(process::part("receive")?)?;
    let place = places(&world, "latency", receiver.port, 1, 64).await?[0];
    let count = (rate * f64::from(size.seconds)).max(100.0);
    eprintln!("delivery: {count:.0} leads at {rate:.0} a second");
    let (stop, running) = start_worker(&world.app)?;
    let started = Instant::now();
    let committed = commit_all(&world, place, rate, count).await?;
    let reached = f64::from(u32::try_from(committed.len())?) / started.elapsed().as_secs_f64();
    wait_for(&receiver, u32::try_from(committed.len())?, Instant::now()).await?;
    stop.cancel();
    running.await?;

    let mut waits = waits(&receiver, &committed).await?;
    waits.sort_by(f64::total_cmp);
    let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    let note =
        format!("commit to receipt, {reached:.0} leads/s of {rate:.0} wanted, each a commit of its own");
    lines.push(Line::new("delivery latency p50", "ms", quantile(50)).aim(Aim::AtMost(5.0)).note(note));
    lines.push(Line::new("delivery latency p99", "ms", quantile(99)).aim(Aim::AtMost(20.0)));
    if let Some(world) = Arc::into_inner(world) {
        world.close().await?;
    }
    Ok(())
}

/// When each delivery was committed, microseconds since 1970.
async fn commit_all(world: &Arc<World>, place: Place, rate: f64, count: f64) -> Outcome<HashMap<Uuid, u128>> {
    let mut committed = HashMap::new();
    let mut commits: JoinSet<Outcome<(Uuid, u128)>> = JoinSet::new();
    let started = tokio::time::Instant::now();
    let mut number = 0_u32;
    while f64::from(number) < count {
        tokio::time::sleep_until(started + Duration::from_secs_f64(f64::from(number) / rate)).await;
        if commits.len() >= AT_ONCE
            && let Some(done) = commits.join_next().await
        {
            let (delivery, at) = done??;
            committed.insert(delivery, at);
        }
        commits.spawn(commit_one(Arc::clone(world), place, number));
        number += 1;
    }
    while let Some(done) = commits.join_next().await {
        let (delivery, at) = done??;
        committed.insert(delivery, at);
    }
    Ok(committed)
}

async fn commit_one(world: Arc<World>, place: Place, number: u32) -> Outcome<(Uuid, u128)> {
    let now = world.app.clock.now();
    let (lead, delivery) = (world.app.ids.next(now), world.app.ids.next(now));
    sqlx::query(FILL)
        .bind(place.tenant.uuid())
        .bind(place.source)
        .bind(vec![lead])
        .bind(vec![delivery])
        .bind(place.destination)
        .bind(i64::from(number))
        .execute(world.owner()?)
        .await?;
    let at = now_us();
    world.app.wake.delivery();
    Ok((delivery, at))
}

/// Milliseconds from commit to receipt, of each delivery. A receipt that came before we knew of the commit took none.
async fn waits(receiver: &Listening, committed: &HashMap<Uuid, u128>) -> Outcome<Vec<f64>> {
    let arrivals = reqwest::get(format!("http://127.0.0.1:{}/arrivals", receiver.port)).await?.text().await?;
    let mut waits = Vec::with_capacity(committed.len());
    for line in arrivals.lines() {
        let (id, at) = line.split_once(' ').ok_or("an unreadable arrival")?;
        let id: DeliveryId = id.parse().map_err(|_| "an unreadable id")?;
        let committed = committed.get(&id.uuid()).ok_or("an unknown arrival")?;
        let wait = at.parse::<u128>()?.saturating_sub(*committed);
        waits.push(f64::from(u32::try_from(wait)?) / 1_000.0);
    }
    Ok(waits)
}
