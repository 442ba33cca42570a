//! From commit to receipt: leads one at a time at a fixed rate, each committed durably by itself with its delivery, and the time
//! until each is received. They are made by one plain statement, so that the rate is not bounded by what intake costs. Once as intake does
//! it, where the worker of the same process has claimed the delivery by the time it is committed; and once as after an import or
//! beside another process, where the worker is woken and looks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::{DeliveryId, DestinationId, LeadId};
use service::database::Mode;
use sqlx::Executor as _;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{FILL, Place, places, start_worker, wait_for};
use crate::process::{self, Listening};
use crate::receiver::now_us;
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

/// Transactions under way at a time.
const AT_ONCE: usize = 12;

/// Who claims a delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claimed {
    /// Whoever makes it, in the same transaction.
    WithItsLead,
    /// The worker, once it has found it.
    Afterwards,
}

/// When a lead was handed in and when it was committed, microseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    begun: u128,
    committed: u128,
}

pub(super) async fn measure(rate: f64, size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    for claimed in [Claimed::WithItsLead, Claimed::Afterwards] {
        run(claimed, rate, size, lines).await?;
    }
    Ok(())
}

async fn run(claimed: Claimed, rate: f64, size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    let world = Arc::new(World::new().await?);
    let receiver = Listening::start(process::part("receive")?)?;
    let place = places(&world, "latency", receiver.port, 1, 64).await?[0];
    let count = (rate * f64::from(size.seconds)).max(100.0);
    eprintln!("delivery: {count:.0} leads at {rate:.0} a second");
    let (stop, running) = start_worker(&world.app)?;
    let started = Instant::now();
    let handed_in = hand_in_all(&world, place, claimed, rate, count).await?;
    let reached = f64::from(u32::try_from(handed_in.len())?) / started.elapsed().as_secs_f64();
    wait_for(&receiver, u32::try_from(handed_in.len())?, Instant::now()).await?;
    stop.cancel();
    running.await?;

    let arrivals = arrivals(&receiver, &handed_in).await?;
    let since_commit = Waits::new(&arrivals, |times| times.committed)?;
    let since_begin = Waits::new(&arrivals, |times| times.begun)?;
    let note = format!("{reached:.0} leads/s of {rate:.0} wanted, each a commit of its own");
    match claimed {
        Claimed::WithItsLead => {
            let note = format!("commit to receipt, {note}");
            let p50 = Line::new("delivery latency p50", "ms", since_commit.quantile(50));
            lines.push(p50.aim(Aim::AtMost(5.0)).note(note));
            let p99 = Line::new("delivery latency p99", "ms", since_commit.quantile(99));
            lines.push(p99.aim(Aim::AtMost(20.0)));
            let begun = format!("from before its transaction began; p99 {:.1} ms", since_begin.quantile(99));
            lines.push(Line::new("delivery latency, whole, p50", "ms", since_begin.quantile(50)).note(begun));
        }
        Claimed::Afterwards => {
            let note = format!("p99 {:.1} ms; {note}", since_commit.quantile(99));
            let p50 = Line::new("delivery latency p50, found by the worker", "ms", since_commit.quantile(50));
            lines.push(p50.note(note));
            let begun = format!("from before its transaction began; p99 {:.1} ms", since_begin.quantile(99));
            let whole = "delivery latency, whole, p50, found by the worker";
            lines.push(Line::new(whole, "ms", since_begin.quantile(50)).note(begun));
        }
    }
    if let Some(world) = Arc::into_inner(world) {
        world.close().await?;
    }
    Ok(())
}

async fn hand_in_all(
    world: &Arc<World>,
    place: Place,
    claimed: Claimed,
    rate: f64,
    count: f64,
) -> Outcome<HashMap<Uuid, Times>> {
    let mut handed_in = HashMap::new();
    let mut under_way: JoinSet<Outcome<(Uuid, Times)>> = JoinSet::new();
    let started = tokio::time::Instant::now();
    let mut number = 0_u32;
    while f64::from(number) < count {
        tokio::time::sleep_until(started + Duration::from_secs_f64(f64::from(number) / rate)).await;
        if under_way.len() >= AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            let (delivery, times) = done??;
            handed_in.insert(delivery, times);
        }
        under_way.spawn(hand_in(Arc::clone(world), place, claimed, number));
        number += 1;
    }
    while let Some(done) = under_way.join_next().await {
        let (delivery, times) = done??;
        handed_in.insert(delivery, times);
    }
    Ok(handed_in)
}

async fn hand_in(world: Arc<World>, place: Place, claimed: Claimed, number: u32) -> Outcome<(Uuid, Times)> {
    let app = &world.app;
    let now = app.clock.now();
    let (lead, delivery) = (app.ids.next(now), app.ids.next(now));
    let begun = now_us();
    let mut tx = app.begin(place.tenant, Mode::ReadWrite).await?;
    let fill = sqlx::query(FILL)
        .bind(place.tenant.uuid())
        .bind(place.source)
        .bind(vec![lead])
        .bind(vec![delivery])
        .bind(place.destination)
        .bind(i64::from(number));
    tx.connection().execute(fill).await?;
    match claimed {
        Claimed::WithItsLead => {
            app.hand_over(tx, LeadId(lead), &[DestinationId(place.destination)]).await?;
        }
        Claimed::Afterwards => {
            tx.commit().await?;
            app.wake.delivery();
        }
    }
    Ok((delivery, Times { begun, committed: now_us() }))
}

/// When each lead was handed in and when it arrived.
async fn arrivals(receiver: &Listening, handed_in: &HashMap<Uuid, Times>) -> Outcome<Vec<(Times, u128)>> {
    let arrived = reqwest::get(format!("http://127.0.0.1:{}/arrivals", receiver.port)).await?.text().await?;
    let mut arrivals = Vec::with_capacity(handed_in.len());
    for line in arrived.lines() {
        let (id, at) = line.split_once(' ').ok_or("an unreadable arrival")?;
        let id: DeliveryId = id.parse().map_err(|_| "an unreadable id")?;
        arrivals.push((*handed_in.get(&id.uuid()).ok_or("an unknown arrival")?, at.parse()?));
    }
    Ok(arrivals)
}

/// Milliseconds, in order.
struct Waits(Vec<f64>);

impl Waits {
    /// Until receipt. A receipt that came before we knew of the commit took none.
    fn new(arrivals: &[(Times, u128)], since: impl Fn(&Times) -> u128) -> Outcome<Self> {
        let mut waits = Vec::with_capacity(arrivals.len());
        for (times, at) in arrivals {
            waits.push(f64::from(u32::try_from(at.saturating_sub(since(times)))?) / 1_000.0);
        }
        waits.sort_by(f64::total_cmp);
        Ok(Self(waits))
    }

    fn quantile(&self, percent: usize) -> f64 {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}
