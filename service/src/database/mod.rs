//! The shared Postgres: which server, its roles, its pools, and one tenant's transaction.
//!
//! * A server is given (`DATABASE_URL`, `PG…`) or private: a cluster of the installed binaries below the data folder
//!   that every `baton` process on the machine shares ([`cluster`]).
//! * Two roles: the owner runs migrations; `baton_app` owns nothing, cannot bypass row-level security, and does the
//!   rest ([`roles`]). A role that could bypass the policies is refused before the first query.
//! * Tenants' tables are reached through [`TenantTx`] alone: without a tenant every policy shows no row.
//!
//! Deliberately absent: a second SQL dialect, and a trait over the database. There is one backend, and tests use it.

use std::time::Duration;

use sea_orm::DatabaseConnection;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

pub mod cluster;
pub mod doctor;
pub mod roles;
mod settings;
mod system;
mod tenant;
#[cfg(feature = "testing")]
pub mod testing;

pub use settings::{GivenServer, PoolSettings, Settings, Target};
pub use tenant::{ConnectionGuard, Mode, Sight, TenantTx};

/// JSON as it is stored: read as text, because most of it only passes through.
pub type StoredJson = sqlx::types::Json<Box<serde_json::value::RawValue>>;

use cluster::Cluster;
use domain::ids::TenantId;
use roles::AppRole;

/// What can be wrong with the shared Postgres. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A URL that cannot be read. The URL is not repeated: a password may stand in it.
    #[error("{name} is not a Postgres URL such as postgres://user:password@host:5432/database")]
    Url {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not answer or refuses us.
    #[error("cannot connect to {server} as {role}")]
    Connect {
        /// Which server, without a password.
        server: String,
        /// The role that wanted in.
        role: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The private cluster does not run.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The restricted role is missing, too weak, or too strong.
    #[error(transparent)]
    Roles(#[from] roles::Error),
    /// Only the restricted role's URL is given, and the owner is needed.
    #[error(
        "this needs the owner of the tables: set DATABASE_URL, BATON_DATABASE__APP_URL alone is not enough"
    )]
    NoOwner,
}

/// The result of this module's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The shared Postgres, open.
///
/// Close it with [`Database::close`], which waits for the private cluster to stop when this process is its last
/// user. If it is only dropped, or the process is killed, the cluster is stopped a moment later by its supervisor.
#[derive(Debug, Clone)]
pub struct Database {
    /// The restricted role's pool. Only [`TenantTx`] and the functions that look across tenants belong on it.
    pub app: PgPool,
    /// The owner's pool, for migrations and the doctor; none when only the restricted role's URL is given.
    pub owner: Option<PgPool>,
    app_role: AppRole,
    server: String,
    cluster: Option<Cluster>,
}

