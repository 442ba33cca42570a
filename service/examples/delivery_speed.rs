//! How many deliveries a second, each attempt recorded durably; and how long from commit to receipt.
//!
//! `delivery_speed [DELIVERIES] [TENANTS] [RATE] [SECONDS]`, by default 50,000, 4, 1,250 and 8. Uses the
//! Postgres that the environment names, or a private one in a temporary folder, with full durability.
//! Postgres, worker and receiver share the machine. One line of JSON a phase.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use domain::ids::{DeliveryId, DestinationId, TenantId};
use secrecy::SecretString;
use serde_json::json;
use service::database::{Database, Mode, Settings, TenantTx};
use service::delivery::testing::FakeCrm;
use service::delivery::{self, Wake, Worker, client};
use service::runtime::{Clock, Ids};
use service::secrets::{Context, Purpose, Secrets};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn Error>>;

const DETAILS: &str = r#"{"credit_score":712,"mortgage_balance":250000.55,"mortgage_rate":6.5,"property_value":450000.0,
    "ltv":55.6,"loan_type":"CONV","loan_purpose":"Refinance","va_eligible":false}"#;
/// Leads in one transaction while filling.
const FILL_BATCH: usize = 5_000;

struct Bench {
    pool: PgPool,
    clock: Clock,
    ids: Ids,
    secrets: Arc<Secrets>,
    wake: Wake,
}

/// A tenant with a source and a destination.
#[derive(Clone, Copy)]
struct Place {
    tenant: TenantId,
    source: Uuid,
    destination: DestinationId,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let number = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (deliveries, tenants, rate, seconds) =
        (number(0, 50_000), number(1, 4), number(2, 1_250), number(3, 8));

    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let database = Database::open(&Settings::from_environment(folder.path())).await?;
    service::app::make_schema(database.owner.as_ref().ok_or("no owner")?).await?;
    database.ensure_roles().await?;
    let key = SecretString::from(base64::engine::general_purpose::STANDARD.encode([7; 32]));
    let bench = Bench {
        pool: database.app.clone(),
        clock: Clock::system(),
        ids: Ids::random(),
        secrets: Arc::new(Secrets::from_base64(&key, &[])?),
        wake: Wake::default(),
    };

    let crm = FakeCrm::counting().await;
    let mut places = Vec::new();
    for _ in 0..tenants {
        places.push(bench.place(&crm.url()).await?);
    }
    bench.throughput(&crm, &places, deliveries).await?;
    if rate > 0 {
        let crm = FakeCrm::counting().await;
        let place = bench.place(&crm.url()).await?;
        bench.latency(&crm, place, rate, seconds).await?;
    }
    database.close().await?;
    Ok(())
}

