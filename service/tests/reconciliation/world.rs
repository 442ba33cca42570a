//! A tenant whose leads have been handed over, and their list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use domain::ids::{DestinationId, TenantId};
use entity::lead_source;
use migration::{Migrator, MigratorTrait};
use sea_orm::DatabaseConnection;
use serde_json::Value;
use service::access::{self, NewTenant};
use service::app::Settings;
use service::database::Mode;
use service::database::testing::{Cluster, FreshDatabase};
use service::delivery::manage::{self, NewDestination};
use service::delivery::testing::FakeCrm;
use service::intake::imports::{self, ReceivedFile};
use service::intake::run::{self as import, Ended};
use service::intake::sources::{self, NewSource};
use service::intake::submit::{self, Submission};
use service::reconciliation::{List, Report, Request, run};
use service::runtime::{Clock, Ids};
use service::secrets::Secrets;
use service::{App, Error};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub struct World {
    pub app: Arc<App>,
    pub folder: TempDir,
    pub tenant: TenantId,
    pub source: lead_source::Model,
    pub destination: DestinationId,
    pub crm: FakeCrm,
    _database: FreshDatabase,
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

async fn schema(owner: &sqlx::PgPool) -> Result<(), sea_orm::DbErr> {
    Migrator::up(&DatabaseConnection::from(owner.clone()), None).await
}

impl World {
    /// On 10 November 2026, 15:00 UTC: before their list's records were made.
    pub async fn new() -> Self {
        let database = Cluster::shared().await.fresh(schema).await;
        let folder = TempDir::new().expect("a folder");
        let mut settings = Settings::below(folder.path());
        settings.allow_private_addresses = true;
        settings.list_pause = std::time::Duration::ZERO;
        let secrets = Secrets::load_or_create(folder.path()).expect("a key");
        let clock = Clock::manual(DateTime::from_timestamp(1_794_322_800, 0).expect("a time"));
        let app = App::with(database.database.clone(), settings, secrets, clock, Ids::seeded(7));
        let app = Arc::new(app.expect("an app"));
        let new = NewTenant { slug: "acme".to_owned(), name: None, time_zone: None };
        let tenant = TenantId(access::create_tenant(&app, new).await.expect("a tenant").id);
        let kind = "leadsource".to_owned();
        let new = NewSource { slug: kind.clone(), name: None, kind, mapping: None };
        let source = sources::create(&app, tenant, new).await.expect("a source");
        let crm = FakeCrm::start([]).await;
        let new = NewDestination {
            slug: "crm".to_owned(),
            name: None,
            kind: "bonzo".to_owned(),
            url: crm.url().into(),
            first_name_fallback: Some("Friend".to_owned()),
            settings: None,
            credentials: BTreeMap::new(),
        };
        let destination = DestinationId(manage::create(&app, tenant, new).await.expect("one").0.id);
        Self { app, folder, tenant, source, destination, crm, _database: database }
    }

    /// Imports a file of the source.
    pub async fn import(&self, path: &Path) {
        let content = std::fs::read(path).expect("the file is there");
        let received = ReceivedFile {
            name: "leads".to_owned(),
            bytes: content.len() as u64,
            hash: Sha256::digest(&content).into(),
            stored_as: None,
        };
        let id =
            imports::receive(&self.app, self.tenant, &self.source, received, None).await.expect("received");
        let leased = imports::lease(&self.app, self.tenant, id.import, Some(path.to_owned())).await;
        let leased = leased.expect("no error").expect("nobody else has it");
        let ended = import::run(&self.app, &leased).await.expect("an end");
        assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
    }

    /// One lead of that number: LS-n, 970-555-nnnn, nn@example.com.
    pub async fn lead(&self, number: u32) {
        let record = serde_json::json!({
            "Lead ID": format!("LS-{number}"), "First Name": "Ada", "Last Name": format!("Cole{number}"),
            "Pri. Phone": format!("970556{number:04}"), "Email": format!("ada{number}@example.com"), "State": "CO"
        });
        let record = record.to_string();
        let submission =
            Submission { source: &self.source, record: &record, channel: "api", idempotency_key: None };
        submit::submit(&self.app, self.tenant, submission).await.expect("an answer");
    }

    /// Hands over what is due.
    pub async fn deliver(&self) -> u64 {
        self.app.delivery_worker().expect("a worker").run_due_work().await.expect("done").delivered
    }

    /// A list of that text.
    pub fn list(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    pub fn request(&self, list: List) -> Request {
        Request::whole(self.destination, list, "operator")
    }

    pub fn file(path: &Path) -> List {
        List::File { path: path.to_owned(), name: "crm.csv".to_owned() }
    }

    /// An hour later, so that everything handed over is older than the list.
    pub async fn reconcile(&self, path: &Path) -> Result<Report, Error> {
        self.app.clock.advance(TimeDelta::hours(1));
        run::run(&self.app, self.tenant, self.request(Self::file(path))).await
    }

    /// Rows of a statement that has one column of JSON.
    pub async fn rows(&self, sql: &'static str) -> Vec<Value> {
        let mut tx = self.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        sqlx::query_scalar(sql).fetch_all(tx.connection()).await.expect("rows")
    }
}
