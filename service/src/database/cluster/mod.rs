//! A private Postgres of the installed binaries, shared by every `baton` process of the machine.
//!
//! Three files, locked with `flock`, say who is there. The kernel releases a lock when its process ends in whatever
//! way, so none of them can be stale:
//! * `users.lock`: each process that uses the cluster holds it shared;
//! * `start.lock`: whoever starts or stops the server holds it exclusively, so the two never overlap;
//! * `supervisor.lock`: held by the server's parent, a small process of its own (see `supervisor.rs`) that outlives the
//!   `baton` that started it and stops the server once `users.lock` is free.
//!
//! Locks are taken in one order, start before users, so nobody waits in a circle. If the supervisor is killed, the
//! kernel tells Postgres to shut down, and the next process to notice (each user looks once a second) starts both
//! again. A leftover `postmaster.pid` whose process is not the server of this folder is removed; one whose process
//! is, is waited for.
//!
//! Linux only: parent-death signals and `/proc` have no portable counterpart.

mod binaries;
mod configuration;
mod folders;
mod identity;
mod postmaster;
mod start;
mod supervisor;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use folders::Folders;

use super::roles::APP_ROLE;
use super::settings::socket_options;

/// The port in the socket's name. No TCP port is opened.
pub const PORT: u16 = 5432;
/// The cluster's superuser, who owns the database.
pub const OWNER: &str = "baton";
/// The database.
pub const DATABASE: &str = "baton";

/// How often a user of the cluster looks whether the server still has its supervisor.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// What the cluster promises when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A committed transaction survives.
    #[default]
    Full,
    /// Nothing survives: for tests.
    None,
}

/// Where and how a private cluster runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's folder.
    pub folder: PathBuf,
    /// What it promises when the power fails.
    pub durability: Durability,
    /// How long the server stays after its last user. Zero, except between the processes of a test run.
    pub linger: Duration,
}

impl Options {
    /// The cluster of a data folder.
    pub fn below(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("postgres"), durability: Durability::Full, linger: Duration::ZERO }
    }
}

