//! Kill -9 at any moment: every record is accounted for once, and every accepted lead arrives.
//!
//! The workers are processes of their own on a private Postgres of their own, which stops with its last user. The receiver
//! stays and counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use domain::ids::{DeliveryId, ImportId, LeadId, TenantId};
use serde_json::Value;
use service::access::{self, NewTenant};
use service::database::testing::made_data_dir;
use service::intake::imports::{self, ReceivedFile};
use service::intake::sources::{self, NewSource};
use service::runtime::{Clock, Ids};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tests::data::{counts, destination};
use tests::fixture_noon;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::program::Program;
use crate::workers::{MINUTES_BETWEEN_STARTS, Worker, open};

/// For whatever is waited for.
const PATIENCE: Duration = Duration::from_mins(4);
/// Records of one batch of an import.
const BATCH: u32 = 4_096;

/// What arrived: by lead, how often under which `webhook-id`.
type Arrived = HashMap<String, BTreeMap<String, u32>>;

/// The CRM. It takes everything.
struct Receiver {
    url: String,
    arrived: Arc<Mutex<Arrived>>,
    unique: watch::Receiver<usize>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let arrived = Arc::new(Mutex::new(Arrived::new()));
        let (told, unique) = watch::channel(0);
        let routes = Router::new().route("/hook", post(arrive)).with_state((Arc::clone(&arrived), told));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Self { url, arrived, unique }
    }

    /// Waits until that many leads have arrived.
    async fn has(&mut self, leads: usize) {
        let waiting = self.unique.wait_for(|unique| *unique >= leads);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{leads} leads never came")).expect("the receiver lives");
    }

    fn arrived(&self) -> Arrived {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn arrive(
    State((arrived, told)): State<(Arc<Mutex<Arrived>>, watch::Sender<usize>)>,
    headers: HeaderMap,
    Json(lead): Json<Value>,
) {
    let id = headers["webhook-id"].to_str().expect("an id").to_owned();
    let lead = lead["lead_id"].as_str().expect("a lead").to_owned();
    let unique = {
        let mut arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived.entry(lead).or_default().entry(id).or_default() += 1;
        arrived.len()
    };
    told.send_replace(unique);
}

/// How a file's records come out.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    records: i64,
    accepted: i64,
    duplicates: i64,
    rejected: i64,
}

/// A file of that many records: some repeat a record of another batch, some have no way to reach anybody.
fn file(records: u32) -> (String, Expected) {
    let mut text = "Lead ID,First Name,Last Name,Pri. Phone,Email,City,State\n".to_owned();
    let mut expected = Expected { records: i64::from(records), accepted: 0, duplicates: 0, rejected: 0 };
    for number in 0..records {
        // Whose lead it is: its own, or that of a record of the same or the batch before.
        let of = match number {
            _ if number % 10 != 7 => number,
            0..4_995 => number - 5,
            _ => number - 4_995,
        };
        let phone = 3_032_000_000_u64 + u64::from(of);
        if number % 25 == 13 {
            writeln!(text, "LS-{number},Bob,Nobody,12,,Denver,CO").expect("a string takes it");
            expected.rejected += 1;
        } else {
            writeln!(text, "LS-{of},Ada,Number{of},{phone},lead{of}@example.com,Denver,CO")
                .expect("a string takes it");
            *if of == number { &mut expected.accepted } else { &mut expected.duplicates } += 1;
        }
    }
    (text, expected)
}

/// A folder with a tenant, a source, a destination and a file that waits for its import.
struct Scene {
    folder: TempDir,
    tenant: TenantId,
    import: ImportId,
    expected: Expected,
    receiver: Receiver,
}

impl Scene {
    async fn new(records: u32) -> Self {
        let folder = made_data_dir().await;
        let receiver = Receiver::start().await;
        let app = open(folder.path(), Clock::manual(fixture_noon())).await;
        let new = NewTenant { slug: "acme".to_owned(), name: None, time_zone: None };
        let tenant = TenantId(access::create_tenant(&app, new).await.expect("a tenant").id);
        let new =
            NewSource { slug: "ls".to_owned(), name: None, kind: "leadsource".to_owned(), mapping: None };
        let source = sources::create(&app, tenant, new).await.expect("a source");
        destination(&app, tenant, "bonzo", receiver.url.clone(), None).await;
        let (text, expected) = file(records);
        fs::create_dir(folder.path().join("uploads")).expect("a folder");
        fs::write(folder.path().join("uploads/leads"), &text).expect("written");
        let leads = ReceivedFile {
            name: "leads.csv".to_owned(),
            bytes: text.len() as u64,
            hash: Sha256::digest(&text).into(),
            stored_as: Some("uploads/leads".to_owned()),
        };
        let import = imports::receive(&app, tenant, &source, leads, None).await.expect("received").import;
        app.database.clone().close().await.expect("it closes");
        Self { folder, tenant, import, expected, receiver }
    }

