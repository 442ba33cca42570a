//! Which Postgres Baton uses, and how.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::cluster;
use super::{Error, Result};

/// Everything that decides which server is used and how its pools behave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Baton keeps what it keeps on disk; the private cluster is in `postgres` below it.
    pub data_dir: PathBuf,
    /// `DATABASE_URL`: the owner's connection, who runs migrations.
    pub url: Option<SecretString>,
    /// `PGHOST`: a name, an address, or the folder of a unix socket.
    pub host: Option<String>,
    /// `PGPORT`.
    pub port: Option<u16>,
    /// `PGUSER`.
    pub user: Option<String>,
    /// `PGPASSWORD`.
    pub password: Option<SecretString>,
    /// `PGDATABASE`.
    pub database: Option<String>,
    /// `BATON_DATABASE__APP_URL`: the restricted role's own connection to a given server.
    pub app_url: Option<SecretString>,
    /// `BATON_DATABASE__APP_PASSWORD`: the restricted role's password on a given server. Without it one is generated
    /// and kept in the data folder.
    pub app_password: Option<SecretString>,
    /// Sizes and time-outs of the pools.
    pub pool: PoolSettings,
    /// What the private cluster promises when the power fails.
    pub durability: cluster::Durability,
}

/// Sizes and time-outs of the pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Connections of the restricted role, at most.
    pub app_connections_max: u32,
    /// Connections of the owner, at most. Migrations and the doctor need few.
    pub owner_connections_max: u32,
    /// How long a request waits for a free connection.
    pub acquire_timeout: Duration,
    /// Prepared statements kept by each connection. 0 for a pooler that cannot keep them, such as pgbouncer before 1.21.
    pub statement_cache: usize,
    /// How the connections name themselves in `pg_stat_activity`.
    pub application_name: String,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            app_connections_max: 24,
            owner_connections_max: 3,
            acquire_timeout: Duration::from_secs(10),
            statement_cache: 256,
            application_name: "baton".to_owned(),
        }
    }
}

/// The server that the settings name.
#[derive(Debug)]
pub enum Target {
    /// A server that somebody else runs.
    Given(Box<GivenServer>),
    /// The private cluster in the data folder.
    Private(cluster::Options),
}

/// How to reach a server that somebody else runs.
#[derive(Debug, Clone)]
pub struct GivenServer {
    /// The setting that named it, such as `DATABASE_URL`.
    pub named_by: &'static str,
    /// The owner's connection; none when only the restricted role's own URL is given.
    pub owner: Option<PgConnectOptions>,
    /// The restricted role's own connection, when it has a URL of its own.
    pub app: Option<PgConnectOptions>,
}

impl Settings {
    /// The private cluster below `data_dir`, with the defaults.
    pub fn private(data_dir: impl Into<PathBuf>) -> Self {
        Self::from_variables(data_dir, |_| None)
    }

    /// What the process's environment says.
    pub fn from_environment(data_dir: impl Into<PathBuf>) -> Self {
        Self::from_variables(data_dir, |name| std::env::var(name).ok())
    }

    /// What the given variables say. An empty variable is one that is not set.
    pub fn from_variables(data_dir: impl Into<PathBuf>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let secret = |name: &str| text(name).map(SecretString::from);
        Self {
            data_dir: data_dir.into(),
            url: secret("DATABASE_URL"),
            host: text("PGHOST"),
            port: text("PGPORT").and_then(|port| port.parse().ok()),
            user: text("PGUSER"),
            password: secret("PGPASSWORD"),
            database: text("PGDATABASE"),
            app_url: secret("BATON_DATABASE__APP_URL"),
            app_password: secret("BATON_DATABASE__APP_PASSWORD"),
            pool: PoolSettings::default(),
            durability: cluster::Durability::Full,
        }
    }

