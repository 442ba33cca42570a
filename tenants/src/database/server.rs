//! Databases of a libSQL server, one a tenant: found by the server's name for it, which holds the tenant's id.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use libsql::params::Params;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Connection, Row, Transaction, hrana, select};
use crate::error::Fault;
use crate::{Error, ServerError, migrations};

/// From connecting to the last byte of an answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Each tenant is a host of its own: few connections to it wait for the next request, and not for long.
const IDLE_CONNECTIONS_MAX: usize = 2;
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// What stands for the tenant in an address.
const PLACEHOLDER: &str = "{tenant}";

/// A libSQL server (sqld, Turso) that keeps the tenants' databases.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where a tenant's database is, with `{tenant}` for the tenant's id (36 characters, small letters, digits and
    /// hyphens), as in `libsql://{tenant}-acme.turso.io` or `http://{tenant}.localhost:8080`.
    pub url: String,
    /// Proves Baton to the databases.
    pub token: Option<SecretString>,
    /// The administration of an sqld, as in `http://127.0.0.1:9090`, by which Baton makes and removes databases. Without
    /// one the operator does: an empty database of that name must be there before a tenant is made.
    pub admin_url: Option<String>,
    /// Proves Baton to the administration.
    pub admin_key: Option<SecretString>,
}

/// The databases of that server.
pub(crate) struct Server {
    options: ServerOptions,
    client: Client,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// The fault of an address, when there is one: the option's name and what it must be.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        const BARE: &str = "must hold no user, password, query or fragment: people see it; what proves Baton is a setting of its own";
        let nobody = TenantId(uuid::Uuid::nil());
        if !self.url.contains(PLACEHOLDER) {
            return Some(("url", "must contain {tenant}: each tenant has a database of its own"));
        }
        match address(&self.url, nobody) {
            None => return Some(("url", "must be an address such as libsql://{tenant}-acme.turso.io")),
            Some(url) if !is_bare(&url) => return Some(("url", BARE)),
            Some(_) => {}
        }
        match self.admin_url.as_deref().map(|url| address(url, nobody)) {
            Some(None) => Some(("admin_url", "must be an address such as http://127.0.0.1:9090")),
            Some(Some(url)) if !is_bare(&url) => Some(("admin_url", BARE)),
            Some(Some(_)) | None => None,
        }
    }

    /// Asks the server once, for a database that no tenant has: fails unless it answers. Nothing is made there.
    pub async fn probe(&self) -> Result<(), Error> {
        Server::new(self.clone())?.exists(TenantId(uuid::Uuid::nil())).await.map(drop)
    }
}