    /// Opens what is left behind and counts everything. Answers how many requests came twice.
    async fn settle(&self) -> usize {
        let app = open(self.folder.path(), Clock::manual(fixture_noon())).await;
        let owner = app.database.owner.clone().expect("the owner's pool");
        let counts = counts(&app, self.tenant, self.import).await;
        let found = Expected {
            records: counts.records,
            accepted: counts.accepted,
            duplicates: counts.duplicates,
            rejected: counts.rejected,
        };
        assert_eq!(found, self.expected, "each record counts once");
        assert_eq!((counts.warned, counts.updated, counts.skipped), (0, 0, 0));
        let batches: Vec<i32> = column(&owner, "SELECT batch FROM import_batch ORDER BY 1").await;
        let records = u32::try_from(self.expected.records).expect("small");
        assert_eq!(batches, (0..records.div_ceil(BATCH).cast_signed()).collect::<Vec<_>>());

        let refused: Vec<i32> = column(&owner, "SELECT record FROM failed_record ORDER BY 1").await;
        let wanted: Vec<i32> =
            (0..records.cast_signed()).filter(|number| number % 25 == 13).map(|number| number + 1).collect();
        assert_eq!(refused, wanted, "each refused record is listed once");
        let external: Vec<String> = column(&owner, "SELECT external_id FROM lead").await;
        let unique: BTreeSet<&String> = external.iter().collect();
        assert_eq!(
            (external.len(), unique.len()),
            (self.accepted(), self.accepted()),
            "each lead is there once"
        );

        let states: Vec<String> = column(&owner, "SELECT DISTINCT state FROM delivery").await;
        assert_eq!(states, ["delivered"]);
        let unproven = "SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT FROM delivery_attempt a
             WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.id AND a.outcome = 'delivered')";
        assert_eq!(column::<i64>(&owner, unproven).await, [0], "a delivery without the attempt that made it");
        let arrived = self.receiver.arrived();
        let wanted: Vec<(uuid::Uuid, uuid::Uuid)> =
            sqlx::query_as("SELECT lead_id, id FROM delivery").fetch_all(&owner).await.expect("deliveries");
        assert_eq!(
            (wanted.len(), arrived.len()),
            (self.accepted(), self.accepted()),
            "every lead, and no other"
        );
        let mut twice = 0;
        for (lead, delivery) in wanted {
            let lead = LeadId(lead).to_string();
            let copies = arrived.get(&lead).unwrap_or_else(|| panic!("{lead} never arrived"));
            let ids: Vec<&String> = copies.keys().collect();
            assert_eq!(ids, [&DeliveryId(delivery).to_string()], "{lead}: a second copy has the same id");
            twice += copies.values().filter(|count| **count > 1).count();
        }
        app.database.clone().close().await.expect("it closes");
        twice
    }

    fn accepted(&self) -> usize {
        usize::try_from(self.expected.accepted).expect("small")
    }
}

async fn column<T>(owner: &PgPool, sql: &'static str) -> Vec<T>
where
    T: for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.expect("rows")
}

/// When the program is killed, some time after it.
enum Moment {
    /// It has started: the file is being looked through.
    Started,
    /// It has merged a batch of the import, and is at the next ones.
    Merging,
    /// That many leads have arrived.
    Arrived(usize),
}

/// Ten kills of the program at random moments, from before the first record is read to shortly before the last one is
/// delivered; its Postgres goes with it each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_lose_and_double_nothing() {
    let mut scene = Scene::new(50_000).await;
    // The same in every run, as far as processes are.
    let random = Ids::seeded(20_261_120);
    let below = |limit: u64| random.jitter() % limit;
    let mut later: Vec<u64> = (0..4).map(|_| 10_000 + below(31_000)).collect();
    later.sort_unstable();
    let later = later.into_iter().map(|leads| Moment::Arrived(usize::try_from(leads).expect("small")));
    let merging = std::iter::repeat_with(|| Moment::Merging).take(5);
    let all = i64::from(u32::try_from(scene.expected.records).expect("small").div_ceil(BATCH));
    let mut half_imported = 0;
    for (start, moment) in [Moment::Started].into_iter().chain(merging).chain(later).enumerate() {
        let mut program = Program::start(scene.folder.path()).await;
        match moment {
            Moment::Started => {}
            Moment::Merging => {
                let first = program.far().await.batches;
                program.is(|far| far.batches > first).await;
            }
            Moment::Arrived(leads) => scene.receiver.has(leads).await,
        }
        let after = Duration::from_millis(below(600));
        let far = program.kill(after).await;
        let arrived = *scene.receiver.unique.borrow();
        println!("kill {start} after {after:?}: {far:?}, {arrived} leads had arrived");
        half_imported += usize::from((1..all).contains(&far.batches));
    }
    assert!(half_imported >= 4, "{half_imported} kills met an import that was half done");
    let mut last = Program::start(scene.folder.path()).await;
    last.is(|far| far.imports == 0 && far.pending == 0).await;
    last.end().await;
    let twice = scene.settle().await;
    println!("{twice} leads came twice, each under one id");
}

/// Two workers share the work and the private Postgres; one is killed, and the other one does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_workers_one_is_killed() {
    let mut scene = Scene::new(8_000).await;
    // The first one has the import, and has started the server.
    let first = Worker::start(scene.folder.path(), 0).await;
    let mut second = Worker::start(scene.folder.path(), 0).await;
    scene.receiver.has(1).await;
    let batches = first.kill(Duration::from_millis(50)).await;
    println!("{batches} batches were done");
    second.advance(MINUTES_BETWEEN_STARTS).await;
    second.says("idle").await;
    second.end().await;
    scene.settle().await;
}
