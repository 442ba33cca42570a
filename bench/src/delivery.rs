//! Pending deliveries to a fast local receiver, each attempt recorded durably; then how long a lead takes from its commit
//! to its receipt at a quarter of that rate.
//!
//! Postgres, worker and receiver share the machine; the receiver is a process of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::{DeliveryId, LeadId, TenantId};
use entity::lead_source;
use service::App;
use service::intake::submit::{self, Submission};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::process::{self, Listening};
use crate::receiver::now_us;
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

const TENANTS: u32 = 4;
/// Longest wait for the last delivery.
const PATIENCE: Duration = Duration::from_mins(2);

/// Leads with a pending delivery each; the same person over and over, but with a phone of its own.
const FILL: &str = "WITH made AS (
        INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope, external_id,
                          channel, first_name, last_name, phone, address, city, state, zip, details)
        SELECT $1, t.id, $2, now(), t.id, t.id, $2, 'LS-' || t.n, 'file', 'Kara', 'Test',
               '+1303' || (2000000 + t.n), '1 Elm St', 'Boulder', 'CO', '80301',
               '{\"credit_score\":712,\"mortgage_balance\":250000.55,\"mortgage_rate\":6.5,\"ltv\":55.6}'
        FROM unnest($3::uuid[]) WITH ORDINALITY AS t (id, n)
    )
    INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, due_at)
    SELECT $1, t.id, t.lead, $5, 'pending', now() FROM unnest($4::uuid[], $3::uuid[]) AS t (id, lead)";

/// A tenant with a source and a destination.
struct Place {
    tenant: TenantId,
    source: lead_source::Model,
    destination: Uuid,
}

/// Throughput, then latency.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let world = World::new().await?;
    let receiver = Listening::start(process::part("receive")?)?;
    let mut places = Vec::new();
    for number in 0..TENANTS {
        places.push(place(&world, &format!("tenant-{number}"), receiver.port).await?);
    }
    let mut lines = Vec::new();
    let rate = throughput(&world, &receiver, &places, size, &mut lines).await?;
    drop(receiver);

    let receiver = Listening::start(process::part("receive")?)?;
    let place = place(&world, "latency", receiver.port).await?;
    latency(&world, &receiver, place, rate / 4.0, size, &mut lines).await?;
    drop(receiver);
    world.close().await?;
    Ok(lines)
}

async fn place(world: &World, slug: &str, port: u16) -> Outcome<Place> {
    let tenant = world.tenant(slug).await?;
    let source = world.source(tenant, "leadsource", "leadsource").await?;
    let destination = world.destination(tenant, "bonzo", format!("http://127.0.0.1:{port}/leads")).await?.id;
    Ok(Place { tenant, source, destination })
}

/// A worker in this process, until it is stopped.
fn start_worker(app: &App) -> Outcome<(CancellationToken, JoinHandle<()>)> {
    let (worker, stop) = (app.delivery_worker()?, CancellationToken::new());
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(stop).await }
    });
    Ok((stop, running))
}

