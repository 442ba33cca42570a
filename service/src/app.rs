//! What every operation works with: clock, ids, database, tenants, secrets, wake-ups.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{DestinationId, LeadId, TenantId};
use migration::{Migrator, MigratorTrait};
use sea_orm::DatabaseConnection;
use sqlx::PgPool;
use tenants::{Place, ServerOptions, StoreOptions, TokenSettings, Tokens};
use tokio::sync::{Notify, watch};

use crate::access::Viewer;
use crate::database::{self, Database, Mode, Sight, TenantTx};
use crate::delivery;
use crate::error::Error;
use crate::intake::lane::Lanes;
use crate::intake::reader::Options;
use crate::intake::run::FileRules;
use crate::jobs;
use crate::mail::{self, Mailer};
use crate::runtime::{Clock, Ids};
use crate::secrets::{self, Secrets};
use crate::storage;

/// Baton's parts, made once a process.
pub struct App {
    /// The time.
    pub clock: Clock,
    /// Ids and jitter.
    pub ids: Ids,
    /// The shared Postgres.
    pub database: Database,
    /// One libSQL database a tenant.
    pub tenants: tenants::Store,
    /// Issues and checks access tokens.
    pub tokens: Tokens,
    /// Seals what must be read back.
    pub secrets: Arc<Secrets>,
    /// Sends mail.
    pub mailer: Mailer,
    /// Speaks to the providers that people sign in with.
    pub outbound: crate::access::oauth::Outbound,
    /// Files of billing reports.
    pub storage: Arc<dyn object_store::ObjectStore>,
    /// Requests to addresses that tenants name, other than deliveries.
    pub tenant_client: delivery::client::Client,
    /// Wake-ups between the parts of this process.
    pub wake: Wake,
    /// Leads that were sent in one by one and wait for their transaction.
    pub lanes: Lanes,
    /// What the operator has set.
    pub settings: Settings,
}

/// What the operator has set, as far as operations need it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything that Baton keeps on disk.
    pub data_dir: PathBuf,
    /// The largest file that is taken, as sent.
    pub file_bytes_max: u64,
    /// The largest single record that is taken.
    pub record_bytes_max: usize,
    /// How long a sender may be silent in the middle of a body before it is given up.
    pub body_silence_max: Duration,
    /// Whether deliveries may reach loopback and private addresses (demonstrations, tests, on-premise CRMs).
    pub allow_private_addresses: bool,
    /// Imports that one process runs at the same time.
    pub imports_at_once: usize,
    /// Who issues access tokens: the public address of this deployment.
    pub issuer: String,
    /// The first pause before a page of a CRM's list is asked for again.
    pub list_pause: Duration,
    /// The delivery worker.
    pub delivery: delivery::Settings,
    /// The server that takes Baton's mail.
    pub mail: mail::Settings,
    /// Background jobs that one process works on at a time.
    pub jobs_at_once: usize,
    /// Tests only: row-level security is told this tenant, whichever one an operation is for. So its filters are wrong,
    /// and what is still found is what row-level security alone would let through.
    #[cfg(feature = "testing")]
    pub row_security_of: Option<TenantId>,
    /// Where files of billing reports are kept.
    pub storage: storage::Settings,
    /// The key that seals what must be read back.
    pub secrets: secrets::Settings,
    /// The libSQL server that keeps the tenants' databases; none: files below the data folder.
    pub tenants_server: Option<ServerOptions>,
    /// How many of the tenants' databases a process keeps open.
    pub tenants_open_max: NonZeroUsize,
}

impl Settings {
    /// The defaults, for that data folder.
    pub fn below(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            file_bytes_max: 1 << 30,
            record_bytes_max: 1 << 20,
            body_silence_max: Duration::from_mins(1),
            allow_private_addresses: false,
            imports_at_once: 2,
            issuer: "http://localhost:8080".to_owned(),
            list_pause: Duration::from_secs(1),
            delivery: delivery::Settings::default(),
            mail: mail::Settings::default(),
            jobs_at_once: 4,
            #[cfg(feature = "testing")]
            row_security_of: None,
            storage: storage::Settings::default(),
            secrets: secrets::Settings::default(),
            tenants_server: None,
            tenants_open_max: tenants::DEFAULT_OPEN_DATABASES_MAX,
        }
    }
}

