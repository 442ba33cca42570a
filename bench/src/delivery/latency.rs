//! From commit to receipt: leads come at a fixed rate, are committed durably with their deliveries, and each is timed until it
//! is received. Three ways: some in one transaction that claims their deliveries, as intake stores what comes at the same time; one in a
//! transaction, as after an import or beside another process, where the worker is woken and looks for it; and sent in one by one
//! through intake itself. The first two are made by one plain statement, so that their rate is not bounded by what intake costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::{DeliveryId, DestinationId, LeadId};
use entity::lead_source;
use serde_json::json;
use service::database::Mode;
use service::intake::sources;
use service::intake::submit::{self, Submission};
use sqlx::Executor as _;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Place, fill_with, places, start_worker, wait_for};
use crate::process::{self, Listening};
use crate::receiver::now_us;
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

/// How leads come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Eight in a transaction that claims their deliveries for the worker.
    HandedOver,
    /// One in a transaction; the worker finds and claims its delivery.
    Found,
    /// Through intake, which puts those that come at the same time in one transaction.
    SentIn,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::HandedOver => "delivery latency",
            Self::Found => "delivery latency, found by the worker",
            Self::SentIn => "delivery latency, sent in one by one",
        }
    }

    /// Leads a time.
    const fn together(self) -> u32 {
        match self {
            Self::HandedOver => 8,
            Self::Found | Self::SentIn => 1,
        }
    }

    /// Under way at a time.
    const fn at_once(self) -> usize {
        match self {
            Self::HandedOver | Self::Found => 12,
            Self::SentIn => 128,
        }
    }
}

/// When a lead was handed in and when whoever did so knew that it was committed, microseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    begun: u128,
    committed: u128,
}

/// Where leads come from and go to.
struct Road {
    world: World,
    place: Place,
    source: lead_source::Model,
}

pub(super) async fn measure(rate: f64, size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    for way in [Way::HandedOver, Way::Found, Way::SentIn] {
        run(way, rate, size, lines).await?;
    }
    Ok(())
}

async fn run(way: Way, rate: f64, size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    let world = World::new().await?;
    let receiver = Listening::start(process::part("receive")?)?;
    let place = places(&world, "latency", receiver.port, 1, 64).await?[0];
    let tx = world.app.begin(place.tenant, Mode::ReadOnly).await?;
    let source = sources::by_slug(&tx, "leadsource").await?;
    drop(tx);
    let road = Arc::new(Road { world, place, source });
    let count = (rate * f64::from(size.seconds)).max(100.0);
    eprintln!("delivery: {count:.0} leads at {rate:.0} a second");
    let (stop, running) = start_worker(&road.world.app)?;
    let started = Instant::now();
    let handed_in = hand_in_all(&road, way, rate, count).await?;
    let reached = f64::from(u32::try_from(handed_in.len())?) / started.elapsed().as_secs_f64();
    wait_for(&receiver, u32::try_from(handed_in.len())?, Instant::now()).await?;
    stop.cancel();
    running.await?;

    let arrivals = arrivals(&road, &receiver, &handed_in).await?;
    let since_commit = Waits::new(&arrivals, |times| times.committed)?;
    let whole = Waits::new(&arrivals, |times| times.begun)?;
    let line =
        |percent| Line::new(format!("{} p{percent}", way.name()), "ms", since_commit.quantile(percent));
    let p50 = line(50).note(format!("commit to receipt; {reached:.0} leads/s of {rate:.0} wanted"));
    let whole = (whole.quantile(50), whole.quantile(99));
    let p99 = line(99).note(format!("from before its transaction p50 {:.1}, p99 {:.1} ms", whole.0, whole.1));
    match way {
        Way::HandedOver => lines.extend([p50.aim(Aim::AtMost(5.0)), p99.aim(Aim::AtMost(20.0))]),
        Way::Found | Way::SentIn => lines.extend([p50, p99]),
    }
    if let Some(road) = Arc::into_inner(road) {
        road.world.close().await?;
    }
    Ok(())
}

