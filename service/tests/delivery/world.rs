//! A tenant, a source, leads and destinations in a database of their own; what became of them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, LeadId, TenantId};
use secrecy::SecretString;
use service::app::make_schema;
use service::database::testing::{Cluster, FreshDatabase};
use service::database::{Mode, TenantTx};
use service::delivery::{Retries, Settings, Wake, Worker, client};
use service::runtime::{Clock, Ids};
use service::secrets::{Context, Purpose, Secrets};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const ACME: TenantId = TenantId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));
pub const GLOBEX: TenantId = TenantId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0002));
pub const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Longer than what is waited for takes on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);
const SOURCE: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0003);

pub struct World {
    pub fresh: FreshDatabase,
    pub clock: Clock,
    pub ids: Ids,
    pub wake: Wake,
    pub secrets: Arc<Secrets>,
}

/// What a test says about a lead; the rest is made up.
#[derive(Default)]
pub struct NewLead<'a> {
    pub first_name: Option<&'a str>,
    pub details: Option<serde_json::Value>,
    pub channel: Option<&'a str>,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Delivery {
    pub state: String,
    pub attempts: i16,
    pub due_at: DateTime<Utc>,
    pub reason: Option<String>,
    pub remote_id: Option<String>,
    pub lease: Option<Uuid>,
    pub code: Option<String>,
    pub unsure: bool,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Attempt {
    pub number: i16,
    pub outcome: String,
    pub http_status: Option<i16>,
    pub error_kind: Option<String>,
    pub response_headers: Option<serde_json::Value>,
    pub response_body: Option<String>,
    pub looked_up: Option<String>,
}

impl World {
    /// Two tenants with a source each, and nothing else.
    pub async fn new() -> Self {
        let fresh = Cluster::shared().await.fresh(make_schema).await;
        let key = SecretString::from(base64::engine::general_purpose::STANDARD.encode([7; 32]));
        let start = DateTime::from_timestamp(1_795_176_000, 0).expect("a time");
        let world = Self {
            fresh,
            clock: Clock::manual(start),
            ids: Ids::seeded(1),
            wake: Wake::default(),
            secrets: Arc::new(Secrets::from_base64(&key, &[]).expect("a key")),
        };
        for (tenant, slug) in [(ACME, "acme"), (GLOBEX, "globex")] {
            let mut tx = world.begin(tenant).await;
            sqlx::query("INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, $2, $3)")
                .bind(tenant.uuid())
                .bind(slug)
                .bind(start)
                .execute(tx.connection())
                .await
                .expect("a tenant");
            sqlx::query(
                "INSERT INTO lead_source (tenant_id, id, slug, name, kind, created_at)
                 VALUES ($1, $2, 'leadsource', 'LeadSource', 'leadsource', $3)",
            )
            .bind(tenant.uuid())
            .bind(SOURCE)
            .bind(start)
            .execute(tx.connection())
            .await
            .expect("a source");
            tx.commit().await.expect("it commits");
        }
        world
    }

    pub fn pool(&self) -> &PgPool {
        &self.fresh.database.app
    }

    pub async fn begin(&self, tenant: TenantId) -> TenantTx {
        TenantTx::begin(self.pool(), tenant, Mode::ReadWrite).await.expect("it begins")
    }

    /// A worker with a short deadline that may reach this machine.
    pub fn worker(&self) -> Worker {
        self.worker_with(|_| {})
    }

    pub fn worker_with(&self, change: impl FnOnce(&mut Settings)) -> Worker {
        let client = client::Settings {
            deadline: Duration::from_millis(700),
            allow_private_addresses: true,
            ..client::Settings::default()
        };
        let mut settings = Settings { client, ..Settings::default() };
        change(&mut settings);
        let sources = (self.clock.clone(), self.ids.clone());
        Worker::new(self.pool().clone(), Arc::clone(&self.secrets), sources, self.wake.clone(), settings)
            .expect("a worker")
    }

