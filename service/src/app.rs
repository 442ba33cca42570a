//! What every operation works with: clock, ids, database, tenants, secrets, wake-ups.

use std::path::PathBuf;
use std::sync::Arc;

use domain::ids::TenantId;
use tokio::sync::{Notify, watch};

use crate::database::{Database, Mode, TenantTx};
use crate::error::Error;
use crate::runtime::{Clock, Ids};
use crate::secrets::Secrets;

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
    /// Seals what must be read back.
    pub secrets: Secrets,
    /// Wake-ups between the parts of this process.
    pub wake: Wake,
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
    /// Whether deliveries may reach loopback and private addresses (demonstrations, tests, on-premise CRMs).
    pub allow_private_addresses: bool,
    /// Imports that one process runs at the same time.
    pub imports_at_once: usize,
}

impl Settings {
    /// The defaults, for that data folder.
    pub fn below(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            file_bytes_max: 1 << 30,
            record_bytes_max: 1 << 20,
            allow_private_addresses: false,
            imports_at_once: 2,
        }
    }
}

/// Wake-ups within the process. Whoever waits also polls: another process may have done the work.
#[derive(Clone)]
pub struct Wake {
    delivery: Arc<Notify>,
    imports: Arc<Notify>,
    progress: watch::Sender<u64>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            delivery: Arc::new(Notify::new()),
            imports: Arc::new(Notify::new()),
            progress: watch::Sender::new(0),
        }
    }
}

impl Wake {
    /// There are deliveries to make.
    pub fn delivery(&self) {
        self.delivery.notify_one();
    }

    /// What the delivery worker waits on.
    pub fn delivery_notified(&self) -> Arc<Notify> {
        Arc::clone(&self.delivery)
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

    /// Changes whenever an import of this process has come further.
    pub fn progress_watch(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }
}

impl App {
    /// A transaction that sees and writes that tenant's rows only.
    pub async fn begin(&self, tenant: TenantId, mode: Mode) -> Result<TenantTx, Error> {
        Ok(TenantTx::begin(&self.database.app, tenant, mode).await?)
    }

    /// What the intake rules need to know beside the record.
    pub fn intake_settings(&self) -> domain::intake::Settings {
        domain::intake::Settings { today: self.clock.now().date_naive(), phone_regions: Default::default() }
    }
}
