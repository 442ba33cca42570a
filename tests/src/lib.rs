//! What end-to-end tests are built from: an app over a database of its own, tenants, a receiver.
//!
//! Real parts throughout: Postgres, libSQL, HTTP. The clock stands still until a test moves it.
//!
//! * [`TestApp`] – an app of its own, with tenants and sources.
//! * [`web`] – all routes over it, in process, and requests to them.
//! * [`billing`] – a partner with a rate plan and the sample of billed actions.
//! * [`data`] – files on their way in, leads on their way out, a tenant that has some of everything.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{SourceId, TenantId};
use entity::lead_source;
use service::App;
use service::access::{self, NewTenant};
use service::app::{Settings, make_schema};
use service::database::testing::{Cluster, FreshDatabase};
use service::intake::sources::{self, NewSource};
use service::runtime::{Clock, Ids};
use service::secrets::Secrets;
use tempfile::TempDir;

pub mod billing;
pub mod data;
pub mod web;

/// An app whose database, folder and clock nobody else has.
pub struct TestApp {
    /// The app.
    pub app: Arc<App>,
    /// Its data folder, removed at the end.
    pub folder: TempDir,
    /// Its database, dropped at the end.
    pub database: FreshDatabase,
}

/// A fixed moment of the fixtures' day: 2026-11-20 12:00 UTC.
pub fn fixture_noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_176_000, 0).expect("a valid time")
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

impl TestApp {
    /// A new app over an empty, migrated database.
    pub async fn new() -> Self {
        Self::at(Clock::manual(fixture_noon())).await
    }

    /// A new app with that clock.
    pub async fn at(clock: Clock) -> Self {
        let cluster = Cluster::shared().await;
        let database = cluster.fresh(make_schema).await;
        let folder = TempDir::new().expect("a temporary folder");
        let app = open(&database, &folder, clock);
        Self { app, folder, database }
    }

    /// A tenant of that slug.
    pub async fn tenant(&self, slug: &str) -> TenantId {
        let new = NewTenant { slug: slug.to_owned(), name: None, time_zone: None };
        TenantId(access::create_tenant(&self.app, new).await.expect("a tenant").id)
    }

    /// A source of that kind, whose slug is the kind.
    pub async fn source(&self, tenant: TenantId, kind: &str) -> lead_source::Model {
        let new = NewSource { slug: kind.to_owned(), name: None, kind: kind.to_owned(), mapping: None };
        sources::create(&self.app, tenant, new).await.expect("a source")
    }

    /// The process dies and another one starts: nothing but what is stored is left.
    pub fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// The same with other settings.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Settings)) {
        self.app = open_with(&self.database, &self.folder, self.app.clock.clone(), change);
    }

    /// All routes over the app.
    pub fn web(&self) -> web::Web {
        web::Web::over(Arc::clone(&self.app))
    }

    /// The files that wait for their import, or were left behind.
    pub fn uploads(&self) -> Vec<PathBuf> {
        let inside = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
        };
        inside(self.folder.path().join("uploads")).into_iter().flat_map(inside).collect()
    }
}

/// The id of a source's row.
pub fn source_id(source: &lead_source::Model) -> SourceId {
    SourceId(source.id)
}

fn open(database: &FreshDatabase, folder: &TempDir, clock: Clock) -> Arc<App> {
    open_with(database, folder, clock, |_| {})
}

fn open_with(
    database: &FreshDatabase,
    folder: &TempDir,
    clock: Clock,
    change: impl FnOnce(&mut Settings),
) -> Arc<App> {
    let mut settings = Settings::below(folder.path());
    settings.allow_private_addresses = true;
    change(&mut settings);
    let secrets = Secrets::load(&settings.secrets, folder.path()).expect("a key");
    let app = App::with(database.database.clone(), settings, secrets, clock, Ids::seeded(7));
    Arc::new(app.expect("an app"))
}
