//! A real Postgres for tests: one private cluster for the whole test run, a database of its own for each test.
//!
//! The cluster is in a fixed folder, in memory where there is room, gives up durability, and stays for some seconds after
//! its last user, so that a runner with one process per test does not start it anew each time. The schema is made
//! once per build of the test program, as a template; a test's database is a copy of it. A test that needs a server of
//! its own has a data folder instead.

use std::fmt::Debug;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::cluster::{self, Durability, OWNER, Options};
use super::roles::{self, APP_ROLE, AppRole};
use super::{Database, PoolSettings, as_set, connect, pool, system};

/// How long the cluster stays after its last user.
const LINGER: Duration = Duration::from_secs(20);
/// Where Linux has a file system in memory, and the room that has to be free there. A disk spends a fifth of the tests' time on finding
/// names for the thousands of small files that databases come and go with.
const IN_MEMORY: (&str, u64) = ("/dev/shm", 4 << 30);
/// The advisory lock, in database `postgres`, of whoever makes a template or tidies up.
const LOCK: i64 = 0x6261_746f_6e5f_7432;

/// Databases whose tests have ended in this process. The next test drops them, and those of processes that have ended: it has a
/// connection for it, and each costs some fifteen milliseconds.
static ENDED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The cluster of the test run.
#[derive(Debug)]
pub struct Cluster(cluster::Cluster);

/// A database that a test has for itself. After it has been dropped, it goes when the next one is made.
#[derive(Debug)]
pub struct FreshDatabase {
    /// Its pools.
    pub database: Database,
    name: String,
    options: (PgConnectOptions, PgConnectOptions),
}

impl Cluster {
    /// The cluster of the test run, started if it does not run.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let name = format!("baton-test-postgres-{}", system::effective_user());
        let folder = place().join(name);
        let options = Options { folder, durability: Durability::None, linger: LINGER };
        Self(cluster::Cluster::join(options).await.expect("the test cluster starts"))
    }

    /// A connection as the owner, a superuser.
    pub fn owner_options(&self, database: &str) -> PgConnectOptions {
        self.0.options(database, OWNER)
    }

    /// A connection as any role.
    pub fn options(&self, database: &str, role: &str) -> PgConnectOptions {
        self.0.options(database, role)
    }

    /// A database of one's own, as `setup` makes it.
    ///
    /// `setup` gets the owner's pool of an empty database and runs the migrations. It runs once per build of the test
    /// program: name a function, not a closure, when there are several. The restricted role gets its rights after it.
    pub async fn fresh<Setup, Failure>(&self, setup: Setup) -> FreshDatabase
    where
        Setup: AsyncFnOnce(&PgPool) -> Result<(), Failure>,
        Failure: Debug,
    {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut connection =
            self.owner_options("postgres").connect().await.expect("the test cluster answers");
        execute(&mut connection, format!("SELECT pg_advisory_lock({LOCK})")).await;
        let known = databases(&mut connection).await.expect("the databases can be listed");
        let template = self.template(&mut connection, &known, setup).await;
        execute(&mut connection, format!("SELECT pg_advisory_unlock({LOCK})")).await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("baton_test_{}_{number}", std::process::id());
        for ended in known.iter().filter(|known| **known == name || is_over(known)) {
            drop_database(&mut connection, ended).await;
        }
        // Through the log, which is the server's own choice, a copy costs three times as much where nothing waits for a disk.
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
            .await;
        connection.close().await.expect("the connection closes");
        let options = (self.owner_options(&name), self.options(&name, APP_ROLE));
        let database = open(&name, &options);
        FreshDatabase { database, name, options }
    }

    /// The template's name; makes it if this build of the test program has none among the known databases.
    async fn template<Setup, Failure>(
        &self,
        connection: &mut PgConnection,
        known: &[String],
        setup: Setup,
    ) -> String
    where
        Setup: AsyncFnOnce(&PgPool) -> Result<(), Failure>,
        Failure: Debug,
    {
        let program = std::env::current_exe().expect("a program");
        let family = format!("baton_template_{:016x}", hash(&(&program, std::any::type_name::<Setup>())));
        let name = format!("{family}_{:016x}", build(&program));
        if !known.contains(&name) {
            for old in known.iter().filter(|known| known.starts_with(&family)) {
                drop_database(connection, old).await;
            }
            self.make_template(connection, &family, &name, setup).await;
        }
        name
    }

    async fn make_template<Setup, Failure>(
        &self,
        connection: &mut PgConnection,
        family: &str,
        name: &str,
        setup: Setup,
    ) where
        Setup: AsyncFnOnce(&PgPool) -> Result<(), Failure>,
        Failure: Debug,
    {
        let draft = format!("{family}_draft");
        execute(connection, format!("CREATE DATABASE {draft}")).await;
        let owner =
            connect(&PoolSettings::default(), self.owner_options(&draft), 4).await.expect("it answers");
        let role = AppRole::without_password();
        roles::ensure_roles(&owner, &role).await.expect("the restricted role can be made");
        setup(&owner).await.expect("the template can be set up");
        roles::ensure_roles(&owner, &role).await.expect("the restricted role gets its rights");
        owner.close().await;
        execute(connection, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
}

impl FreshDatabase {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner's connection.
    pub fn owner_options(&self) -> PgConnectOptions {
        self.options.0.clone()
    }

    /// The restricted role's connection.
    pub fn app_options(&self) -> PgConnectOptions {
        self.options.1.clone()
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
    }
}

/// A data folder that any user may enter: Postgres runs as another one when this program runs as root.
pub fn data_dir() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    folder
}