/// Wake-ups within the process. Whoever waits also polls: another process may have done the work.
#[derive(Clone)]
pub struct Wake {
    delivery: delivery::Wake,
    imports: Arc<Notify>,
    progress: watch::Sender<u64>,
    sla: watch::Sender<u64>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            delivery: delivery::Wake::default(),
            imports: Arc::new(Notify::new()),
            progress: watch::Sender::new(0),
            sla: watch::Sender::new(0),
        }
    }
}

impl Wake {
    /// There are deliveries to make.
    pub fn delivery(&self) {
        self.delivery.wake();
    }

    /// What the delivery worker waits on.
    pub fn delivery_wake(&self) -> &delivery::Wake {
        &self.delivery
    }

    /// There is a file to import.
    pub fn imports(&self) {
        self.imports.notify_one();
    }

    /// What the import worker waits on.
    pub fn imports_notified(&self) -> Arc<Notify> {
        Arc::clone(&self.imports)
    }

    /// An import has come further.
    pub fn progress(&self) {
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Clocks or cases of service levels have changed.
    pub fn sla(&self) {
        self.sla.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes whenever this process has changed clocks or cases.
    pub fn sla_watch(&self) -> watch::Receiver<u64> {
        self.sla.subscribe()
    }

    /// Changes whenever an import of this process has come further.
    pub fn progress_watch(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }
}

impl App {
    /// Opens everything: the database (migrated when its owner is known), the tenants' store, the secrets.
    pub async fn open(
        database: &database::Settings,
        settings: Settings,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, Error> {
        let unavailable =
            |error: database::Error| Error::Unavailable { what: "Postgres", source: Box::new(error) };
        let database = Database::open(database).await.map_err(unavailable)?;
        if database.owner.is_some() {
            migrate(&database).await?;
        }
        let secrets = Secrets::load(&settings.secrets, &settings.data_dir)
            .map_err(|error| Error::internal("opening the key that seals secrets", error))?;
        Self::with(database, settings, secrets, clock, ids)
    }

    /// From parts that are open already.
    pub fn with(
        database: Database,
        settings: Settings,
        secrets: Secrets,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, Error> {
        let (store_clock, store_ids) = (clock.clone(), ids.clone());
        let place = match &settings.tenants_server {
            Some(server) => Place::Server(server.clone()),
            None => Place::Folder(settings.data_dir.join("tenants")),
        };
        let tenants = tenants::Store::new(StoreOptions {
            place,
            clock: Arc::new(move || store_clock.now()),
            new_id: Arc::new(move |now| store_ids.next(now)),
            open_databases_max: settings.tenants_open_max,
        })?;
        let tokens = Tokens::new(TokenSettings {
            issuer: settings.issuer.clone(),
            audience: "baton".to_owned(),
            lifetime: tenants::TOKEN_LIFETIME_MAX,
        })?;
        let mailer =
            Mailer::new(&settings.mail).map_err(|error| Error::internal("making the mail client", error))?;
        let storage = storage::open(&settings.storage, &settings.data_dir)?;
        let tenant_client = delivery::client::Client::new(delivery::client::Settings {
            allow_private_addresses: settings.allow_private_addresses,
            idle_connections_max: 4,
            ..settings.delivery.client.clone()
        })
        .map_err(|error| Error::internal("making the HTTP client", error))?;
        Ok(Self {
            clock,
            ids,
            database,
            storage,
            tenants,
            tokens,
            secrets: Arc::new(secrets),
            mailer,
            outbound: crate::access::oauth::Outbound::new(settings.allow_private_addresses),
            tenant_client,
            wake: Wake::default(),
            lanes: Lanes::default(),
            settings,
        })
    }

    /// A transaction that sees and writes that tenant's rows only.
    pub async fn begin(&self, tenant: TenantId, mode: Mode) -> Result<TenantTx, Error> {
        self.begin_seeing(tenant, &Sight::Everything, mode).await
    }

    /// A transaction that sees what that caller may see.
    pub async fn begin_for(&self, viewer: &Viewer, mode: Mode) -> Result<TenantTx, Error> {
        self.begin_seeing(viewer.tenant, &viewer.sight(), mode).await
    }

    async fn begin_seeing(&self, tenant: TenantId, sight: &Sight, mode: Mode) -> Result<TenantTx, Error> {
        #[cfg(feature = "testing")]
        if let Some(other) = self.settings.row_security_of {
            return Ok(TenantTx::begin_confused(&self.database.app, tenant, other, mode).await?);
        }
        Ok(TenantTx::begin_seeing(&self.database.app, tenant, sight, mode).await?)
    }

    /// What the intake rules need to know beside the record.
    pub fn intake_settings(&self) -> domain::intake::Settings {
        domain::intake::Settings {
            today: self.clock.now().date_naive(),
            phone_regions: domain::intake::Regions::default(),
        }
    }

    /// How a file of records is read.
    pub fn file_rules(&self) -> FileRules {
        FileRules {
            options: Options::for_records_of(self.settings.record_bytes_max),
            settings: self.intake_settings(),
        }
    }

    /// The worker that delivers; it does nothing until it is run.
    pub fn delivery_worker(&self) -> Result<delivery::Worker, Error> {
        let mut settings = self.settings.delivery.clone();
        settings.client.allow_private_addresses = self.settings.allow_private_addresses;
        delivery::Worker::new(
            self.database.app.clone(),
            Arc::clone(&self.secrets),
            (self.clock.clone(), self.ids.clone()),
            self.wake.delivery.clone(),
            settings,
        )
        .map_err(|error| Error::internal("making the delivery worker", error))
    }

    /// Commits a transaction that has made the deliveries of some leads, which this process's worker begins at once.
    pub async fn hand_over(
        &self,
        tx: TenantTx,
        leads: &[LeadId],
        destinations: &[DestinationId],
    ) -> Result<(), Error> {
        let handover = self.wake.delivery.claim_with(tx, leads, destinations).await?;
        Ok(handover.commit().await?)
    }

    /// A person's second chance for deliveries that failed or are held.
    pub fn retries(&self) -> delivery::Retries<'_> {
        delivery::Retries {
            pool: &self.database.app,
            clock: &self.clock,
            ids: &self.ids,
            wake: &self.wake.delivery,
        }
    }
}

/// Brings the schema up to date and gives the restricted role its rights on what is new.
pub async fn migrate(database: &Database) -> Result<(), Error> {
    let unavailable =
        |error: database::Error| Error::Unavailable { what: "Postgres", source: Box::new(error) };
    let owner = database.owner_connection().map_err(unavailable)?;
    let _alone = MigrationLock::take(&owner).await?;
    make_schema(owner.get_postgres_connection_pool()).await?;
    database.ensure_roles().await.map_err(unavailable)
}

/// Makes everything that the owner makes, up to date: Baton's own tables, and the queue of background jobs beside them.
/// The restricted role gets its rights afterwards.
pub async fn make_schema(owner: &PgPool) -> Result<(), Error> {
    Migrator::up(&DatabaseConnection::from(owner.clone()), None).await?;
    jobs::install(owner).await
}

/// Held while a process migrates: of two that start an upgrade together, the second finds it done.
struct MigrationLock {
    _connection: sqlx::pool::PoolConnection<sqlx::Postgres>,
}

impl MigrationLock {
    /// "batonmig" in ASCII.
    const KEY: i64 = 0x6261_746f_6e6d_6967;

    async fn take(owner: &sea_orm::DatabaseConnection) -> Result<Self, Error> {
        let mut connection = owner.get_postgres_connection_pool().acquire().await?;
        // A lock of the session: it ends when the connection is closed.
        connection.close_on_drop();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(Self::KEY).execute(&mut *connection).await?;
        Ok(Self { _connection: connection })
    }
}

impl From<delivery::Error> for Error {
    fn from(error: delivery::Error) -> Self {
        match error {
            delivery::Error::Transaction(error) => error.into(),
            delivery::Error::Statement(error) => error.into(),
            delivery::Error::NotFound => Self::not_found("delivery", "of that id"),
            refused @ (delivery::Error::NotRetryable { .. } | delivery::Error::NotUnknown { .. }) => {
                Self::Conflict(refused.to_string().into())
            }
            refused @ delivery::Error::InvalidRemoteId => Self::invalid("remoteId", refused.to_string()),
            other => Self::internal("delivery", other),
        }
    }
}
