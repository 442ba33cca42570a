//! Leads that are sent in at the same time and stored in one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{LeadId, TenantId};
use entity::lead_source;
use serde_json::{Value, json};
use service::database::Mode;
use service::intake::submit::{self, Outcome, Submission, Submitted};
use sqlx::Executor as _;
use tests::TestApp;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(45);

/// A source whose leads wait, for the table is locked.
struct Scene {
    test: TestApp,
    tenant: TenantId,
    source: Arc<lead_source::Model>,
    lock: sqlx::Transaction<'static, sqlx::Postgres>,
}

type Answer = JoinHandle<Result<Submitted, service::Error>>;

impl Scene {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let source = Arc::new(test.source(tenant, "leadsource").await);
        Self::over(test, tenant, source).await
    }

    async fn over(test: TestApp, tenant: TenantId, source: Arc<lead_source::Model>) -> Self {
        let mut lock = owner(&test).begin().await.expect("a transaction");
        lock.execute("SAVEPOINT unlocked; LOCK TABLE lead IN EXCLUSIVE MODE").await.expect("locked");
        Self { test, tenant, source, lock }
    }

    fn send(&self, first_name: &str, phone: &str, key: Option<&str>) -> Answer {
        self.send_record(&json!({ "First Name": first_name, "Pri. Phone": phone }), key)
    }

    fn send_record(&self, record: &Value, key: Option<&str>) -> Answer {
        let (app, source, tenant) = (Arc::clone(&self.test.app), Arc::clone(&self.source), self.tenant);
        let record = record.to_string();
        let key = key.map(str::to_owned);
        tokio::spawn(async move {
            let submission = Submission {
                source: &source,
                record: &record,
                channel: "api",
                idempotency_key: key.as_deref(),
            };
            submit::submit(&app, tenant, submission).await
        })
    }

    /// Sends leads that occupy the transactions of their source until it is unlocked.
    async fn occupy(&self) -> Vec<Answer> {
        let mut first = Vec::new();
        for (waiting, name) in (1_i64..).zip(["Ada", "Ben"]) {
            first.push(self.send(name, &format!("30355501{waiting:02}"), None));
            timeout(SOON, self.wait_for(waiting)).await.expect("it waits for the table");
        }
        first
    }

    async fn wait_for(&self, waiting: i64) {
        let count = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lead'::regclass
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(owner(&self.test)).await.expect("counted")
            < waiting
        {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Until so many leads wait for their turn.
    async fn queued(&self, leads: usize) {
        let queued = async {
            while self.test.app.lanes.waiting() != leads {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(SOON, queued).await.expect("they wait");
    }

    async fn unlock(self) -> (TestApp, TenantId) {
        self.lock.rollback().await.expect("unlocked");
        (self.test, self.tenant)
    }
}

fn owner(test: &TestApp) -> &sqlx::PgPool {
    test.app.database.owner.as_ref().expect("an owner")
}

async fn answers(handles: Vec<Answer>) -> Vec<Result<Submitted, service::Error>> {
    let mut answers = Vec::new();
    for handle in handles {
        answers.push(timeout(SOON, handle).await.expect("in time").expect("no panic"));
    }
    answers
}

fn lead(answer: &Result<Submitted, service::Error>) -> LeadId {
    answer.as_ref().expect("stored").lead.expect("a lead")
}

/// The stored leads' first names with the transactions that they came in.
async fn stored(test: &TestApp, tenant: TenantId) -> Vec<(String, i64)> {
    let mut tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let rows = sqlx::query_as("SELECT first_name, xmin::text::bigint FROM lead ORDER BY first_name");
    rows.fetch_all(tx.connection()).await.expect("leads")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_others_are_stored_shares_one_transaction() {
    let scene = Scene::new().await;
    let mut sent = scene.occupy().await;
    sent.extend(
        (0..20).map(|number| scene.send(&format!("Cy{number}"), &format!("30355502{number:02}"), None)),
    );
    // The same person twice: one lead, also within a transaction.
    sent.push(scene.send("Cy7", "3035550207", None));
    scene.queued(21).await;
    let (test, tenant) = scene.unlock().await;
    let answers = answers(sent).await;
    let duplicates: Vec<usize> = (0..23)
        .filter(|place| answers[*place].as_ref().expect("stored").outcome == Outcome::Duplicate)
        .collect();
    assert_eq!(duplicates.len(), 1, "{answers:?}");
    assert_eq!(lead(&answers[9]), lead(&answers[22]));
    let rows = stored(&test, tenant).await;
    let transactions: HashSet<i64> = rows.iter().map(|(_, transaction)| *transaction).collect();
    assert_eq!((rows.len(), transactions.len()), (22, 3), "two that came first, and all the rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_one_is_nobody_elses_matter() {
    let scene = Scene::new().await;
    let mut sent = scene.occupy().await;
    for (number, name) in ["Cy", "Dee", "Eve"].iter().enumerate() {
        sent.push(scene.send(name, &format!("303555020{number}"), Some(name)));
    }
    scene.queued(3).await;
    owner(&scene.test)
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON idempotency FOR EACH ROW WHEN (NEW.key = 'Dee') EXECUTE FUNCTION refuse()",
        )
        .await
        .expect("a trigger");
    let (test, tenant) = scene.unlock().await;
    let answers = answers(sent).await;
    let failed: Vec<usize> = (0..5).filter(|place| answers[*place].is_err()).collect();
    assert_eq!(failed, [3], "{answers:?}");
    let names: Vec<String> = stored(&test, tenant).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Ada", "Ben", "Cy", "Eve"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_kept_within_a_transaction_as_between_two() {
    let scene = Scene::new().await;
    let mut sent = scene.occupy().await;
    sent.push(scene.send("Cy", "3035550201", Some("order-1")));
    sent.push(scene.send("Dee", "3035550202", Some("order-2")));
    scene.queued(2).await;
    sent.push(scene.send("Cy", "3035550201", Some("order-1")));
    sent.push(scene.send("Eve", "3035550203", Some("order-2")));
    scene.queued(4).await;
    let (test, tenant) = scene.unlock().await;
    let answers = answers(sent).await;
    assert_eq!(answers[2].as_ref().expect("stored"), answers[4].as_ref().expect("the same answer again"));
    assert_eq!(answers[2].as_ref().expect("stored").outcome, Outcome::Accepted);
    let refused = |place: usize| matches!(answers[place], Err(service::Error::Conflict(_)));
    assert!(refused(3) != refused(5) && answers[3].is_ok() != answers[5].is_ok(), "{answers:?}");
    let rows = stored(&test, tenant).await;
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    // Both came at the same time: either may have been the first.
    assert_eq!(names, ["Ada", "Ben", "Cy", if refused(3) { "Eve" } else { "Dee" }]);
    assert_eq!(rows[2].1, rows[3].1, "a key that comes again does not part them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_before_its_turn_has_sent_nothing_and_stops_nobody() {
    let scene = Scene::new().await;
    let mut sent = scene.occupy().await;
    let gone = scene.send("Cy", "3035550201", None);
    sent.push(scene.send("Dee", "3035550202", None));
    scene.queued(2).await;
    // The transaction of the other one is under way.
    for going in [gone, sent.remove(0)] {
        going.abort();
        assert!(going.await.is_err(), "it is gone");
    }
    let (test, tenant) = scene.unlock().await;
    assert!(answers(sent).await.iter().all(Result::is_ok));
    let stored_names =
        async || stored(&test, tenant).await.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let all = timeout(SOON, async {
        while stored_names().await.len() < 3 {
            sleep(Duration::from_millis(5)).await;
        }
        stored_names().await
    });
    assert_eq!(all.await.expect("stored"), ["Ada", "Ben", "Dee"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_undoes_nothing_that_comes_with_it() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = Arc::new(test.source(tenant, "leadsource").await);
    let version = |city: &str| json!({ "Lead ID": "LS-1", "First Name": "Zoe", "Pri. Phone": "3035550299", "City": city });
    let first = version("Boulder").to_string();
    let submission = Submission { source: &source, record: &first, channel: "api", idempotency_key: None };
    submit::submit(&test.app, tenant, submission).await.expect("stored");
    let scene = Scene::over(test, tenant, source).await;
    let mut sent = scene.occupy().await;
    sent.push(scene.send_record(&version("Denver"), None));
    scene.queued(1).await;
    sent.push(scene.send_record(&version("Boulder"), None));
    scene.queued(2).await;
    let (test, tenant) = scene.unlock().await;
    let outcomes: Vec<Outcome> =
        answers(sent).await.into_iter().skip(2).map(|answer| answer.expect("stored").outcome).collect();
    assert_eq!(outcomes, [Outcome::Updated, Outcome::Duplicate]);
    let mut tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let city = sqlx::query_scalar("SELECT city FROM lead WHERE external_id = 'LS-1'");
    let city: String = city.fetch_one(tx.connection()).await.expect("the lead");
    assert_eq!(city, "Denver");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_another_transaction_keeps_nobody_else_waiting_for_long() {
    let mut scene = Scene::new().await;
    // Somebody has inserted this phone and does not commit: the table is free again, the phone is not.
    scene.lock.execute("ROLLBACK TO SAVEPOINT unlocked").await.expect("unlocked");
    sqlx::query(
        "INSERT INTO lead (tenant_id, id, source_id, received_at, identity, fingerprint, phone_scope, channel, phone, details)
         VALUES ($1, $2, $2, now(), $2, $2, $2, 'api', '+13035550201', '{}')",
    )
    .bind(scene.tenant.uuid())
    .bind(scene.source.id)
    .execute(&mut *scene.lock)
    .await
    .expect("inserted");
    scene.lock.execute("SAVEPOINT unlocked; LOCK TABLE lead IN EXCLUSIVE MODE").await.expect("locked");
    let mut sent = scene.occupy().await;
    let waits = scene.send("Cy", "3035550201", None);
    sent.push(scene.send("Dee", "3035550202", None));
    scene.queued(2).await;
    scene.lock.execute("ROLLBACK TO SAVEPOINT unlocked").await.expect("unlocked");
    assert!(answers(sent).await.iter().all(Result::is_ok));
    assert!(!waits.is_finished(), "the phone is not free");
    let (test, tenant) = scene.unlock().await;
    assert!(answers(vec![waits]).await.iter().all(Result::is_ok));
    let names: Vec<String> = stored(&test, tenant).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Ada", "Ben", "Cy", "Dee"]);
}