/// The times of every lead.
async fn hand_in_all(road: &Arc<Road>, way: Way, rate: f64, count: f64) -> Outcome<HashMap<Uuid, Times>> {
    let mut handed_in = HashMap::new();
    let mut under_way: JoinSet<Outcome<(Vec<Uuid>, Times)>> = JoinSet::new();
    let started = tokio::time::Instant::now();
    let mut number = 0_u32;
    while f64::from(number) < count {
        tokio::time::sleep_until(started + Duration::from_secs_f64(f64::from(number) / rate)).await;
        if under_way.len() >= way.at_once()
            && let Some(done) = under_way.join_next().await
        {
            let (leads, times) = done??;
            handed_in.extend(leads.into_iter().map(|lead| (lead, times)));
        }
        let road = Arc::clone(road);
        under_way.spawn(async move {
            let begun = now_us();
            let leads = match way {
                Way::SentIn => vec![send_in(&road, number).await?],
                Way::HandedOver | Way::Found => hand_in(&road, way, number).await?,
            };
            Ok((leads, Times { begun, committed: now_us() }))
        });
        number += way.together();
    }
    while let Some(done) = under_way.join_next().await {
        let (leads, times) = done??;
        handed_in.extend(leads.into_iter().map(|lead| (lead, times)));
    }
    Ok(handed_in)
}

async fn hand_in(road: &Road, way: Way, number: u32) -> Outcome<Vec<Uuid>> {
    let (app, place) = (&road.world.app, road.place);
    let mut tx = app.begin(place.tenant, Mode::ReadWrite).await?;
    let (now, together) = (app.clock.now(), way.together());
    let new_ids = || (0..together).map(|_| app.ids.next(now)).collect::<Vec<Uuid>>();
    let leads = new_ids();
    let fill = fill_with(place, leads.clone(), new_ids(), number);
    tx.connection().execute(fill).await?;
    if way == Way::HandedOver {
        let made: Vec<LeadId> = leads.iter().copied().map(LeadId).collect();
        app.hand_over(tx, &made, &[DestinationId(place.destination)]).await?;
    } else {
        tx.commit().await?;
        app.wake.delivery();
    }
    Ok(leads)
}

async fn send_in(road: &Road, number: u32) -> Outcome<Uuid> {
    let record = json!({
        "Lead ID": format!("LS-{number}"), "First Name": "Kara", "Last Name": "Test", "City": "Boulder", "State": "CO",
        "Pri. Phone": format!("303{:03}{:04}", 200 + number / 10_000 % 700, number % 10_000),
    });
    let (record, source) = (record.to_string(), &road.source);
    let submission = Submission { source, record: &record, channel: "api", idempotency_key: None };
    let submitted = submit::submit(&road.world.app, road.place.tenant, submission).await?;
    Ok(submitted
        .lead
        .filter(|_| submitted.outcome.as_str() == "accept")
        .ok_or("a lead was not taken")?
        .uuid())
}

/// When each lead was handed in and when it arrived.
async fn arrivals(
    road: &Road,
    receiver: &Listening,
    handed_in: &HashMap<Uuid, Times>,
) -> Outcome<Vec<(Times, u128)>> {
    let arrived = reqwest::get(format!("http://127.0.0.1:{}/arrivals", receiver.port)).await?.text().await?;
    let deliveries: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT id, lead_id FROM delivery").fetch_all(road.world.owner()?).await?;
    let lead_of: HashMap<Uuid, Uuid> = deliveries.into_iter().collect();
    let mut arrivals = Vec::with_capacity(handed_in.len());
    for line in arrived.lines() {
        let (id, at) = line.split_once(' ').ok_or("an unreadable arrival")?;
        let id: DeliveryId = id.parse().map_err(|_| "an unreadable id")?;
        let lead = lead_of.get(&id.uuid()).ok_or("an unknown delivery")?;
        arrivals.push((*handed_in.get(lead).ok_or("an unknown lead")?, at.parse()?));
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