impl Database {
    /// Connects: starts the private cluster if it is wanted and not running, makes sure of the restricted role and
    /// its rights, and refuses a role that could bypass row-level security. Runs no migration.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let database = Self::connect(settings).await?;
        roles::refuse_if_bypassing(&database.app).await?;
        tracing::info!(server = %database.server, "Postgres is {}", database.server);
        Ok(database)
    }

    /// As [`Database::open`], without the refusal.
    async fn connect(settings: &Settings) -> Result<Self> {
        match settings.target()? {
            Target::Private(options) => Self::open_private(settings, options).await,
            Target::Given(server) => Self::open_given(settings, *server).await,
        }
    }

    async fn open_private(settings: &Settings, options: cluster::Options) -> Result<Self> {
        let cluster = Cluster::join(options).await?;
        cluster.ensure_database().await?;
        let app_role = AppRole::without_password();
        let owner =
            connect(&settings.pool, cluster.owner_options(), settings.pool.owner_connections_max).await?;
        roles::ensure_roles(&owner, &app_role).await?;
        let app = connect(&settings.pool, cluster.app_options(), settings.pool.app_connections_max).await?;
        let server = format!("private, {} in {}", cluster.version(), cluster.folder().display());
        Ok(Self { app, owner: Some(owner), app_role, server, cluster: Some(cluster) })
    }

    async fn open_given(settings: &Settings, given: GivenServer) -> Result<Self> {
        let owner = match &given.owner {
            Some(owner) => {
                Some(connect(&settings.pool, owner.clone(), settings.pool.owner_connections_max).await?)
            }
            None => None,
        };
        let app_role = match &given.app {
            Some(app) => AppRole::named(app.get_username()),
            None => AppRole::of_data_dir(&settings.data_dir, settings.app_password.clone())?,
        };
        if let Some(owner) = &owner {
            roles::ensure_roles(owner, &app_role).await?;
        }
        let options = given.app.or_else(|| given.owner.map(|owner| with_role(owner, &app_role)));
        let options = options.ok_or(Error::NoOwner)?;
        let server = format!("given by {}, {}", given.named_by, place(&options));
        let size = settings.pool.app_connections_max;
        let app = match connect(&settings.pool, options.clone(), size).await {
            Err(Error::Connect { source, .. })
                if wrong_password(&source) && settings.app_password.is_some() =>
            {
                // The operator named a password and the role has another: the operator's word counts.
                roles::set_password(owner.as_ref().ok_or(Error::NoOwner)?, &app_role).await?;
                connect(&settings.pool, options, size).await?
            }
            other => other?,
        };
        Ok(Self { app, owner, app_role, server, cluster: None })
    }

    /// A sea-orm connection over the restricted role's pool.
    pub fn app_connection(&self) -> DatabaseConnection {
        DatabaseConnection::from(self.app.clone())
    }

    /// A sea-orm connection over the owner's pool, for the migrator.
    pub fn owner_connection(&self) -> Result<DatabaseConnection> {
        self.owner.clone().map(DatabaseConnection::from).ok_or(Error::NoOwner)
    }

    /// Gives the restricted role its rights on what migrations have made since the database was opened.
    /// Call it after them.
    pub async fn ensure_roles(&self) -> Result<()> {
        let owner = self.owner.as_ref().ok_or(Error::NoOwner)?;
        Ok(roles::ensure_roles(owner, &self.app_role).await?)
    }

    /// Begins a transaction that sees and writes one tenant's rows.
    pub async fn begin(&self, tenant: TenantId, mode: Mode) -> Result<TenantTx, sea_orm::DbErr> {
        TenantTx::begin(&self.app, tenant, mode).await
    }

    /// Which server this is, in one line, without any password.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The private cluster, when this process uses it.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Closes the pools and leaves the private cluster; its last user returns when it has stopped.
    pub async fn close(self) -> Result<()> {
        self.app.close().await;
        if let Some(owner) = &self.owner {
            owner.close().await;
        }
        if let Some(cluster) = self.cluster {
            cluster.leave().await?;
        }
        Ok(())
    }
}

/// A connection that was idle for longer is tested before it is used.
const IDLE_UNTESTED: Duration = Duration::from_secs(2);

/// A pool of `size` connections, with one of them made now, so that a wrong setting is found here.
async fn connect(settings: &PoolSettings, options: PgConnectOptions, size: u32) -> Result<PgPool> {
    let (server, role) = (place(&options), options.get_username().to_owned());
    let connected = pool(settings, size).connect_with(as_set(settings, options)).await;
    connected.map_err(|source| Error::Connect { server, role, source })
}

fn pool(settings: &PoolSettings, size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        // By default the pool asks the server at each turn whether the connection still lives: a round trip that a
        // connection used a moment ago does not need. `TenantTx::begin` takes another one if it is broken after all.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for >= IDLE_UNTESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .acquire_timeout(settings.acquire_timeout)
}

fn as_set(settings: &PoolSettings, options: PgConnectOptions) -> PgConnectOptions {
    options.application_name(&settings.application_name).statement_cache_capacity(settings.statement_cache)
}

fn with_role(owner: PgConnectOptions, role: &AppRole) -> PgConnectOptions {
    let options = owner.username(role.name());
    match role.password() {
        Some(password) => options.password(SecretString::expose_secret(password)),
        None => options,
    }
}

fn wrong_password(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "28P01" || code == "28000")
}

/// Host, port and database: what names a server without a secret.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(folder) => format!("{} (socket), database {database}", folder.display()),
        None => format!("{}:{}, database {database}", options.get_host(), options.get_port()),
    }
}