/// The address with that tenant in it; `libsql` is what others call https.
fn address(template: &str, tenant: TenantId) -> Option<Url> {
    let text = template.replace(PLACEHOLDER, &tenant.uuid().to_string());
    let text = text.strip_prefix("libsql://").map_or(text.clone(), |rest| format!("https://{rest}"));
    let url: Url = text.parse().ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Whether it names a place and nothing else: an address is shown and logged.
fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

impl Server {
    pub(crate) fn new(options: ServerOptions) -> Result<Self, Error> {
        if let Some((field, must)) = options.fault() {
            return Err(Error::InvalidField { field, must });
        }
        let client = Client::builder()
            .timeout(DEADLINE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Names))
            .build()
            .map_err(|source| Error::Client { source })?;
        Ok(Self { options, client })
    }

    fn database(&self, tenant: TenantId) -> hrana::Database {
        let base = address(&self.options.url, tenant).expect("checked when the store was made");
        hrana::Database { client: self.client.clone(), base, token: self.options.token.clone() }
    }

    pub(crate) async fn exists(&self, tenant: TenantId) -> Result<bool, Error> {
        match self.database(tenant).query("PRAGMA user_version", Params::None).await {
            Ok(rows) => {
                Ok(matches!(rows.rows.first().and_then(|row| row.first()), Some(libsql::Value::Integer(1..))))
            }
            Err(missing) if missing.is_missing() => Ok(false),
            Err(other) => Err(Fault::from(other).within(tenant, "look for the database")),
        }
    }

    /// Of two that create at once, one fails: whoever finds tables there has come second.
    pub(crate) async fn create(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<Connection, Error> {
        let attempt = "make the database";
        let made = match &self.options.admin_url {
            // One that is there already is looked at below.
            Some(admin) => {
                let create = |client: &Client, url| client.post(url).json(&json!({}));
                Some(self.administer(admin, tenant, "/create", create).await?)
            }
            None => None,
        };
        let connection = Connection::server(self.database(tenant));
        match migrations::create(&connection, tenant, now).await {
            Ok(()) => Ok(connection),
            Err(Fault::Server(ServerError::Missing)) => Err(match made {
                None => Error::DatabaseNotPrepared { tenant },
                Some(status) => {
                    Error::Server { tenant, attempt, source: ServerError::Status(status.as_u16()) }
                }
            }),
            Err(fault) => Err(fault.within(tenant, attempt)),
        }
    }

    /// An empty database is nobody's: it is not migrated, or an erased tenant would come back to life.
    pub(crate) async fn open(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<Connection, Error> {
        if !self.exists(tenant).await? {
            return Err(Error::DatabaseMissing { tenant });
        }
        let connection = Connection::server(self.database(tenant));
        let migrated = migrations::migrate(&connection, tenant, now).await;
        migrated.map(|()| connection).map_err(|fault| fault.within(tenant, "open"))
    }

    /// Says whether there was one. Without an administration the database stays at the server, with nothing in it.
    pub(crate) async fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        let existed = self.exists(tenant).await?;
        if let Some(admin) = &self.options.admin_url {
            let status = self.administer(admin, tenant, "", Client::delete).await?;
            return Ok(existed || status.is_success());
        }
        if existed {
            let emptied = Connection::server(self.database(tenant)).write(empty).await;
            emptied.map_err(|fault| fault.within(tenant, "empty the database"))?;
        }
        Ok(existed)
    }

    /// A request to the server's administration. That something is there already, or is not, is no failure.
    async fn administer(
        &self,
        admin: &str,
        tenant: TenantId,
        act: &str,
        request: impl FnOnce(&Client, Url) -> reqwest::RequestBuilder,
    ) -> Result<StatusCode, Error> {
        let attempt = "administer the database";
        let mut url = address(admin, tenant).expect("checked when the store was made");
        let path = format!("{}/v1/namespaces/{}{act}", url.path().trim_end_matches('/'), tenant.uuid());
        url.set_path(&path);
        let mut request = request(&self.client, url);
        if let Some(key) = &self.options.admin_key {
            request = request.header("authorization", format!("basic {}", key.expose_secret()));
        }
        let sent = request.send().await.map_err(|error| ServerError::Unreachable(error.without_url()));
        let status = sent.map_err(|error| Fault::from(error).within(tenant, attempt))?.status();
        let refused = match status.as_u16() {
            200..=299 | 400 | 404 | 409 => return Ok(status),
            401 | 403 => ServerError::Refused,
            other => ServerError::Status(other),
        };
        Err(Fault::from(refused).within(tenant, attempt))
    }
}

/// Drops every table, those that others refer to last.
async fn empty(transaction: &Transaction) -> Result<(), Fault> {
    let name = |row: &Row| Ok(row.get::<String>(0)?);
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND name NOT LIKE 'libsql\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'";
    let mut left = select(transaction, sql, (), name).await?;
    let sql = "SELECT m.name, f.\"table\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let pair = |row: &Row| Ok((row.get::<String>(0)?, row.get::<String>(1)?));
    let references = select(transaction, sql, (), pair).await?;
    while !left.is_empty() {
        let free = |table: &String| {
            !references.iter().any(|(from, to)| to == table && from != table && left.contains(from))
        };
        // A circle does not exist; were there one, the first of it is tried and the server says what it thinks.
        let next = left.iter().position(free).unwrap_or(0);
        let table = left.remove(next);
        transaction.batch(&format!("DROP TABLE \"{table}\"")).await?;
    }
    transaction.batch("PRAGMA user_version = 0").await
}

/// The system's names, and `*.localhost`, which is this machine (RFC 6761, section 6.3) whatever the system thinks.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            if name.as_str().ends_with(".localhost") {
                let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                return Ok(Box::new(std::iter::once(here)) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_tenant_and_a_bad_one_is_refused() {
        let tenant = TenantId(uuid::Uuid::from_u128(7));
        let at = |url: &str| address(url, tenant).map(|url| url.to_string());
        let name = "00000000-0000-0000-0000-000000000007";
        assert_eq!(at("libsql://{tenant}-acme.turso.io"), Some(format!("https://{name}-acme.turso.io/")));
        assert_eq!(at("http://{tenant}.localhost:8080"), Some(format!("http://{name}.localhost:8080/")));
        let fault = |url: &str, admin: Option<&str>| {
            let options = ServerOptions {
                url: url.to_owned(),
                token: None,
                admin_url: admin.map(str::to_owned),
                admin_key: None,
            };
            options.fault().map(|(field, _)| field)
        };
        assert_eq!(fault("http://localhost:8080", None), Some("url"));
        assert_eq!(fault("file:///{tenant}", None), Some("url"));
        assert_eq!(fault("{tenant}", None), Some("url"));
        assert_eq!(fault("http://{tenant}.localhost", Some("9090")), Some("admin_url"));
        assert_eq!(fault("http://{tenant}.localhost", Some("http://127.0.0.1:9090")), None);
        for secret in ["http://ada:word@{tenant}.localhost", "http://{tenant}.localhost?authToken=word"] {
            assert_eq!(fault(secret, None), Some("url"), "{secret}");
            assert_eq!(fault("http://{tenant}.localhost", Some(secret)), Some("admin_url"), "{secret}");
        }
    }
}