    /// Decides: a URL first, then the `PG…` values, else the private cluster.
    ///
    /// A user or a password alone names no server: they say who, not where.
    pub fn target(&self) -> Result<Target> {
        let app = self.app_url.as_ref().map(|url| parse("BATON_DATABASE__APP_URL", url)).transpose()?;
        let given =
            |named_by, owner| Target::Given(Box::new(GivenServer { named_by, owner, app: app.clone() }));
        if let Some(url) = &self.url {
            return Ok(given("DATABASE_URL", Some(parse("DATABASE_URL", url)?)));
        }
        let places = [
            ("PGHOST", self.host.is_some()),
            ("PGPORT", self.port.is_some()),
            ("PGDATABASE", self.database.is_some()),
        ];
        if let Some((named_by, _)) = places.into_iter().find(|(_, set)| *set) {
            return Ok(given(named_by, Some(self.parts())));
        }
        if app.is_some() {
            return Ok(given("BATON_DATABASE__APP_URL", None));
        }
        Ok(Target::Private(cluster::Options {
            durability: self.durability,
            ..cluster::Options::below(&self.data_dir)
        }))
    }

    fn parts(&self) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass();
        if let Some(host) = &self.host {
            options = if Path::new(host).is_absolute() { options.socket(host) } else { options.host(host) };
        }
        if let Some(port) = self.port {
            options = options.port(port);
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        if let Some(database) = &self.database {
            options = options.database(database);
        }
        options
    }
}

/// Never repeats the URL: a password may stand in it.
fn parse(name: &'static str, url: &SecretString) -> Result<PgConnectOptions> {
    let text = url.expose_secret();
    let schemes = ["postgres://", "postgresql://"];
    if !schemes.iter().any(|scheme| text.starts_with(scheme)) {
        return Err(Error::Url { name, source: "it must begin with postgres:// or postgresql://".into() });
    }
    PgConnectOptions::from_str(text).map_err(|source| Error::Url { name, source: source.into() })
}

/// A connection to a private cluster's socket. Each value that sqlx would take from the environment is set here, so
/// that a `PGHOST` meant for another program changes nothing.
pub(super) fn socket_options(folder: &Path, user: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(folder)
        .port(cluster::PORT)
        .username(user)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(variables: &[(&str, &str)]) -> Target {
        let settings = Settings::from_variables("data", |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        settings.target().expect("a target")
    }

    #[test]
    fn a_url_wins_over_parts_and_parts_over_the_private_cluster() {
        let url = ("DATABASE_URL", "postgres://owner:secret@db.example:6543/leads");
        let Target::Given(server) = target_of(&[url, ("PGHOST", "other")]) else { panic!("a given server") };
        let owner = server.owner.expect("an owner");
        assert_eq!(
            (server.named_by, owner.get_host(), owner.get_port()),
            ("DATABASE_URL", "db.example", 6543)
        );

        let Target::Given(server) =
            target_of(&[("PGHOST", "/run/pg"), ("PGDATABASE", "leads"), ("PGUSER", "me")])
        else {
            panic!("a given server")
        };
        let owner = server.owner.expect("an owner");
        assert_eq!(owner.get_socket().map(PathBuf::as_path), Some(Path::new("/run/pg")));
        assert_eq!((owner.get_username(), owner.get_database()), ("me", Some("leads")));

        for nowhere in [&[][..], &[("PGUSER", "me"), ("PGPASSWORD", "x")], &[("DATABASE_URL", "")]] {
            let Target::Private(options) = target_of(nowhere) else { panic!("the private cluster") };
            assert_eq!(options.folder, Path::new("data/postgres"));
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_refused_without_repeating_it() {
        for url in ["mysql://owner:hunter2@db/leads", "postgres://owner:hunter2@db:port/leads"] {
            let settings = Settings { url: Some(url.into()), ..Settings::private("data") };
            let error = settings.target().expect_err("refused");
            let text = format!("{error} {error:?}");
            assert!(text.contains("DATABASE_URL") && !text.contains("hunter2"), "{text}");
        }
    }
}
