//! The queue: what is enqueued commits with its cause, runs once, and survives a worker that died.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use domain::ids::TenantId;
use service::App;
use service::app::{Settings, make_schema};
use service::database::Mode;
use service::database::testing::{Cluster, FreshDatabase};
use service::jobs::{self, How, Tidy};
use service::runtime::{Clock, Ids};
use service::secrets::Secrets;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ACME: TenantId = TenantId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));

struct World {
    app: Arc<App>,
    _folder: TempDir,
    _database: FreshDatabase,
}

impl World {
    async fn new() -> Self {
        let database = Cluster::shared().await.fresh(make_schema).await;
        let folder = TempDir::new().expect("a folder");
        let secrets = Secrets::load_or_create(folder.path()).expect("a key");
        let settings = Settings::below(folder.path());
        let clock = Clock::manual(DateTime::from_timestamp(1_795_176_000, 0).expect("a time"));
        let app = App::with(database.database.clone(), settings, secrets, clock, Ids::seeded(7));
        Self { app: Arc::new(app.expect("an app")), _folder: folder, _database: database }
    }

    /// The jobs that wait, by their keys.
    async fn keys(&self) -> Vec<Option<String>> {
        let read = "SELECT key FROM baton_jobs._private_jobs ORDER BY key";
        sqlx::query_scalar(read).fetch_all(&self.app.database.app).await.expect("the queue is readable")
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.app.database.app).await.expect(sql);
    }

    async fn enqueue(&self, how: How) {
        let mut connection = self.app.database.app.acquire().await.expect("a connection");
        jobs::enqueue(&mut connection, &Tidy {}, how).await.expect("queued");
    }
}

#[tokio::test]
async fn a_job_exists_exactly_if_its_transaction_committed() {
    let world = World::new().await;
    let mut undone = world.app.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    jobs::enqueue(undone.connection(), &Tidy {}, How::keyed("undone")).await.expect("queued");
    undone.rollback().await.expect("undone");
    let mut kept = world.app.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    jobs::enqueue(kept.connection(), &Tidy {}, How::keyed("kept")).await.expect("queued");
    assert_eq!(world.keys().await, [], "nobody sees it before the commit");
    kept.commit().await.expect("it commits");
    assert_eq!(world.keys().await, [Some("kept".to_owned())]);
    jobs::run_due(&world.app).await.expect("it runs");
    assert_eq!(world.keys().await, [], "done is gone");
}

#[tokio::test]
async fn of_one_key_one_job_waits_and_a_later_one_waits_for_its_time() {
    let world = World::new().await;
    world.enqueue(How::keyed("one")).await;
    world.enqueue(How::keyed("one")).await;
    assert_eq!(world.keys().await.len(), 1);
    let far = DateTime::from_timestamp(4_000_000_000, 0).expect("a time");
    world.enqueue(How::keyed("later").at(far + TimeDelta::hours(1))).await;
    jobs::run_due(&world.app).await.expect("it runs");
    assert_eq!(world.keys().await, [Some("later".to_owned())]);
}

#[tokio::test]
async fn what_ran_out_of_attempts_is_kept_a_month() {
    let world = World::new().await;
    for key in ["old", "young", "waiting"] {
        let far = DateTime::from_timestamp(4_000_000_000, 0).expect("a time");
        world.enqueue(How::keyed(key).at(far)).await;
    }
    world
        .execute("UPDATE baton_jobs._private_jobs SET attempts = max_attempts WHERE key IN ('old', 'young')")
        .await;
    world.execute("UPDATE baton_jobs._private_jobs SET updated_at = now() - interval '31 days' WHERE key IN ('old', 'waiting')").await;
    world.enqueue(How::default()).await;
    jobs::run_due(&world.app).await.expect("it runs");
    assert_eq!(world.keys().await, [Some("waiting".to_owned()), Some("young".to_owned())]);
}

/// The worker that runs for good takes the job of one that died, whose heartbeat is old, and stops when told.
#[tokio::test]
async fn a_dead_workers_job_runs_again_and_a_told_worker_stops() {
    let world = World::new().await;
    world.enqueue(How::keyed("orphan")).await;
    world
        .execute(
            "INSERT INTO baton_jobs._private_workers (id, last_heartbeat_at, started_at)
             VALUES ('dead', now() - interval '1 hour', now() - interval '2 hours')",
        )
        .await;
    world.execute("UPDATE baton_jobs._private_jobs SET locked_by = 'dead', locked_at = now() - interval '1 hour', attempts = 1").await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(jobs::Worker::new(Arc::clone(&world.app)).run(stop.clone()));
    // The queue tells nobody that a job is done: look until it is.
    let done = tokio::time::timeout(Duration::from_secs(30), async {
        while !world.keys().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    done.await.expect("the orphan ran");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(15), running)
        .await
        .expect("it stops")
        .expect("it did not panic");
}
