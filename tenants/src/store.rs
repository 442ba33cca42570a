//! The folder of the tenants' databases, the most recently used of them open.

use std::fs::{self, DirBuilder, OpenOptions};
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use libsql::{Builder, Connection, OpenFlags};
use lru::LruCache;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::error::Fault;
use crate::password::Passwords;
use crate::tenant::Resources;
use crate::{Error, Tenant, migrations};

/// How many databases stay open by default: three file descriptors and about 125 KB each.
pub const DEFAULT_OPEN_DATABASES_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Switching a new file to the write-ahead log needs it alone, and does not wait by itself.
const LOG_SWITCH_ATTEMPTS_MAX: u32 = 100;
const LOG_SWITCH_PAUSE: Duration = Duration::from_millis(10);

/// Tells the time where no caller can: when a database is created or migrated.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Makes a new `UUIDv7` of that moment, in rising order.
pub type NewId = Arc<dyn Fn(DateTime<Utc>) -> Uuid + Send + Sync>;

/// Where the databases are and how many stay open.
#[derive(Clone)]
pub struct StoreOptions {
    /// The folder, as in `DATA_DIR/tenants`; made with mode 0700 when absent.
    pub root: PathBuf,
    /// Tells the time.
    pub clock: Clock,
    /// Makes the ids of rows and tokens.
    pub new_id: NewId,
    /// How many databases stay open, besides those in use at that moment.
    pub open_databases_max: NonZeroUsize,
}

impl StoreOptions {
    /// That folder, clock and generator of ids, [`DEFAULT_OPEN_DATABASES_MAX`].
    pub fn new(
        root: impl Into<PathBuf>,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        new_id: impl Fn(DateTime<Utc>) -> Uuid + Send + Sync + 'static,
    ) -> Self {
        Self {
            root: root.into(),
            clock: Arc::new(clock),
            new_id: Arc::new(new_id),
            open_databases_max: DEFAULT_OPEN_DATABASES_MAX,
        }
    }
}

/// All tenants' databases; a clone is the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    clock: Clock,
    resources: Arc<Resources>,
    /// A cell is filled once, so that a hundred requests for a cold tenant open its file once.
    open: Mutex<LruCache<TenantId, Arc<OnceCell<Tenant>>>>,
}

impl Store {
    /// A store over that folder.
    pub fn new(options: StoreOptions) -> Result<Self, Error> {
        let StoreOptions { root, clock, new_id, open_databases_max } = options;
        DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(|source| Error::File {
            attempt: "make the folder",
            path: root.clone(),
            source,
        })?;
        let open = Mutex::new(LruCache::new(open_databases_max));
        let resources = Arc::new(Resources { passwords: Passwords::new(), new_id });
        Ok(Self { shared: Arc::new(Shared { root, clock, resources, open }) })
    }

    /// Makes the database of a new tenant, with its first signing key. One that a crash or a full disk left half made is
    /// completed by [`Store::open`].
    pub async fn create(&self, tenant: TenantId) -> Result<Tenant, Error> {
        let cell = self.cell(tenant);
        let mut created = false;
        let opened = cell
            .get_or_try_init(async || {
                let path = self.path(tenant);
                // The file is claimed before it is opened: of two that create at once, one fails.
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(
                    |source| match source.kind() {
                        std::io::ErrorKind::AlreadyExists => Error::DatabaseExists { tenant },
                        _ => Error::File { attempt: "make the database", path, source },
                    },
                )?;
                created = true;
                self.open_file(tenant).await
            })
            .await;
        self.forget_unless_open(tenant, &cell);
        let opened = opened?.clone();
        if created { Ok(opened) } else { Err(Error::DatabaseExists { tenant }) }
    }

    /// The database of a tenant, migrated to this program's version. A file that is not there is never made.
    pub async fn open(&self, tenant: TenantId) -> Result<Tenant, Error> {
        if let Some(opened) = self.cached(tenant) {
            if self.exists(tenant) {
                return Ok(opened);
            }
            // Another process has erased the tenant: what is still open is a file without a name, and goes too.
            drop(self.lock().pop(&tenant));
            return Err(Error::DatabaseMissing { tenant });
        }
        // Asked before a place in the cache is taken: made-up tenants must not push out real ones.
        if !self.exists(tenant) {
            return Err(Error::DatabaseMissing { tenant });
        }
        let cell = self.cell(tenant);
        let opened = cell.get_or_try_init(|| self.open_file(tenant)).await.cloned();
        self.forget_unless_open(tenant, &cell);
        opened
    }