impl Bench {
    async fn throughput(&self, crm: &FakeCrm, places: &[Place], deliveries: usize) -> Outcome<()> {
        for place in places {
            let mut left = deliveries / places.len();
            while left > 0 {
                let count = left.min(FILL_BATCH);
                self.fill(*place, count).await?;
                left -= count;
            }
        }
        let total = deliveries / places.len() * places.len();
        let worker = self.worker()?;
        let stop = CancellationToken::new();
        let started = Instant::now();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        while crm.count() < total {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while self.recorded(places).await? < total {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let elapsed = started.elapsed();
        stop.cancel();
        running.await?;
        let per_second = total * 1_000 / usize::try_from(elapsed.as_millis().max(1))?;
        println!(
            "{}",
            json!({ "measure": "delivery_throughput", "deliveries": total, "tenants": places.len(),
                    "requests": crm.count(), "seconds": elapsed.as_secs_f64(), "deliveries_per_second": per_second })
        );
        Ok(())
    }

    async fn latency(&self, crm: &FakeCrm, place: Place, rate: usize, seconds: usize) -> Outcome<()> {
        let worker = self.worker()?;
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        // A hundred commits a second, as a busy intake makes them.
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let mut committed = HashMap::new();
        for _ in 0..seconds * 100 {
            ticks.tick().await;
            let ids = self.fill(place, rate / 100).await?;
            let at = Instant::now();
            self.wake.wake();
            committed.extend(ids.into_iter().map(|id| (DeliveryId(id).to_string(), at)));
        }
        crm.wait_for(committed.len()).await;
        stop.cancel();
        running.await?;
        let arrivals = crm.arrivals();
        let mut waits: Vec<f64> = arrivals
            .iter()
            .map(|(id, at)| at.saturating_duration_since(committed[id]).as_secs_f64() * 1_000.0)
            .collect();
        waits.sort_by(f64::total_cmp);
        let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100];
        println!(
            "{}",
            json!({ "measure": "delivery_latency", "deliveries": waits.len(), "per_second": rate,
                    "commit_to_receipt_ms_p50": quantile(50), "commit_to_receipt_ms_p99": quantile(99) })
        );
        Ok(())
    }

    fn worker(&self) -> Outcome<Worker> {
        let client = client::Settings { allow_private_addresses: true, ..client::Settings::default() };
        let settings = delivery::Settings { client, ..delivery::Settings::default() };
        let sources = (self.clock.clone(), self.ids.clone());
        Ok(Worker::new(self.pool.clone(), Arc::clone(&self.secrets), sources, self.wake.clone(), settings)?)
    }

    async fn begin(&self, tenant: TenantId) -> Outcome<TenantTx> {
        Ok(TenantTx::begin(&self.pool, tenant, Mode::ReadWrite).await?)
    }

    async fn place(&self, url: &str) -> Outcome<Place> {
        let now = self.clock.now();
        let id = || self.ids.next(now);
        let place = Place { tenant: TenantId(id()), source: id(), destination: DestinationId(id()) };
        let tenant = place.tenant.uuid();
        let context = Context::of_row(place.tenant, place.destination.uuid(), Purpose::Url);
        let mut tx = self.begin(place.tenant).await?;
        sqlx::query("INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, 'A tenant', $3)")
            .bind(tenant)
            .bind(format!("t-{}", tenant.simple()))
            .bind(now)
            .execute(tx.connection())
            .await?;
        sqlx::query(
            "INSERT INTO lead_source (tenant_id, id, slug, name, kind, created_at)
             VALUES ($1, $2, 'leadsource', 'LeadSource', 'leadsource', $3)",
        )
        .bind(tenant)
        .bind(place.source)
        .bind(now)
        .execute(tx.connection())
        .await?;
        sqlx::query(
            "INSERT INTO destination (tenant_id, id, slug, name, kind, url_sealed, url_masked, created_at)
             VALUES ($1, $2, 'bonzo', 'Bonzo', 'bonzo', $3, 'http://…', $4)",
        )
        .bind(tenant)
        .bind(place.destination.uuid())
        .bind(self.secrets.seal(context, url))
        .bind(now)
        .execute(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(place)
    }

    /// Leads and their pending deliveries, committed together; answers the deliveries' ids.
    async fn fill(&self, place: Place, count: usize) -> Outcome<Vec<Uuid>> {
        let now = self.clock.now();
        let leads: Vec<Uuid> = (0..count).map(|_| self.ids.next(now)).collect();
        let deliveries: Vec<Uuid> = (0..count).map(|_| self.ids.next(now)).collect();
        let mut tx = self.begin(place.tenant).await?;
        sqlx::query(
            "WITH made AS (
                 INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope, email_scope, external_id,
                                   channel, first_name, last_name, phone, email, address, city, state, zip, details)
                 SELECT $1, t.id, $2, $3, t.id, t.id, t.id, t.id, 'LS-' || t.n, 'file', 'Kara', 'Test', '+13035550101',
                        'kara@example.com', '1 Elm St', 'Boulder', 'CO', '80301', $6::jsonb
                 FROM unnest($4::uuid[]) WITH ORDINALITY AS t (id, n)
             )
             INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, due_at)
             SELECT $1, t.id, t.lead, $7, 'pending', $3 FROM unnest($5::uuid[], $4::uuid[]) AS t (id, lead)",
        )
        .bind(place.tenant.uuid())
        .bind(place.source)
        .bind(now)
        .bind(&leads)
        .bind(&deliveries)
        .bind(serde_json::from_str::<serde_json::Value>(DETAILS)?)
        .bind(place.destination.uuid())
        .execute(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(deliveries)
    }

    /// How many attempts are recorded, over all places.
    async fn recorded(&self, places: &[Place]) -> Outcome<usize> {
        let mut total = 0;
        for place in places {
            let mut tx = self.begin(place.tenant).await?;
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM delivery_attempt WHERE tenant_id = $1")
                .bind(place.tenant.uuid())
                .fetch_one(tx.connection())
                .await?;
            total += usize::try_from(count)?;
        }
        Ok(total)
    }
}