    pub fn retries(&self) -> Retries<'_> {
        Retries { pool: self.pool(), clock: &self.clock, ids: &self.ids, wake: &self.wake }
    }

    pub async fn destination(
        &self,
        tenant: TenantId,
        kind: &str,
        url: &str,
        fallback: Option<&str>,
    ) -> DestinationId {
        let destination = DestinationId(self.ids.next(self.clock.now()));
        let context = |purpose| Context::of_row(tenant, destination.uuid(), purpose);
        let mut tx = self.begin(tenant).await;
        sqlx::query(
            "INSERT INTO destination (tenant_id, id, slug, name, kind, url_sealed, url_masked, signing_sealed,
                                      first_name_fallback, created_at)
             VALUES ($1, $2, $3, 'A destination', $4, $5, 'http://…', $6, $7, $8)",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(format!("d-{}", destination.uuid().simple()))
        .bind(kind)
        .bind(self.secrets.seal(context(Purpose::Url), url))
        .bind((kind == "webhook").then(|| self.secrets.seal(context(Purpose::Signing), SIGNING)))
        .bind(fallback)
        .bind(self.clock.now())
        .execute(tx.connection())
        .await
        .expect("a destination");
        tx.commit().await.expect("it commits");
        destination
    }

    /// Gives a destination settings and credentials.
    pub async fn set(
        &self,
        tenant: TenantId,
        to: DestinationId,
        settings: serde_json::Value,
        credentials: serde_json::Value,
    ) {
        let context = Context::of_row(tenant, to.uuid(), Purpose::Credentials);
        let mut tx = self.begin(tenant).await;
        sqlx::query(
            "UPDATE destination SET settings = $3, credentials_sealed = $4 WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant.uuid())
        .bind(to.uuid())
        .bind(settings)
        .bind(self.secrets.seal(context, &credentials.to_string()))
        .execute(tx.connection())
        .await
        .expect("settings");
        tx.commit().await.expect("it commits");
    }

    /// A destination's breaker and why it is not closed.
    pub async fn breaker(&self, tenant: TenantId, to: DestinationId) -> (String, Option<String>) {
        let mut tx = self.begin(tenant).await;
        sqlx::query_as("SELECT breaker, breaker_reason FROM destination WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.uuid())
            .bind(to.uuid())
            .fetch_one(tx.connection())
            .await
            .expect("the destination")
    }

    /// A lead and its delivery, as intake commits them.
    pub async fn lead(&self, tenant: TenantId, to: DestinationId, new: NewLead<'_>) -> DeliveryId {
        let mut tx = self.begin(tenant).await;
        let (_, delivery) = self.lead_in(&mut tx, to, new).await;
        tx.commit().await.expect("it commits");
        delivery
    }

    /// The same in a transaction that is under way.
    pub async fn lead_in(
        &self,
        tx: &mut TenantTx,
        to: DestinationId,
        new: NewLead<'_>,
    ) -> (LeadId, DeliveryId) {
        let (lead, delivery) = (self.ids.next(self.clock.now()), self.ids.next(self.clock.now()));
        let tenant = tx.tenant();
        sqlx::query(
            "INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope,
                               external_id, channel, first_name, last_name, phone, details)
             VALUES ($1, $2, $3, $4, $2, $2, $2, 'LS-1001', $7, $5, 'Test', '+13035550101', $6)",
        )
        .bind(tenant.uuid())
        .bind(lead)
        .bind(SOURCE)
        .bind(self.clock.now())
        .bind(new.first_name)
        .bind(new.details.unwrap_or_else(|| serde_json::json!({})))
        .bind(new.channel.unwrap_or("file"))
        .execute(tx.connection())
        .await
        .expect("a lead");
        sqlx::query(
            "INSERT INTO delivery (tenant_id, id, lead_id, destination_id, state, due_at)
             VALUES ($1, $2, $3, $4, 'pending', $5)",
        )
        .bind(tenant.uuid())
        .bind(delivery)
        .bind(lead)
        .bind(to.uuid())
        .bind(self.clock.now())
        .execute(tx.connection())
        .await
        .expect("a delivery");
        (LeadId(lead), DeliveryId(delivery))
    }

    /// A lead called Kara.
    pub async fn kara(&self, tenant: TenantId, to: DestinationId) -> DeliveryId {
        self.lead(tenant, to, NewLead { first_name: Some("Kara"), ..NewLead::default() }).await
    }

    pub async fn delivery(&self, tenant: TenantId, id: DeliveryId) -> Delivery {
        let mut tx = self.begin(tenant).await;
        sqlx::query_as("SELECT * FROM delivery WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.uuid())
            .bind(id.uuid())
            .fetch_one(tx.connection())
            .await
            .expect("the delivery")
    }

    pub async fn attempts(&self, tenant: TenantId, id: DeliveryId) -> Vec<Attempt> {
        let mut tx = self.begin(tenant).await;
        sqlx::query_as(
            "SELECT * FROM delivery_attempt WHERE tenant_id = $1 AND delivery_id = $2 ORDER BY number",
        )
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_all(tx.connection())
        .await
        .expect("the attempts")
    }

    /// Changes the database's own objects.
    pub async fn execute_as_owner(&self, sql: String) {
        let cluster = Cluster::shared().await;
        let mut owner = cluster.owner_options(self.fresh.name()).connect().await.expect("it connects");
        owner.execute(AssertSqlSafe(sql)).await.expect("done");
    }

    /// Runs a statement with the tenant as `$1`; answers how many rows it touched.
    pub async fn execute(&self, tenant: TenantId, statement: &'static str) -> u64 {
        let mut tx = self.begin(tenant).await;
        let done = sqlx::query(statement).bind(tenant.uuid()).execute(tx.connection()).await;
        tx.commit().await.expect("it commits");
        done.expect("the statement runs").rows_affected()
    }

    /// The events of all leads: kind, actor, data.
    pub async fn events(&self, tenant: TenantId) -> Vec<(String, Option<String>, serde_json::Value)> {
        let mut tx = self.begin(tenant).await;
        sqlx::query_as("SELECT kind, actor, data FROM lead_event WHERE tenant_id = $1 ORDER BY id")
            .bind(tenant.uuid())
            .fetch_all(tx.connection())
            .await
            .expect("the events")
    }
}

/// A lead's TypeID must parse.
pub fn lead_id(text: &serde_json::Value) -> LeadId {
    text.as_str().expect("text").parse().expect("a lead's id")
}

/// A worker at work, until the token is cancelled.
pub fn running(worker: Worker) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let token = stop.clone();
    (stop, tokio::spawn(async move { worker.run(token).await }))
}
