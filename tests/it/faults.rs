//! Kill -9 at any moment: every record is accounted for once, and every accepted lead arrives.
//!
//! The workers are processes of their own – this program, started again – on a private Postgres of their own, which is
//! killed or stopped with its last user. The receiver stays and counts. A worker that is started after a kill has a
//! clock that is ahead, so that the dead one's leases have ended and nobody waits for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use chrono::TimeDelta;
use domain::ids::{DeliveryId, ImportId, LeadId, TenantId};
use serde_json::Value;
use service::App;
use service::access::{self, NewTenant};
use service::database;
use service::intake::imports::{self, ReceivedFile};
use service::intake::sources::{self, NewSource};
use service::intake::worker;
use service::runtime::{Clock, Ids};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tests::data::{counts, destination};
use tests::fixture_noon;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const FOLDER: &str = "BATON_FAULTS_FOLDER";
const CLOCK: &str = "BATON_FAULTS_CLOCK_MINUTES";
/// Longer than any lease.
const MINUTES_BETWEEN_STARTS: i64 = 10;
/// For whatever a worker is waited for.
const PATIENCE: Duration = Duration::from_mins(4);
/// Records of one batch of an import.
const BATCH: u32 = 4_096;

/// Opens the app of that folder as `baton worker` does, but for a clock that starts where it is told.
async fn open(folder: &Path, clock: Clock) -> Arc<App> {
    let mut settings = service::app::Settings::below(folder);
    settings.allow_private_addresses = true;
    let database = database::Settings::private(folder);
    Arc::new(App::open(&database, settings, clock, Ids::random()).await.expect("the app opens"))
}

/// A clock that goes on from `start`, and that can be put forward.
fn ticking(start: chrono::DateTime<chrono::Utc>) -> Clock {
    let clock = Clock::manual(start);
    let ticking = clock.clone();
    std::thread::spawn(move || {
        let mut last = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(2));
            let now = Instant::now();
            ticking.advance(TimeDelta::from_std(now - last).expect("a short time"));
            last = now;
        }
    });
    clock
}

/// The process that is killed: both workers, until its input ends. It says `open`, `batches N`, `idle`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests run it as a process of its own"]
async fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let minutes = env::var(CLOCK).expect("a clock").parse().expect("a number");
    let clock = ticking(fixture_noon() + TimeDelta::minutes(minutes));
    let app = open(&folder, clock.clone()).await;
    println!("\nopen");
    let stop = CancellationToken::new();
    let delivery = app.delivery_worker().expect("a worker");
    let delivering = tokio::spawn({
        let stop = stop.clone();
        async move { delivery.run(stop).await }
    });
    let importing = tokio::spawn(worker::work(Arc::clone(&app), stop.clone()));
    let telling = tokio::spawn(tell(app.database.owner.clone().expect("the owner's pool")));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("its input") {
        clock.advance(TimeDelta::minutes(line.parse().expect("minutes")));
    }
    stop.cancel();
    telling.abort();
    importing.await.expect("no panic");
    delivering.await.expect("no panic");
    app.database.clone().close().await.expect("it closes");
}

