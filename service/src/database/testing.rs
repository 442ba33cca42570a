//! A real Postgres for tests: one private cluster for the whole test run, a database of its own for each test.
//!
//! The cluster is in a fixed folder, in memory where there is room, gives up durability, and stays for some seconds after
//! its last user, so that a runner with one process per test does not start it anew each time. The schema is made
//! once per build of the test program, as a template; a test's database is a copy of it.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool};
use tokio::sync::OnceCell;

use super::cluster::{self, Durability, OWNER, Options};
use super::roles::{self, APP_ROLE, AppRole};
use super::{Database, PoolSettings, connect, system};

/// How long the cluster stays after its last user.
const LINGER: Duration = Duration::from_secs(20);
/// Where Linux has a file system in memory, and the room that has to be free there. A disk spends a fifth of the tests' time on finding
/// names for the thousands of small files that databases come and go with.
const IN_MEMORY: (&str, u64) = ("/dev/shm", 4 << 30);
/// The advisory lock, in database `postgres`, of whoever makes a template or tidies up.
const LOCK: i64 = 0x6261_746f_6e5f_7432;

/// The cluster of the test run.
#[derive(Debug)]
pub struct Cluster(cluster::Cluster);

/// A database that a test has for itself, and that goes when this is dropped.
#[derive(Debug)]
pub struct FreshDatabase {
    /// Its pools.
    pub database: Database,
    name: String,
    maintenance: PgConnectOptions,
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
        let maintenance = self.owner_options("postgres");
        let mut connection = maintenance.connect().await.expect("the test cluster answers");
        execute(&mut connection, format!("SELECT pg_advisory_lock({LOCK})")).await;
        let known = databases(&mut connection).await.expect("the databases can be listed");
        tidy(&mut connection, &known).await;
        let template = self.template(&mut connection, &known, setup).await;
        execute(&mut connection, format!("SELECT pg_advisory_unlock({LOCK})")).await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("baton_test_{}_{number}", std::process::id());
        // A killed test of the same process number may have left it.
        drop_database(&mut connection, &name).await;
        // Through the log, which is the server's own choice, a copy costs three times as much where nothing waits for a disk.
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
            .await;
        connection.close().await.expect("the connection closes");
        let options = (self.owner_options(&name), self.options(&name, APP_ROLE));
        let database = open(&name, &options).await;
        FreshDatabase { database, name, maintenance, options }
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
    /// Another pair of pools on the same database, as after a restart.
    pub async fn reopen(&self) -> Database {
        open(&self.name, &self.options).await
    }

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
    /// Drops the database, on a thread with a runtime of its own: the test's runtime may be ending.
    fn drop(&mut self) {
        let maintenance = self.maintenance.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = maintenance.connect().await?;
                connection.execute(AssertSqlSafe(statement)).await?;
                connection.close().await
            })
        });
        // What cannot be dropped now is dropped at the next run.
        let _ = dropping.join();
    }
}

fn place() -> PathBuf {
    let (folder, room) = IN_MEMORY;
    let roomy = system::disk_space(Path::new(folder)).is_ok_and(|space| space.free_bytes >= room);
    if roomy { PathBuf::from(folder) } else { std::env::temp_dir() }
}

async fn open(name: &str, (owner, app): &(PgConnectOptions, PgConnectOptions)) -> Database {
    let settings = PoolSettings::default();
    Database {
        app: connect(&settings, app.clone(), 16).await.expect("the restricted role may connect"),
        owner: Some(connect(&settings, owner.clone(), 4).await.expect("the owner may connect")),
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

/// Drops the databases of tests that were killed.
async fn tidy(connection: &mut PgConnection, known: &[String]) {
    for name in known.iter().filter(|name| name.starts_with("baton_test_")) {
        let process = name.split('_').nth(2).and_then(|process| process.parse().ok());
        if process.is_some_and(|process| !system::alive(process)) {
            drop_database(connection, name).await;
        }
    }
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
