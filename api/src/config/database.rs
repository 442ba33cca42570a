//! Section `database`: the shared Postgres.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use service::database::{PoolSettings, Settings};

use super::{Error, secret, within};

/// Keys whose values are secrets: the environment's are taken as they stand.
pub(super) const SECRETS: [&str; 3] = ["database.url", "database.app_url", "database.app_password"];

/// The shared Postgres.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The owner's connection.
    #[serde(default, deserialize_with = "secret")]
    url: Option<SecretString>,
    /// The restricted role's own connection.
    #[serde(default, deserialize_with = "secret")]
    app_url: Option<SecretString>,
    /// The restricted role's password.
    #[serde(default, deserialize_with = "secret")]
    app_password: Option<SecretString>,
    /// Connections of the restricted role.
    pub connections_max: u32,
    /// Connections of the owner.
    pub owner_connections_max: u32,
    /// How long a request waits for a connection, milliseconds.
    pub acquire_timeout_ms: u64,
    /// Prepared statements that a connection keeps.
    pub statement_cache: usize,
}

impl Database {
    pub(super) fn check(&self) -> Result<(), Error> {
        // An import merges over two connections while a third renews its lease; a server does more than that.
        within("database.connections_max", self.connections_max, 4, 10_000)?;
        within("database.owner_connections_max", self.owner_connections_max, 1, 100)?;
        within("database.acquire_timeout_ms", self.acquire_timeout_ms, 100, 600_000)?;
        within("database.statement_cache", self.statement_cache, 0, 100_000)?;
        match std::env::var("PGPORT") {
            Ok(port) if !port.is_empty() && port.parse::<u16>().is_err() => {
                Err(Error::value("PGPORT", "must be a port, a number from 1 to 65535"))
            }
            _ => Ok(()),
        }
    }

    /// The environment's word first, then the file's.
    pub(super) fn settings(&self, data_dir: &Path) -> Settings {
        let given = Settings::from_environment(data_dir);
        let own_url = std::env::var("BATON_DATABASE__URL").ok().filter(|url| !url.is_empty());
        // A server that the PG… variables name is closer at hand than the file's.
        let named = given.host.is_some() || given.port.is_some() || given.database.is_some();
        let of_file = if named { None } else { self.url.clone() };
        Settings {
            url: own_url.map(SecretString::from).or(given.url.clone()).or(of_file),
            app_url: given.app_url.clone().or_else(|| self.app_url.clone()),
            app_password: given.app_password.clone().or_else(|| self.app_password.clone()),
            pool: self.pool(),
            ..given
        }
    }

    /// Sizes and time-outs of the pools.
    pub fn pool(&self) -> PoolSettings {
        PoolSettings {
            app_connections_max: self.connections_max,
            owner_connections_max: self.owner_connections_max,
            acquire_timeout: Duration::from_millis(self.acquire_timeout_ms),
            statement_cache: self.statement_cache,
            ..PoolSettings::default()
        }
    }
}
