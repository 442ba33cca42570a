//! Workers in processes of their own – this program, started again – that a test may kill.
//!
//! A worker that is started after a kill has a clock that is ahead, so that the dead one's leases have ended and nobody
//! waits for them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::ids::TenantId;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use service::App;
use service::database::{self, Mode};
use service::intake::{sources, worker};
use service::runtime::{Clock, Ids};
use sqlx::PgPool;
use tests::data::submit;
use tests::fixture_noon;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const FOLDER: &str = "BATON_FAULTS_FOLDER";
const CLOCK: &str = "BATON_FAULTS_CLOCK_MINUTES";
/// Longer than any lease.
pub const MINUTES_BETWEEN_STARTS: i64 = 10;
/// For whatever a worker is waited for.
const PATIENCE: Duration = Duration::from_mins(4);

/// Opens the app of that folder as `baton worker` does, but for a clock that starts where it is told.
pub async fn open(folder: &Path, clock: Clock) -> Arc<App> {
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

/// The process that is killed: both workers, until its input ends. It says `open`, `batches N`, `idle`, and is told `advance MINUTES`,
/// `submit COUNT`.
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
        match line.split_once(' ') {
            Some(("advance", minutes)) => {
                clock.advance(TimeDelta::minutes(minutes.parse().expect("minutes")));
            }
            Some(("submit", count)) => {
                tokio::spawn(submit_numbered(Arc::clone(&app), count.parse().expect("a count")));
            }
            _ => panic!("nobody says `{line}`"),
        }
    }
    stop.cancel();
    telling.abort();
    importing.await.expect("no panic");
    delivering.await.expect("no panic");
    app.database.clone().close().await.expect("it closes");
}

/// A lead of the kind `leadsource` with its number in its external id and phone.
pub fn numbered_lead(number: usize) -> Value {
    let phone = format!("303456{:04}", 1_000 + number);
    json!({ "Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": phone })
}

/// Sends leads in to the source of the only tenant, some at a time.
async fn submit_numbered(app: Arc<App>, count: usize) {
    let owner = app.database.owner.clone().expect("the owner's pool");
    let tenant: Uuid = sqlx::query_scalar("SELECT id FROM tenant").fetch_one(&owner).await.expect("a tenant");
    let tenant = TenantId(tenant);
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("it begins");
    let source = sources::list(&tx).await.expect("sources").remove(0);
    drop(tx);
    let submitting = (0..count).map(|number| {
        let (app, source) = (&app, &source);
        async move { submit(app, tenant, source, &numbered_lead(number)).await }
    });
    futures_util::stream::iter(submitting).buffer_unordered(4).for_each(|_| async {}).await;
}

/// Says how far the work is, whoever does it.
async fn tell(owner: PgPool) {
    const FAR: &str =
        "SELECT (SELECT count(*) FROM import_batch), (SELECT count(*) FROM import WHERE state <> 'done'),
             (SELECT count(*) FROM delivery WHERE state = 'pending')";
    let mut told = -1;
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
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// Batches of the import that are done, as far as it has told.
    batches: u32,
}

impl Worker {
    /// Starts it, and returns when it has the app open. `start` counts the starts of a test.
    pub async fn start(folder: &Path, start: i64) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "workers::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(CLOCK, (start * MINUTES_BETWEEN_STARTS).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this program runs");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let input = child.stdin.take();
        let mut worker = Self { child, input, output, batches: 0 };
        worker.says("open").await;
        worker
    }

    /// Waits until it says so.
    pub async fn says(&mut self, word: &str) {
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
    pub async fn advance(&mut self, minutes: i64) {
        let input = self.input.as_mut().expect("its input");
        input.write_all(format!("advance {minutes}\n").as_bytes()).await.expect("it listens");
    }

    /// Has it send that many leads in, and does not wait for it.
    pub async fn submit(&mut self, count: usize) {
        let input = self.input.as_mut().expect("its input");
        input.write_all(format!("submit {count}\n").as_bytes()).await.expect("it listens");
    }

    /// Kills it, after that long. Answers how many batches of the import were done, as far as it had told.
    pub async fn kill(mut self, after: Duration) -> u32 {
        let early = tokio::time::timeout(after, self.child.wait()).await;
        assert!(early.is_err(), "it ended by itself: {early:?}");
        self.child.start_kill().expect("it can be killed");
        self.child.wait().await.expect("it has ended");
        while let Some(line) = self.output.next_line().await.expect("its last words") {
            if let Some(count) = line.strip_prefix("batches ") {
                self.batches = count.parse().expect("a number");
            }
        }
        self.batches
    }

    /// Lets it leave in good order.
    pub async fn end(mut self) {
        drop(self.input.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it leaves");
        assert!(ended.expect("it has ended").success());
    }
}
