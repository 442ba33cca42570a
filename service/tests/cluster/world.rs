//! Folders to run a cluster in, and other processes that use it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use service::database::cluster::Durability;
use service::database::{Database, Settings};

const FOLDER: &str = "BATON_TEST_DATA_DIR";

/// Settings of a private cluster that need not survive a power failure.
pub fn settings(data_dir: &Path) -> Settings {
    Settings { durability: Durability::None, ..Settings::private(data_dir) }
}

pub async fn open(data_dir: &Path) -> Database {
    Database::open(&settings(data_dir)).await.expect("the private cluster opens")
}

pub fn owner(database: &Database) -> &sqlx::PgPool {
    database.owner.as_ref().expect("the owner's pool")
}

pub fn server(database: &Database) -> i32 {
    database.cluster().and_then(service::database::cluster::Cluster::process).expect("the server runs")
}

pub fn is_alive(process: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

pub fn parent_of(process: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).expect("a parent");
    line.parse().expect("a number")
}

pub fn kill(process: i32) {
    let killed = Command::new("kill").args(["-9", &process.to_string()]).status().expect("kill runs");
    assert!(killed.success(), "process {process} is there to be killed");
}

/// Waits for what a killed process's survivors do by themselves.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "in 30 seconds it did not come true that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Another process that uses the cluster of a data folder until it is told to end, or is killed.
pub struct OtherProcess {
    child: Child,
    input: Option<ChildStdin>,
    /// Kept open, or its last words would break it.
    _output: BufReader<ChildStdout>,
}

impl OtherProcess {
    /// Starts it, and returns when it has the database open.
    pub fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "world::uses_the_cluster_until_told", "--ignored", "--nocapture"])
            .env(FOLDER, data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let opened = output.by_ref().lines().map_while(Result::ok).any(|line| line.contains("database open"));
        assert!(opened, "the other process opens the database");
        let input = child.stdin.take();
        Self { child, input, _output: output }
    }

    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }

    /// Lets it leave in good order.
    pub fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests run it as a process of its own"]
async fn uses_the_cluster_until_told() {
    let Some(data_dir) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let database = open(&data_dir).await;
    println!("database open");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .expect("the thread ends")
        .expect("the input ends");
    database.close().await.expect("it leaves");
}
