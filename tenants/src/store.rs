//! The tenants' databases, in a folder or at a server, the most recently used of them open.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use lru::LruCache;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::database::Connection;
use crate::database::files::Files;
use crate::database::server::Server;
use crate::password::Passwords;
use crate::tenant::Resources;
use crate::{Error, ServerOptions, Tenant};

/// How many databases stay open by default: three file descriptors and about 125 KB each.
pub const DEFAULT_OPEN_DATABASES_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Tells the time where no caller can: when a database is created or migrated.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Makes a new `UUIDv7` of that moment, in rising order.
pub type NewId = Arc<dyn Fn(DateTime<Utc>) -> Uuid + Send + Sync>;

/// Where the databases are.
#[derive(Clone, Debug)]
pub enum Place {
    /// Files of that folder, as in `DATA_DIR/tenants`; made with mode 0700 when absent.
    Folder(PathBuf),
    /// Databases of a server.
    Server(ServerOptions),
}

/// Where the databases are and how many stay open.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where they are.
    pub place: Place,
    /// Tells the time.
    pub clock: Clock,
    /// Makes the ids of rows and tokens.
    pub new_id: NewId,
    /// How many databases stay open, besides those in use at that moment.
    pub open_databases_max: NonZeroUsize,
}

impl StoreOptions {
    /// Files of that folder, that clock and generator of ids, [`DEFAULT_OPEN_DATABASES_MAX`].
    pub fn new(
        root: impl Into<PathBuf>,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        new_id: impl Fn(DateTime<Utc>) -> Uuid + Send + Sync + 'static,
    ) -> Self {
        Self {
            place: Place::Folder(root.into()),
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
    databases: Databases,
    clock: Clock,
    resources: Arc<Resources>,
    /// A cell is filled once, so that a hundred requests for a cold tenant open its file once.
    open: Mutex<LruCache<TenantId, Arc<OnceCell<Tenant>>>>,
}

enum Databases {
    Files(Files),
    Server(Server),
}

impl Store {
    /// A store over that place.
    pub fn new(options: StoreOptions) -> Result<Self, Error> {
        let StoreOptions { place, clock, new_id, open_databases_max } = options;
        let databases = match place {
            Place::Folder(root) => Databases::Files(Files::new(root)?),
            Place::Server(options) => Databases::Server(Server::new(options)?),
        };
        let open = Mutex::new(LruCache::new(open_databases_max));
        let resources = Arc::new(Resources { passwords: Passwords::new(), new_id });
        Ok(Self { shared: Arc::new(Shared { databases, clock, resources, open }) })
    }

    /// Makes the database of a new tenant, with its first signing key. A file that a crash or a full disk left half made
    /// is completed by [`Store::open`].
    pub async fn create(&self, tenant: TenantId) -> Result<Tenant, Error> {
        let cell = self.cell(tenant);
        let mut created = false;
        let opened = cell
            .get_or_try_init(async || {
                let now = (self.shared.clock)();
                let connection = match &self.shared.databases {
                    Databases::Files(files) => files.create(tenant, now).await?,
                    Databases::Server(server) => server.create(tenant, now).await?,
                };
                created = true;
                Ok::<_, Error>(self.opened(tenant, connection))
            })
            .await;
        self.forget_unless_open(tenant, &cell);
        let opened = opened?.clone();
        if created { Ok(opened) } else { Err(Error::DatabaseExists { tenant }) }
    }

    /// The database of a tenant, migrated to this program's version. One that is not there is never made.
    ///
    /// One that another process has removed is missing at once where it was a file; a server is not asked each time, and
    /// says so at the first statement.
    pub async fn open(&self, tenant: TenantId) -> Result<Tenant, Error> {
        let files = match &self.shared.databases {
            Databases::Files(files) => Some(files),
            Databases::Server(_) => None,
        };
        let is_lost = files.is_some_and(|files| !files.exists(tenant));
        if is_lost {
            // Another process may have erased the tenant: what is still open is a file without a name, and goes too.
            self.forget(tenant);
            return Err(Error::DatabaseMissing { tenant });
        }
        if let Some(opened) = self.cached(tenant) {
            return Ok(opened);
        }
        // Asked before a place in the cache is taken: made-up tenants must not push out real ones.
        if let Databases::Server(server) = &self.shared.databases
            && !server.exists(tenant).await?
        {
            return Err(Error::DatabaseMissing { tenant });
        }
        let cell = self.cell(tenant);
        let open = async || {
            let now = (self.shared.clock)();
            let connection = match &self.shared.databases {
                Databases::Files(files) => files.open(tenant, now).await?,
                Databases::Server(server) => server.open(tenant, now).await?,
            };
            Ok::<_, Error>(self.opened(tenant, connection))
        };
        let opened = cell.get_or_try_init(open).await.cloned();
        self.forget_unless_open(tenant, &cell);
        opened
    }

    /// Whether the tenant has a database here.
    pub async fn exists(&self, tenant: TenantId) -> Result<bool, Error> {
        match &self.shared.databases {
            Databases::Files(files) => Ok(files.exists(tenant)),
            Databases::Server(server) => server.exists(tenant).await,
        }
    }

    /// Removes a tenant's database for good. Says whether there was one.
    pub async fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        self.forget(tenant);
        match &self.shared.databases {
            Databases::Files(files) => files.remove(tenant).await,
            Databases::Server(server) => server.remove(tenant).await,
        }
    }

    /// Closes a tenant's database when nobody uses it any more; the next one who asks opens it anew.
    pub fn forget(&self, tenant: TenantId) {
        drop(self.lock().pop(&tenant));
    }

    /// How many databases the store keeps open now.
    pub fn open_databases(&self) -> usize {
        self.lock().iter().filter(|(_, cell)| cell.initialized()).count()
    }

    /// The file of a tenant's database, whether it exists or not; none where a server keeps it.
    pub fn path(&self, tenant: TenantId) -> Option<PathBuf> {
        match &self.shared.databases {
            Databases::Files(files) => Some(files.path(tenant)),
            Databases::Server(_) => None,
        }
    }

    fn opened(&self, tenant: TenantId, connection: Connection) -> Tenant {
        Tenant::new(tenant, connection, Arc::clone(&self.shared.resources))
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
}
