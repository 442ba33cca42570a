//! What goes out: pending deliveries to a fast local receiver, each attempt recorded durably, to one destination and to many;
//! how long a lead takes from its commit to its receipt; what a claim costs when few and when very many wait.
//!
//! Postgres, worker and receiver share the machine; the receiver is a process of its own.

use std::time::{Duration, Instant};

use domain::ids::TenantId;
use service::App;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::process::Listening;
use crate::report::Line;
use crate::world::World;
use crate::{Outcome, Size};

mod claims;
mod latency;
mod throughput;

/// Longest wait for the last delivery.
const PATIENCE: Duration = Duration::from_mins(2);

/// Leads with a pending delivery each; the same person over and over, but with a phone of its own.
const FILL: &str = "WITH made AS (
        INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope, external_id,
                          channel, first_name, last_name, phone, address, city, state, zip, details)
        SELECT $1, t.id, $2, now(), t.id, t.id, $2, 'LS-' || t.n, 'file', 'Kara', 'Test',
               '+1' || (3000000000 + $6 + t.n), '1 Elm St', 'Boulder', 'CO', '80301',
               '{\"credit_score\":712,\"mortgage_balance\":250000.55,\"mortgage_rate\":6.5,\"ltv\":55.6}'
        FROM unnest($3::uuid[]) WITH ORDINALITY AS t (id, n)
    )
    INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, due_at)
    SELECT $1, t.id, t.lead, $5, 'pending', now() FROM unnest($4::uuid[], $3::uuid[]) AS t (id, lead)";

/// A tenant with a source and a destination.
#[derive(Clone, Copy)]
struct Place {
    tenant: TenantId,
    source: Uuid,
    destination: Uuid,
}

/// Throughput to one destination and to fifty, latency at a quarter of it, the cost of a claim.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let mut lines = Vec::new();
    let rate = throughput::measure(size, &mut lines).await?;
    latency::measure(rate / 4.0, size, &mut lines).await?;
    claims::measure(size, &mut lines).await?;
    Ok(lines)
}

/// A tenant with a source and that many destinations that take up to `concurrency` requests at a time.
async fn places(world: &World, slug: &str, port: u16, count: u32, concurrency: u32) -> Outcome<Vec<Place>> {
    let tenant = world.tenant(slug).await?;
    let source = world.source(tenant, "leadsource", "leadsource").await?.id;
    let mut places = Vec::new();
    for number in 0..count {
        let url = format!("http://127.0.0.1:{port}/leads/{number}");
        let destination = world.destination(tenant, &format!("bonzo-{number}"), url).await?.id;
        places.push(Place { tenant, source, destination });
    }
    sqlx::query("UPDATE destination SET settings = jsonb_build_object('limits', jsonb_build_object('concurrency', $1::int))")
        .bind(i32::try_from(concurrency)?)
        .execute(world.owner()?)
        .await?;
    Ok(places)
}

/// Leads with a pending delivery each; their phones begin after `from`.
fn fill_with(
    place: Place,
    leads: Vec<Uuid>,
    deliveries: Vec<Uuid>,
    from: u32,
) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    sqlx::query(FILL)
        .bind(place.tenant.uuid())
        .bind(place.source)
        .bind(leads)
        .bind(deliveries)
        .bind(place.destination)
        .bind(i64::from(from))
}

/// Commits that many of them.
async fn fill(world: &World, place: Place, count: u32, from: u32) -> Outcome<Vec<Uuid>> {
    let now = world.app.clock.now();
    let new_ids = |count: u32| (0..count).map(|_| world.app.ids.next(now)).collect::<Vec<Uuid>>();
    let deliveries = new_ids(count);
    fill_with(place, new_ids(count), deliveries.clone(), from).execute(world.owner()?).await?;
    Ok(deliveries)
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