/// Says how far the work is, whoever does it.
async fn tell(owner: PgPool) {
    const FAR: &str =
        "SELECT (SELECT count(*) FROM import_batch), (SELECT count(*) FROM import WHERE state <> 'done'),
             (SELECT count(*) FROM delivery WHERE state = 'pending')";
    let mut told = 0;
    loop {
        let (batches, unfinished, pending): (i64, i64, i64) =
            sqlx::query_as(FAR).fetch_one(&owner).await.expect("it answers");
        if batches > told {
            told = batches;
            println!("batches {batches}");
        }
        if unfinished == 0 && pending == 0 {
            println!("idle");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A worker in another process.
struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts it, and returns when it has the app open. `start` counts the starts of a test.
    async fn start(folder: &Path, start: i64) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "faults::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(CLOCK, (start * MINUTES_BETWEEN_STARTS).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this program runs");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let input = child.stdin.take();
        let mut worker = Self { child, input, output };
        worker.says("open").await;
        worker
    }

    /// Waits until it says so.
    async fn says(&mut self, word: &str) {
        let waiting = async {
            while let Some(line) = self.output.next_line().await.expect("its output") {
                if line == word {
                    return;
                }
            }
            panic!("the worker ended before it said `{word}`");
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it never said `{word}`"));
    }

    /// Puts its clock forward.
    async fn advance(&mut self, minutes: i64) {
        let input = self.input.as_mut().expect("its input");
        input.write_all(format!("{minutes}\n").as_bytes()).await.expect("it listens");
    }

    /// Kills it, after that long. Answers how many batches of the import it had seen done.
    async fn kill(mut self, after: Duration) -> u32 {
        let early = tokio::time::timeout(after, self.child.wait()).await;
        assert!(early.is_err(), "it ended by itself: {early:?}");
        self.child.start_kill().expect("it can be killed");
        self.child.wait().await.expect("it has ended");
        let mut batches = 0;
        while let Some(line) = self.output.next_line().await.expect("its last words") {
            if let Some(count) = line.strip_prefix("batches ") {
                batches = count.parse().expect("a number");
            }
        }
        batches
    }

    /// Lets it leave in good order.
    async fn end(mut self) {
        drop(self.input.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it leaves");
        assert!(ended.expect("it has ended").success());
    }
}

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
    let lead = |number: u32| {
        let phone = 3_032_000_000_u64 + u64::from(number);
        format!("LS-{number},Ada,Number{number},{phone},lead{number}@example.com,Denver,CO\n")
    };
    for number in 0..records {
        if number % 25 == 13 {
            text += &format!("LS-{number},Bob,Nobody,12,,Denver,CO\n");
            expected.rejected += 1;
        } else if number % 10 == 7 {
            text += &lead(if number < 4_995 { number - 5 } else { number - 4_995 });
            expected.duplicates += 1;
        } else {
            text += &lead(number);
            expected.accepted += 1;
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
        let folder = TempDir::new().expect("a folder");
        // Postgres runs as another user when this program runs as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
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
        let received = ReceivedFile {
            name: "leads.csv".to_owned(),
            bytes: text.len() as u64,
            hash: Sha256::digest(&text).into(),
            stored_as: Some("uploads/leads".to_owned()),
        };
        let import = imports::receive(&app, tenant, &source, received, None).await.expect("received").import;
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

/// Ten kills at random moments, from before the first record is read to shortly before the last one is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_lose_and_double_nothing() {
    const KILLS: usize = 10;
    let mut scene = Scene::new(50_000).await;
    // Moments by what has arrived and some time after it, the same in every run; the first ones meet the import.
    let random = Ids::seeded(20_261_120);
    let below = |limit: u64| random.jitter() % limit;
    let mut moments: Vec<u64> = (0..KILLS)
        .map(|kill| match kill {
            0..3 => 0,
            3..6 => 1 + below(2_500),
            _ => 2_500 + below(38_000),
        })
        .collect();
    moments.sort_unstable();
    let all = u32::try_from(scene.expected.records).expect("small").div_ceil(BATCH);
    let mut half_imported = 0;
    for (start, moment) in (0_i64..).zip(&moments) {
        let worker = Worker::start(scene.folder.path(), start).await;
        scene.receiver.has(usize::try_from(*moment).expect("small")).await;
        let after = Duration::from_millis(below(700));
        let batches = worker.kill(after).await;
        let arrived = *scene.receiver.unique.borrow();
        println!("kill {start}: {after:?} after {moment}; {batches} batches, {arrived} leads had arrived");
        half_imported += usize::from((1..all).contains(&batches));
    }
    assert!(half_imported >= 2, "{half_imported} kills met an import that was half done");
    let mut last = Worker::start(scene.folder.path(), 10).await;
    last.says("idle").await;
    last.end().await;
    let twice = scene.settle().await;
    println!("{twice} leads came twice, each under one id");
}

/// Two workers share the work and the private Postgres; one is killed, and the other one does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_workers_one_is_killed() {
    let mut scene = Scene::new(16_000).await;
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
