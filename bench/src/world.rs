//! A private cluster and an app over it, in a temporary folder, with full durability.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::TenantId;
use entity::{destination, lead_source};
use secrecy::SecretString;
use service::App;
use service::access::{self, NewTenant};
use service::database::cluster::{DATABASE, OWNER, PORT};
use service::delivery::manage::{self, NewDestination};
use service::intake::sources::{self, NewSource};
use service::runtime::{Clock, Ids};
use service::{app, database};
use sqlx::PgPool;
use tempfile::TempDir;

use crate::{Outcome, process};

/// An app whose cluster nobody else uses.
pub struct World {
    /// The app.
    pub app: Arc<App>,
    folder: TempDir,
}

/// An app over the cluster of that folder.
pub async fn open(data_dir: &Path) -> Outcome<Arc<App>> {
    let mut settings = app::Settings::below(data_dir);
    settings.allow_private_addresses = true;
    let database = database::Settings::private(data_dir);
    Ok(Arc::new(App::open(&database, settings, Clock::system(), Ids::random()).await?))
}

impl World {
    /// A new cluster, migrated and empty.
    pub async fn new() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
        // Started as root, Postgres runs as another user, who must be able to enter.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        let app = open(folder.path()).await?;
        Ok(Self { app, folder })
    }

    /// Stops the cluster and removes the folder.
    pub async fn close(self) -> Outcome<()> {
        self.app.database.clone().close().await?;
        Ok(())
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The owner's pool.
    pub fn owner(&self) -> Outcome<&PgPool> {
        Ok(self.app.database.owner.as_ref().ok_or("no owner")?)
    }

    /// A Postgres client program, connected as that role.
    pub fn client(&self, program: &str, role: &str) -> Outcome<Command> {
        let cluster = self.app.database.cluster().ok_or("no private cluster")?;
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PGHOST", cluster.socket()).env("PGPORT", PORT.to_string());
        command.env("PGUSER", role).env("PGDATABASE", DATABASE);
        Ok(command)
    }

    /// Runs one command of psql as the owner and times it.
    pub fn psql(&self, text: &str) -> Outcome<Duration> {
        let mut command = self.client("psql", OWNER)?;
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text]);
        let started = Instant::now();
        process::run(command)?;
        Ok(started.elapsed())
    }

    /// A tenant of that slug.
    pub async fn tenant(&self, slug: &str) -> Outcome<TenantId> {
        let new = NewTenant { slug: slug.to_owned(), name: None, time_zone: None };
        Ok(TenantId(access::create_tenant(&self.app, new).await?.id))
    }

    /// A source of that kind.
    pub async fn source(&self, tenant: TenantId, slug: &str, kind: &str) -> Outcome<lead_source::Model> {
        let new = NewSource { slug: slug.to_owned(), name: None, kind: kind.to_owned(), mapping: None };
        Ok(sources::create(&self.app, tenant, new).await?)
    }

    /// A destination of kind `bonzo` at that address.
    pub async fn destination(
        &self,
        tenant: TenantId,
        slug: &str,
        url: String,
    ) -> Outcome<destination::Model> {
        let new = NewDestination {
            slug: slug.to_owned(),
            name: None,
            kind: "bonzo".to_owned(),
            url: SecretString::from(url),
            first_name_fallback: Some("Friend".to_owned()),
            settings: None,
            credentials: std::collections::BTreeMap::new(),
        };
        Ok(manage::create(&self.app, tenant, new).await?.0)
    }
}
