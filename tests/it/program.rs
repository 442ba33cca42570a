//! The program itself, `baton worker`, on its own private Postgres, as a process that a test may kill at any moment.
//!
//! The test looks at the database over connections that do not count among the server's users: with a killed program its
//! Postgres stops too, as it would at a user's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::database::cluster::{DATABASE, OWNER};
use service::runtime::Clock;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// For whatever the program is waited for.
const PATIENCE: Duration = Duration::from_mins(4);
/// Between two looks at the database.
const LOOK: Duration = Duration::from_millis(20);
/// What an import's lease holds, and a delivery's with the deadline that the program is given here.
const IMPORT_LEASE: TimeDelta = TimeDelta::seconds(service::intake::imports::LEASE_SECONDS);
const DEADLINE_MS: i64 = 2_000;
const DELIVERY_LEASE: TimeDelta = TimeDelta::milliseconds(2 * DEADLINE_MS + 5_000);

/// How far the work of a folder is.
#[derive(Clone, Copy, Debug)]
pub struct Far {
    /// Batches of imports that are done.
    pub batches: i64,
    /// Imports that are not.
    pub imports: i64,
    /// Deliveries that wait or are on their way.
    pub pending: i64,
}

/// `baton worker` over a folder.
pub struct Program {
    child: Child,
    folder: PathBuf,
    database: PgConnection,
}

impl Program {
    /// Starts it and returns once its Postgres answers. Leases of a program that was killed before end now, as if their
    /// time had passed.
    pub async fn start(folder: &Path) -> Self {
        let begins = Clock::system().now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton-under-test"));
        for (name, _) in env::vars() {
            if name.starts_with("BATON_") || name.starts_with("PG") || name == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["worker", "--data-dir"])
            .arg(folder)
            .env("BATON_DELIVERY__ALLOW_PRIVATE_ADDRESSES", "true")
            .env("BATON_DELIVERY__DEADLINE_MS", DEADLINE_MS.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program runs");
        let database = loop {
            let mut database = connect(folder).await;
            // The server of the program that was killed may still be on its way out.
            if end_leases(&mut database, begins).await.is_ok() {
                break database;
            }
        };
        Self { child, folder: folder.to_owned(), database }
    }

    /// Looks until the work is so far.
    pub async fn is(&mut self, reached: impl Fn(Far) -> bool) -> Far {
        let until = Instant::now() + PATIENCE;
        loop {
            let far = self.far().await;
            if reached(far) {
                return far;
            }
            assert!(Instant::now() < until, "it never came so far: {far:?}");
            if let Some(ended) = self.child.try_wait().expect("a state") {
                panic!("it ended by itself: {ended}, {far:?}");
            }
            sleep(LOOK).await;
        }
    }

    /// How far the work is.
    pub async fn far(&mut self) -> Far {
        let sql =
            "SELECT (SELECT count(*) FROM import_batch), (SELECT count(*) FROM import WHERE state <> 'done'),
                   (SELECT count(*) FROM delivery WHERE state = 'pending')";
        let until = Instant::now() + PATIENCE;
        let (batches, imports, pending) = loop {
            match sqlx::query_as(sql).fetch_one(&mut self.database).await {
                Ok(far) => break far,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            self.database = connect(&self.folder).await;
        };
        Far { batches, imports, pending }
    }

    /// Kills it after that long. Answers how far the work was just before.
    pub async fn kill(mut self, after: Duration) -> Far {
        let early = timeout(after, self.child.wait()).await;
        assert!(early.is_err(), "it ended by itself: {early:?}");
        let far = self.far().await;
        self.child.start_kill().expect("it can be killed");
        self.child.wait().await.expect("it has ended");
        far
    }

    /// Lets it leave in good order, its Postgres too.
    pub async fn end(mut self) {
        self.database.close().await.expect("it closes");
        let process = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status().await.expect("kill runs");
        assert!(told.success());
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it leaves").expect("it has ended");
        assert!(ended.success(), "{ended} in {}", self.folder.display());
    }
}

/// Connects to the server that the program starts, as soon as there is one.
async fn connect(folder: &Path) -> PgConnection {
    let until = Instant::now() + PATIENCE;
    let state = folder.join("postgres/data/postmaster.pid");
    loop {
        // Line 5 is the socket's folder (PostgreSQL, `pidfile.h`).
        let socket = fs::read_to_string(&state).ok().and_then(|text| text.lines().nth(4).map(str::to_owned));
        if let Some(socket) = socket {
            let options = PgConnectOptions::new_without_pgpass().socket(socket).port(5432);
            let options = options.username(OWNER).database(DATABASE).disable_statement_logging();
            if let Ok(database) = options.connect().await {
                return database;
            }
        }
        assert!(Instant::now() < until, "its Postgres never answered");
        sleep(LOOK).await;
    }
}

/// Ends the leases that were taken before `begins`: their holders are dead.
async fn end_leases(database: &mut PgConnection, begins: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query("UPDATE import SET leased_until = $1 WHERE leased_until < $2")
        .bind(begins)
        .bind(begins + IMPORT_LEASE)
        .execute(&mut *database)
        .await?;
    sqlx::query("UPDATE delivery SET due_at = $1 WHERE lease IS NOT NULL AND due_at < $2")
        .bind(begins)
        .bind(begins + DELIVERY_LEASE)
        .execute(database)
        .await?;
    Ok(())
}
