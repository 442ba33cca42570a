//! Section `tenants`: where the tenants' own databases are.

use std::num::NonZeroUsize;

use secrecy::SecretString;
use serde::Deserialize;
use tenants::ServerOptions;

use super::{Error, secret, within};

/// Where the tenants' own databases are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenants {
    /// The address of a tenant's database at a libSQL server; empty: files below the data folder.
    pub url: String,
    #[serde(default, deserialize_with = "secret")]
    token: Option<SecretString>,
    /// The administration of an sqld; empty: the operator makes the databases.
    pub admin_url: String,
    #[serde(default, deserialize_with = "secret")]
    admin_key: Option<SecretString>,
    /// Databases that a process keeps open.
    pub open_max: usize,
}

/// Taken from the environment as they stand.
pub(super) const SECRETS: [&str; 2] = ["tenants.token", "tenants.admin_key"];

impl Tenants {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("tenants.open_max", self.open_max, 1, 10_000)?;
        match self.server().and_then(|server| server.fault()) {
            Some(("url", must)) => Err(Error::value("tenants.url", must)),
            Some((_, must)) => Err(Error::value("tenants.admin_url", must)),
            None => Ok(()),
        }
    }

    pub(super) fn open_max(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.open_max).unwrap_or(NonZeroUsize::MIN)
    }

    /// The environment's secrets first, then the file's.
    pub(super) fn server(&self) -> Option<ServerOptions> {
        let own = |name| std::env::var(name).ok().filter(|text| !text.is_empty()).map(SecretString::from);
        (!self.url.is_empty()).then(|| ServerOptions {
            url: self.url.clone(),
            token: own("BATON_TENANTS__TOKEN").or_else(|| self.token.clone()),
            admin_url: (!self.admin_url.is_empty()).then(|| self.admin_url.clone()),
            admin_key: own("BATON_TENANTS__ADMIN_KEY").or_else(|| self.admin_key.clone()),
        })
    }
}