async fn throughput(
    world: &World,
    receiver: &Listening,
    places: &[Place],
    size: Size,
    lines: &mut Vec<Line>,
) -> Outcome<f64> {
    let each = size.of(100_000) / TENANTS;
    eprintln!("delivery: filling");
    for place in places {
        fill(world, place, each).await?;
    }
    sqlx::raw_sql("ANALYZE").execute(world.owner()?).await?;
    sqlx::raw_sql("CHECKPOINT").execute(world.owner()?).await?;
    let total = each * TENANTS;
    eprintln!("delivery: {total} deliveries");
    let started = Instant::now();
    let (stop, running) = start_worker(&world.app)?;
    wait_for(receiver, total, started).await?;
    while recorded(world).await? < i64::from(total) {
        if started.elapsed() > PATIENCE {
            return Err("the last attempts were never recorded".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    stop.cancel();
    running.await?;
    let rate = f64::from(total) / seconds;
    lines.push(
        Line::new("delivery", "deliveries/s", rate)
            .aim(Aim::AtLeast(5_000.0))
            .note(format!("{total} in {seconds:.1} s, {TENANTS} tenants, each attempt recorded durably")),
    );
    Ok(rate)
}

async fn fill(world: &World, place: &Place, count: u32) -> Outcome<()> {
    let now = world.app.clock.now();
    let new_ids = || (0..count).map(|_| world.app.ids.next(now)).collect::<Vec<Uuid>>();
    let (leads, deliveries) = (new_ids(), new_ids());
    sqlx::query(FILL)
        .bind(place.tenant.uuid())
        .bind(place.source.id)
        .bind(leads)
        .bind(deliveries)
        .bind(place.destination)
        .execute(world.owner()?)
        .await?;
    Ok(())
}

async fn recorded(world: &World) -> Outcome<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM delivery_attempt").fetch_one(world.owner()?).await?)
}

async fn wait_for(receiver: &Listening, count: u32, since: Instant) -> Outcome<()> {
    let address = format!("http://127.0.0.1:{}/count", receiver.port);
    let client = reqwest::Client::new();
    loop {
        let arrived: u32 = client.get(&address).send().await?.text().await?.parse()?;
        if arrived >= count {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("{arrived} of {count} deliveries arrived").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Leads one at a time at a fixed rate, each in its own durable transaction, and the time until each is received.
async fn latency(
    world: &World,
    receiver: &Listening,
    place: Place,
    rate: f64,
    size: Size,
    lines: &mut Vec<Line>,
) -> Outcome<()> {
    let count = (rate * f64::from(size.seconds)).max(100.0);
    eprintln!("delivery: {count:.0} leads at {rate:.0} a second");
    let (stop, running) = start_worker(&world.app)?;
    let started = Instant::now();
    let committed = submit_all(&world.app, &Arc::new(place), rate, count).await?;
    let reached = f64::from(u32::try_from(committed.len())?) / started.elapsed().as_secs_f64();
    wait_for(receiver, u32::try_from(committed.len())?, Instant::now()).await?;
    stop.cancel();
    running.await?;

    let mut waits = waits(world, receiver, &committed).await?;
    waits.sort_by(f64::total_cmp);
    let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    let note =
        format!("commit to receipt, {reached:.0} leads/s of {rate:.0} wanted, each a submitLead of its own");
    lines.push(Line::new("delivery latency p50", "ms", quantile(50)).note(note));
    lines.push(Line::new("delivery latency p99", "ms", quantile(99)));
    Ok(())
}

/// When each lead was committed, microseconds since 1970.
async fn submit_all(
    app: &Arc<App>,
    place: &Arc<Place>,
    rate: f64,
    count: f64,
) -> Outcome<HashMap<Uuid, u128>> {
    /// Submissions that wait for their commit at a time: fewer than the pool has connections.
    const AT_ONCE: usize = 16;
    let mut committed = HashMap::new();
    let mut submissions: JoinSet<Outcome<(LeadId, u128)>> = JoinSet::new();
    let started = tokio::time::Instant::now();
    let mut number = 0.0;
    while number < count {
        tokio::time::sleep_until(started + Duration::from_secs_f64(number / rate)).await;
        if submissions.len() >= AT_ONCE
            && let Some(done) = submissions.join_next().await
        {
            let (lead, at) = done??;
            committed.insert(lead.uuid(), at);
        }
        submissions.spawn(submit_one(Arc::clone(app), Arc::clone(place), format!("{number:07.0}")));
        number += 1.0;
    }
    while let Some(done) = submissions.join_next().await {
        let (lead, at) = done??;
        committed.insert(lead.uuid(), at);
    }
    Ok(committed)
}

async fn submit_one(app: Arc<App>, place: Arc<Place>, number: String) -> Outcome<(LeadId, u128)> {
    let record = serde_json::json!({
        "Lead ID": format!("LS{number}"), "First Name": "Kara", "Last Name": "Test", "State": "CO", "ZIP": "80301",
        "Pri. Phone": format!("720{}", 3_000_000 + number.parse::<u32>()?),
        "Email": format!("kara{number}@example.com"), "Credit Grade": "712",
    });
    let record = record.to_string();
    let submission =
        Submission { source: &place.source, record: &record, channel: "api", idempotency_key: None };
    let submitted = submit::submit(&app, place.tenant, submission).await?;
    let at = now_us();
    Ok((submitted.lead.ok_or_else(|| format!("a lead was refused: {:?}", submitted.reasons))?, at))
}

/// Milliseconds from commit to receipt, of each lead. A receipt that came before we knew of the commit took none.
async fn waits(world: &World, receiver: &Listening, committed: &HashMap<Uuid, u128>) -> Outcome<Vec<f64>> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT id, lead_id FROM delivery").fetch_all(world.owner()?).await?;
    let lead_of: HashMap<String, Uuid> =
        rows.into_iter().map(|(id, lead)| (DeliveryId(id).to_string(), lead)).collect();
    let arrivals = reqwest::get(format!("http://127.0.0.1:{}/arrivals", receiver.port)).await?.text().await?;
    let mut waits = Vec::with_capacity(committed.len());
    for line in arrivals.lines() {
        let (id, at) = line.split_once(' ').ok_or("an unreadable arrival")?;
        let committed = lead_of.get(id).and_then(|lead| committed.get(lead)).ok_or("an unknown arrival")?;
        let wait = at.parse::<u128>()?.saturating_sub(*committed);
        waits.push(f64::from(u32::try_from(wait)?) / 1_000.0);
    }
    Ok(waits)
}