    /// Whether the tenant has a database here.
    pub fn exists(&self, tenant: TenantId) -> bool {
        fs::metadata(self.path(tenant)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Removes a tenant's database for good: its file and the files beside it. Says whether there was one.
    pub async fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        // Closed here first; another process that still has it open keeps reading a file without a name.
        drop(self.lock().pop(&tenant));
        let path = self.path(tenant);
        let attempt = "remove the database";
        spawn_blocking(move || {
            let mut found = false;
            for suffix in ["-wal", "-shm", ""] {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                match fs::remove_file(&name) {
                    Ok(()) => found |= suffix.is_empty(),
                    Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {}
                    Err(source) => return Err(Error::File { attempt, path: name.into(), source }),
                }
            }
            Ok(found)
        })
        .await
        .map_err(|source| Error::Interrupted { attempt, source })?
    }

    /// How many databases the store keeps open now.
    pub fn open_databases(&self) -> usize {
        self.lock().iter().filter(|(_, cell)| cell.initialized()).count()
    }

    /// The file of a tenant's database, whether it exists or not.
    pub fn path(&self, tenant: TenantId) -> PathBuf {
        self.shared.root.join(format!("{}.db", tenant.uuid()))
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.shared.resources.passwords
    }

    fn cached(&self, tenant: TenantId) -> Option<Tenant> {
        self.lock().get(&tenant)?.get().cloned()
    }

    fn cell(&self, tenant: TenantId) -> Arc<OnceCell<Tenant>> {
        let mut open = self.lock();
        if let Some(cell) = open.get(&tenant) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(OnceCell::new());
        let displaced = open.push(tenant, Arc::clone(&cell));
        // What closes a database happens outside the lock.
        drop(open);
        drop(displaced);
        cell
    }

    /// A failed opening leaves no empty place behind.
    fn forget_unless_open(&self, tenant: TenantId, cell: &Arc<OnceCell<Tenant>>) {
        if cell.initialized() {
            return;
        }
        let mut open = self.lock();
        if open.peek(&tenant).is_some_and(|kept| Arc::ptr_eq(kept, cell)) {
            open.pop(&tenant);
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<TenantId, Arc<OnceCell<Tenant>>>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open_file(&self, tenant: TenantId) -> Result<Tenant, Error> {
        let attempt = "open";
        let path = self.path(tenant);
        let now = (self.shared.clock)();
        let runtime = Handle::current();
        let connection = spawn_blocking(move || {
            if !path.is_file() {
                return Err(Error::DatabaseMissing { tenant });
            }
            runtime.block_on(connect(&path, tenant, now)).map_err(|fault| fault.within(tenant, attempt))
        })
        .await
        .map_err(|source| Error::Interrupted { attempt, source })??;
        Ok(Tenant::new(tenant, connection, Arc::clone(&self.shared.resources)))
    }
}

async fn connect(path: &Path, tenant: TenantId, now: DateTime<Utc>) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Builder::new_local(path).flags(flags).build().await?.connect()?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    switch_to_log(&connection).await?;
    // A revocation that was answered must survive a power cut, hence FULL. The schema is not trusted to run functions.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -256;",
        )
        .await?;
    migrations::migrate(&connection, tenant, now).await?;
    Ok(connection)
}

async fn switch_to_log(connection: &Connection) -> Result<(), Fault> {
    let mut attempts = 0;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL").await {
            Ok(_) => return Ok(()),
            // 5 is SQLITE_BUSY; the high bits say more about it.
            Err(libsql::Error::SqliteFailure(code, _))
                if code & 0xff == 5 && attempts < LOG_SWITCH_ATTEMPTS_MAX =>
            {
                attempts += 1;
                std::thread::sleep(LOG_SWITCH_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
