//! What one claim costs, transaction and commit included, when a thousand deliveries wait and when a million do.

use std::time::Duration;

use super::{Place, fill, places};
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

const FEW: u32 = 1_000;
const ROUNDS: usize = 60;
/// Leads in one statement while filling.
const FILL_BATCH: u32 = 20_000;

pub(super) async fn measure(size: Size, lines: &mut Vec<Line>) -> Outcome<()> {
    let world = World::new().await?;
    // Nobody listens there, and nothing is sent.
    let few = places(&world, "few", 9, 1, 64).await?[0];
    let many = places(&world, "many", 9, 2, 64).await?;
    fill(&world, few, FEW, 0).await?;
    let count = size.of(1_000_000);
    eprintln!("delivery: {count} deliveries wait");
    for (place, share) in [(many[0], count - FEW), (many[1], FEW)] {
        let mut from = if place.destination == many[0].destination { 0 } else { count };
        let end = from + share;
        while from < end {
            let batch = FILL_BATCH.min(end - from);
            fill(&world, place, batch, from).await?;
            from += batch;
        }
    }
    sqlx::raw_sql("ANALYZE").execute(world.owner()?).await?;
    sqlx::raw_sql("CHECKPOINT").execute(world.owner()?).await?;
    let of_few = claim(&world, few).await?;
    let of_many = claim(&world, many[0]).await?;
    // The greater part waits for a destination that is held, the rest for one that is not.
    sqlx::query("UPDATE destination SET breaker = 'held' WHERE id = $1")
        .bind(many[0].destination)
        .execute(world.owner()?)
        .await?;
    let behind_held = claim(&world, many[1]).await?;
    let note = format!("median of {ROUNDS}, {FEW} and {count} waiting, commit included");
    lines.push(
        Line::new("delivery, a claim", "ms", of_many).beside(of_few).aim(Aim::RatioAtMost(1.5)).note(note),
    );
    let note = "the same, nearly all of them waiting for another destination, which is held";
    lines.push(
        Line::new("delivery, a claim beside a held one", "ms", behind_held)
            .beside(of_few)
            .aim(Aim::RatioAtMost(1.5))
            .note(note),
    );
    world.close().await
}

/// The median of a few claims, milliseconds, each given back; the look for due destinations is part of it.
async fn claim(world: &World, place: Place) -> Outcome<f64> {
    let worker = world.app.delivery_worker()?;
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times.push(worker.time_a_claim(place.tenant, domain::ids::DestinationId(place.destination)).await?);
    }
    times.sort_unstable();
    Ok(times[ROUNDS / 2].as_secs_f64() * 1_000.0)
}
