//! Deliveries a second: to one destination with 64 requests on their way, and to 50 destinations of 20 tenants. The yardstick
//! is a loop that posts the same body to the same receiver, 64 at a time, and records nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{PATIENCE, Place, fill, places, start_worker, wait_for};
use crate::process::{self, Listening};
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

const IN_FLIGHT: u32 = 64;
const TENANTS: u32 = 20;
const DESTINATIONS: u32 = 50;
/// A lead as it is posted.
const BODY: &str = r#"{"first_name":"Kara","last_name":"Test","phone":"3032000001","address":"1 Elm St","city":"Boulder","state":"CO","zip":"80301","external_id":"LS-1","lead_id":"lead_01jd2wq7x8e0hbrvy3k6m9f4tz","lead_source":"leadsource","credit_score":"712","loan_balance":"250000.55","custom_ltv":55.6,"interest_rate":6.5}"#;

/// Answers the rate to one destination.
pub(super) async fn measure(size: Size, lines: &mut Vec<Line>) -> Outcome<f64> {
    let bare = bare(size.of(100_000)).await?;
    let world = World::new().await?;
    let receiver = Listening::start(process::part("receive")?)?;
    let one = places(&world, "one", receiver.port, 1, IN_FLIGHT).await?;
    let rate = run(&world, &receiver, &one, size.of(100_000)).await?;
    let note = format!(
        "one destination, {IN_FLIGHT} on their way, each attempt recorded durably; beside a bare loop of posts"
    );
    lines.push(
        Line::new("delivery, one destination", "deliveries/s", rate)
            .beside(bare)
            .aim(Aim::AtLeast(8_000.0))
            .note(note),
    );
    world.close().await?;
    drop(receiver);

    let world = World::new().await?;
    let receiver = Listening::start(process::part("receive")?)?;
    let mut many = Vec::new();
    for tenant in 0..TENANTS {
        let count = DESTINATIONS / TENANTS + u32::from(tenant < DESTINATIONS % TENANTS);
        many.extend(places(&world, &format!("tenant-{tenant}"), receiver.port, count, IN_FLIGHT).await?);
    }
    let rate_many = run(&world, &receiver, &many, size.of(100_000)).await?;
    let note = format!("{DESTINATIONS} destinations of {TENANTS} tenants, beside the same loop");
    lines.push(
        Line::new("delivery, fifty destinations", "deliveries/s", rate_many)
            .beside(bare)
            .aim(Aim::AtLeast(8_000.0))
            .note(note),
    );
    world.close().await?;
    Ok(rate)
}

/// Posts a second that the client and the receiver alone allow.
async fn bare(count: u32) -> Outcome<f64> {
    let receiver = Listening::start(process::part("receive")?)?;
    let url = format!("http://127.0.0.1:{}/leads", receiver.port);
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(256).build()?;
    let left = Arc::new(AtomicU32::new(count));
    let started = Instant::now();
    let mut loops = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, url, left) = (client.clone(), url.clone(), Arc::clone(&left));
        loops.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let request = client.post(&url).header("content-type", "application/json");
                request
                    .header("webhook-id", "delivery_01jd2wq7x8e0hbrvy3k6m9f4tz")
                    .body(BODY)
                    .send()
                    .await?
                    .bytes()
                    .await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn run(world: &World, receiver: &Listening, places: &[Place], count: u32) -> Outcome<f64> {
    let each = count / u32::try_from(places.len())?;
    eprintln!("delivery: filling");
    for (place, number) in places.iter().zip(0..) {
        fill(world, *place, each, number * each).await?;
    }
    sqlx::raw_sql("ANALYZE").execute(world.owner()?).await?;
    sqlx::raw_sql("CHECKPOINT").execute(world.owner()?).await?;
    let total = each * u32::try_from(places.len())?;
    eprintln!("delivery: {total} deliveries to {} destinations", places.len());
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
    Ok(f64::from(total) / seconds)
}

async fn recorded(world: &World) -> Outcome<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM delivery_attempt").fetch_one(world.owner()?).await?)
}