/// What can be wrong with the private cluster. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No suitable Postgres is installed.
    #[error(
        "no PostgreSQL 15 or newer is installed{found}. Install it (Debian, Ubuntu: apt-get install postgresql; \
         Fedora: dnf install postgresql-server), or set DATABASE_URL to use a server"
    )]
    NoBinaries {
        /// What was found instead, as the sentence's continuation.
        found: String,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the private cluster in {folder} was made by PostgreSQL {made_by}, which is not installed (there is {installed}). \
         Install package postgresql-{made_by}, or move the data with pg_upgrade"
    )]
    OtherMajor {
        /// The cluster's folder.
        folder: PathBuf,
        /// Its major version.
        made_by: u32,
        /// The newest installed version.
        installed: String,
    },
    /// A file or folder of the cluster cannot be used.
    #[error("cannot {what} {path}")]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Postgres refuses to run as root, and the user it would run as cannot reach the folder.
    #[error(
        "Postgres does not run as root, user {user} cannot enter {blocked}, and this system forbids user namespaces. \
         Run chmod o+x {blocked}, choose another data folder (--data-dir), or start baton as a normal user"
    )]
    Unreachable {
        /// The user.
        user: u32,
        /// The folder that only others may enter.
        blocked: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Started as root on a machine without a user for Postgres.
    #[error(
        "Postgres does not run as root, and there is no user `postgres` or `nobody`: start baton as a normal user"
    )]
    NoUser,
    /// The program cannot be run.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// initdb failed.
    #[error("initdb could not make the private cluster: {output}")]
    Initdb {
        /// The last lines that it printed.
        output: String,
    },
    /// The server ended before it was ready, or did not become ready in time.
    #[error("the private Postgres did not start; the end of {log}: {tail}")]
    NotStarted {
        /// The server's log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// A server of this folder, left by a killed supervisor, does not end.
    #[error(
        "a Postgres (process {process}) that nobody supervises still uses {folder} and does not end: stop it"
    )]
    Orphan {
        /// The server's process.
        process: i32,
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// Another process is starting or stopping the server, for too long.
    #[error(
        "another process has been starting or stopping the private Postgres in {folder} for too long; see {folder}/server.log"
    )]
    Busy {
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// The last user left, and the server still runs.
    #[error("the private Postgres in {folder} has not stopped yet; see {folder}/server.log")]
    NotStopped {
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// The running server refuses us.
    #[error("the private Postgres runs, but its database cannot be made")]
    Database(#[source] sqlx::Error),
}

/// The result of this module's functions.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// This process's use of a private cluster. Clones share it; when the last one is dropped, or one calls
/// [`Cluster::leave`], the process no longer uses the cluster.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folders: Folders,
    options: Options,
    major: u32,
    socket: PathBuf,
    membership: Mutex<Option<Membership>>,
}

/// What makes this process a user of the cluster. Dropping it ends that.
#[derive(Debug)]
struct Membership {
    /// Holds `users.lock` shared.
    users: File,
    /// Dropping it ends the watcher.
    stop: mpsc::Sender<()>,
    watcher: JoinHandle<()>,
}

impl Cluster {
    /// Becomes a user of the cluster: makes it if there is none, starts it if it does not run.
    pub async fn join(options: Options) -> Result<Self> {
        let joined = tokio::task::spawn_blocking(move || Self::join_blocking(options)).await;
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn join_blocking(options: Options) -> Result<Self> {
        let folders = Folders::create(&options.folder)?;
        let start = folders.lock_start()?;
        let users = folders.open_users()?;
        users.lock_shared().map_err(|source| folders.failed("lock", folders.users(), source))?;
        let socket = start::ensure_running(&folders, &options)?;
        drop(start);
        let major = folders.major()?.unwrap_or_default();
        let (stop, stopped) = mpsc::channel();
        let place = (folders.clone(), options.clone());
        let watcher = std::thread::Builder::new()
            .name("postgres-watcher".to_owned())
            .spawn(move || watch(&place.0, &place.1, &stopped))
            .map_err(|source| folders.failed("watch", folders.data(), source))?;
        let membership = Mutex::new(Some(Membership { users, stop, watcher }));
        Ok(Self(Arc::new(Shared { folders, options, major, socket, membership })))
    }

    /// Makes [`DATABASE`] if it is not there.
    pub async fn ensure_database(&self) -> Result<()> {
        self.make_database().await.map_err(Error::Database)
    }

    async fn make_database(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.options("postgres", OWNER).connect().await?;
        let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !found {
            let created = connection.execute("CREATE DATABASE baton").await;
            // 42P04 and 23505: another process that joined at the same time was first.
            let first = |code: &str| code == "42P04" || code == "23505";
            if let Err(error) = created
                && !error
                    .as_database_error()
                    .and_then(sqlx::error::DatabaseError::code)
                    .is_some_and(|code| first(&code))
            {
                return Err(error);
            }
        }
        connection.close().await
    }

    /// Stops using the cluster. When nobody else uses it, returns once the server has stopped.
    pub async fn leave(self) -> Result<()> {
        let left = tokio::task::spawn_blocking(move || self.0.leave_blocking()).await;
        left.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// The owner's connection to the database.
    pub fn owner_options(&self) -> PgConnectOptions {
        self.options(DATABASE, OWNER)
    }

    /// The restricted role's connection to the database.
    pub fn app_options(&self) -> PgConnectOptions {
        self.options(DATABASE, APP_ROLE)
    }

    /// A connection to any database as any role.
    pub fn options(&self, database: &str, role: &str) -> PgConnectOptions {
        socket_options(&self.0.socket, role, database)
    }

    /// The cluster's folder.
    pub fn folder(&self) -> &Path {
        self.0.folders.root()
    }

    /// The folder of the unix socket.
    pub fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// The server's process, while it runs.
    pub fn process(&self) -> Option<i32> {
        postmaster::running(&self.0.folders)
    }

    /// Such as `PostgreSQL 15`.
    pub fn version(&self) -> String {
        format!("PostgreSQL {}", self.0.major)
    }
}

impl Shared {
    fn leave_blocking(&self) -> Result<()> {
        let taken = self.membership.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Membership { users, stop, watcher }) = taken else { return Ok(()) };
        drop(stop);
        // A watcher that panicked has printed why; there is nothing to add.
        let _ = watcher.join();
        let start = self.folders.lock_start()?;
        drop(users);
        let last = self.folders.open_users()?.try_lock().is_ok();
        drop(start);
        if last && self.options.linger.is_zero() { self.folders.wait_until_stopped() } else { Ok(()) }
    }
}

/// Starts the server again when its supervisor was killed or the server crashed.
fn watch(folders: &Folders, options: &Options, stopped: &mpsc::Receiver<()>) {
    while stopped.recv_timeout(WATCH_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
        if folders.is_supervised().unwrap_or(true) {
            continue;
        }
        tracing::warn!(folder = %folders.root().display(), "the private Postgres has ended; starting it again");
        let started = folders.lock_start().and_then(|_start| start::ensure_running(folders, options));
        if let Err(error) = started {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the private Postgres cannot be started again"
            );
        }
    }
}