/// The same with a private cluster that does not run: a copy of one that is made once for all tests, in a tenth of the time.
pub async fn made_data_dir() -> TempDir {
    let folder = place().join(format!("baton-test-made-{}", system::effective_user()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).expect("a mode");
    let lock = fs::File::create(folder.join("copy.lock")).expect("a lock");
    lock.lock().expect("it is free at last");
    if !folder.join("data/PG_VERSION").exists() {
        let options =
            Options { folder: folder.clone(), durability: Durability::None, linger: Duration::ZERO };
        let made = cluster::Cluster::join(options).await.expect("it can be made");
        made.leave().await.expect("it stops");
    }
    let data_dir = data_dir();
    let root = data_dir.path().join("postgres");
    fs::create_dir(&root).expect("a folder");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o711)).expect("a mode");
    let copied = Command::new("cp").arg("-a").arg(folder.join("data")).arg(&root).status();
    assert!(copied.expect("cp runs").success());
    data_dir
}

fn place() -> PathBuf {
    let (folder, room) = IN_MEMORY;
    let roomy = system::disk_space(Path::new(folder)).is_ok_and(|space| space.free_bytes >= room);
    if roomy { PathBuf::from(folder) } else { std::env::temp_dir() }
}

/// Connects when a connection is first used.
fn open(name: &str, (owner, app): &(PgConnectOptions, PgConnectOptions)) -> Database {
    let settings = PoolSettings::default();
    let lazily = |options: &PgConnectOptions, size| {
        pool(&settings, size).connect_lazy_with(as_set(&settings, options.clone()))
    };
    Database {
        app: lazily(app, 16),
        owner: Some(lazily(owner, 4)),
        app_role: AppRole::without_password(),
        server: format!("a test's, database {name}"),
        cluster: None,
    }
}

async fn execute(connection: &mut PgConnection, statement: String) {
    let done = connection.execute(AssertSqlSafe(statement.clone())).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn drop_database(connection: &mut PgConnection, name: &str) {
    execute(connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
}

/// The databases of tests, and the templates of every test program.
async fn databases(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname, 'baton_te')";
    sqlx::query_scalar(sql).fetch_all(connection).await
}

/// Whether the test has ended that a database was made for, or its process has.
fn is_over(database: &str) -> bool {
    let Some(rest) = database.strip_prefix("baton_test_") else { return false };
    let process = rest.split('_').next().and_then(|process| process.parse().ok());
    let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    ended.iter().any(|name| name == database) || process.is_some_and(|process| !system::alive(process))
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Changes with each build of the program.
fn build(program: &Path) -> u64 {
    let metadata = program.metadata().expect("the program is there");
    hash(&(metadata.len(), metadata.modified().expect("a time")))
}
