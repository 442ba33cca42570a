//! Reconciliations that go on by themselves, and what becomes of one whose process dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use domain::ids::{DestinationId, ReconciliationId, TenantId};
use secrecy::ExposeSecret;
use serde_json::json;
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step as Crm};
use service::jobs::{self, How};
use service::reconciliation::nightly::Nightly;
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::{List, Request, background, exceptions, proof, repair, run, runs};
use tenants::{KeyKind, NewKey};
use tests::TestApp;
use tests::data::{deliver, destination, submit};

struct World {
    test: TestApp,
    tenant: TenantId,
    destination: DestinationId,
    api: FakeCrm,
}

impl World {
    /// A tenant that has handed over one lead; its CRM's API never answers.
    async fn new() -> Self {
        Self::whose_api(|_| Crm::Hang).await
    }

    /// The same with an API that answers a path so.
    async fn whose_api(answers: impl Fn(&str) -> Crm + Send + Sync + 'static) -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let source = test.source(tenant, "leadsource").await;
        let api = FakeCrm::answering(move |request| match request.method.as_str() {
            "POST" => Crm::body(200, r#"{"id": "p-1"}"#),
            _ => answers(&request.path),
        })
        .await;
        let destination = destination(&test.app, tenant, "webhook", api.url(), None).await;
        let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"});
        submit(&test.app, tenant, &source, &record).await;
        deliver(&test.app).await;
        test.app.clock.advance(TimeDelta::hours(1));
        let change = PlanChange {
            api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3", api.port()))),
            api_token: Some("secret-token".to_owned().into()),
            ..PlanChange::default()
        };
        plans::change(&test.app, tenant, destination, change).await.expect("a plan");
        Self { test, tenant, destination, api }
    }

    fn request(&self, list: List) -> Request {
        Request::whole(self.destination, list, "test")
    }

    /// A list of that text, where uploads wait.
    fn upload(&self, list: &str) -> (Request, String) {
        let stored = "uploads/list.csv".to_owned();
        let path = self.test.folder.path().join(&stored);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, list).expect("written");
        (self.request(List::File { path, name: "crm.csv".to_owned() }), stored)
    }

    async fn started(&self) -> (ReconciliationId, String) {
        let (request, stored) = self.upload("id,external_id,phone\np-1,LS-1,3035550101\n");
        let begun = background::start(&self.test.app, self.tenant, request, Some(&stored)).await;
        (begun.expect("a run"), stored)
    }

    async fn row(&self, id: ReconciliationId) -> runs::RunRow {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        runs::by_id(&tx, id).await.expect("a run")
    }

    async fn proof(&self) -> entity::reconciliation_proof::Model {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        proof::of(&tx, self.destination).await.expect("read").expect("a proof")
    }

    async fn rows(&self) -> Vec<runs::RunRow> {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let page = service::intake::leads::Page { rows: 10, after: None, before: None, from_end: false };
        runs::list(&tx, None, page).await.expect("runs").rows
    }

    async fn work(&self) {
        jobs::run_due(&self.test.app).await.expect("worked");
    }

    /// What a program of the tenant sends in its authorization header.
    async fn credential(&self) -> String {
        let new = NewKey {
            kind: KeyKind::Api,
            name: "program".to_owned(),
            role: tenants::Role::Manager,
            scope: "*".to_owned(),
            created_by: None,
            expires_at: None,
        };
        let database = self.test.app.tenants.open(self.tenant).await.expect("the tenant's database");
        let key = database.create_key(new, self.test.app.clock.now()).await.expect("a key").text;
        format!("Bearer {}", key.expose_secret())
    }

    /// Waits until that statement, which counts something, finds it; half a minute at most.
    async fn counted(&self, sql: &'static str) {
        let waiting = async {
            while sqlx::query_scalar::<_, i64>(sql)
                .fetch_one(self.test.app.database.owner.as_ref().expect("a private cluster"))
                .await
                .expect("counted")
                == 0
            {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await;
        waited.unwrap_or_else(|_| panic!("nothing was ever found by {sql}"));
    }

    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.test.app.database.app).await.expect("done");
    }
}

/// A sender that goes away once its list has come: the run is made all the same, and its file is there for it.
#[tokio::test]
async fn a_sender_that_goes_away_parts_no_run_from_its_file() {
    let world = World::new().await;
    let credential = world.credential().await;
    let owner = world.test.app.database.owner.clone().expect("a private cluster");
    let mut held = owner.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE reconciliation_run IN SHARE MODE").execute(&mut *held).await.expect("held");
    let web = world.test.web();
    let sending = tokio::spawn(async move {
        let headers = [("authorization", credential.as_str())];
        web.post("/reconcile/webhook", &headers, "id,external_id,phone\np-1,LS-1,3035550101\n").await
    });
    world
        .counted(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'reconciliation_run'::regclass
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    sending.abort();
    sending.await.expect_err("it went away");
    held.rollback().await.expect("let go");
    world.counted("SELECT count(*) FROM reconciliation_run").await;
    assert_eq!(world.test.uploads().len(), 1);
    world.work().await;
    let rows = world.rows().await;
    assert_eq!((rows[0].state.as_str(), rows[0].matched), ("done", 1));
}

/// After an export was made, leads go on being handed over: one that is missing on a list of an unknown time may be there.
#[tokio::test]
async fn an_uploaded_list_sends_missing_leads_again_only_when_its_time_is_known() {
    let world = World::new().await;
    let change = PlanChange { auto_resend_max: Some(5), ..PlanChange::default() };
    plans::change(&world.test.app, world.tenant, world.destination, change).await.expect("a plan");
    let now = world.test.app.clock.now();
    for (as_of, sent) in [(None, 1), (Some(now), 2)] {
        let (request, stored) = world.upload("id,external_id,phone\np-9,LS-9,3035550109\n");
        let request = Request { as_of, ..request };
        let begun = background::start(&world.test.app, world.tenant, request, Some(&stored)).await;
        let run = begun.expect("a run");
        world.work().await;
        let row = world.row(run).await;
        assert_eq!((row.state.as_str(), row.missing, row.as_of_known), ("done", 1, as_of.is_some()));
        deliver(&world.test.app).await;
        let posts = world.api.received().iter().filter(|request| request.method == "POST").count();
        assert_eq!(posts, sent, "{as_of:?}");
    }
}

#[tokio::test]
async fn a_run_of_the_web_is_a_job_and_takes_its_file_along() {
    let world = World::new().await;
    let (id, stored) = world.started().await;
    let row = world.row(id).await;
    assert_eq!((row.state.as_str(), row.phase.as_deref()), ("running", Some("waiting")));
    // The sweep of uploads leaves a file alone that a run still wants, however old.
    world.test.app.clock.advance(TimeDelta::days(365));
    service::intake::uploads::sweep(&world.test.app).await.expect("swept");
    assert!(world.test.folder.path().join(&stored).exists());
    world.work().await;
    let row = world.row(id).await;
    assert_eq!((row.state.as_str(), row.phase.as_deref(), row.matched), ("done", None, 1), "{row:?}");
    assert!(!world.test.folder.path().join(&stored).exists());
}

/// The process that had the job is gone: the next one that starts carries the run out, once, and does not wait until the queue believes it.
#[tokio::test]
async fn a_run_whose_process_died_begins_anew_at_once() {
    let world = World::new().await;
    let (id, _) = world.started().await;
    world.sql("UPDATE baton_jobs._private_jobs SET locked_at = now(), locked_by = 'a process that died', attempts = 1").await;
    world.work().await;
    assert_eq!(world.row(id).await.state, "running", "the queue still believes in it");
    assert_eq!(background::take_over(&world.test.app).await.expect("looked"), 1);
    world.work().await;
    let row = world.row(id).await;
    assert_eq!((row.state.as_str(), row.matched), ("done", 1), "{row:?}");
    // The queue comes to see it too, and gives the first job away: nothing is left to do.
    world.sql("UPDATE baton_jobs._private_jobs SET locked_at = NULL, locked_by = NULL, run_at = now()").await;
    world.work().await;
    assert_eq!(world.row(id).await.finished_at, row.finished_at);
    assert_eq!(background::take_over(&world.test.app).await.expect("looked"), 0);
}

/// A run of a command is called failed when its process is gone, and left alone while it lives.
#[tokio::test]
async fn an_interrupted_command_is_called_failed() {
    let world = World::new().await;
    let sent = world.api.count();
    let (app, tenant, request) = (Arc::clone(&world.test.app), world.tenant, world.request(List::Api));
    let running = tokio::spawn(async move { run::run(&app, tenant, request).await });
    world.api.wait_for(sent + 1).await;
    assert_eq!(background::take_over(&world.test.app).await.expect("looked"), 0, "it lives");
    running.abort();
    assert!(running.await.is_err_and(|error| error.is_cancelled()));
    // The connection's end reaches the server a moment after us.
    let mut taken = 0;
    for _ in 0..200 {
        taken = background::take_over(&world.test.app).await.expect("looked");
        if taken > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(taken, 1);
    let rows = world.rows().await;
    let told = rows.iter().map(|row| (row.state.as_str(), row.error.as_deref())).collect::<Vec<_>>();
    assert_eq!(told, [("failed", Some("it was interrupted; run it again"))]);
}

/// Looking up what was sent again is a job too: it says why it ended early, begins anew when it is asked to, and is taken over.
#[tokio::test]
async fn a_proof_is_a_job_that_is_taken_over() {
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuses);
    let world = World::whose_api(move |path| match path {
        _ if refusing.load(Ordering::Relaxed) => Crm::status(401),
        path if path.contains("search=") => Crm::body(200, r#"{"data": [{"id": 6, "external_id": "LS-1"}]}"#),
        _ => Crm::status(404),
    })
    .await;
    let (app, tenant, destination) = (&world.test.app, world.tenant, world.destination);
    let (request, _) = world.upload("id,external_id,phone\nq-9,LS-9,3035550199\n");
    let report = run::run(app, tenant, request).await.expect("a report");
    assert_eq!(report.counts.missing, 1, "{report:?}");
    assert_eq!(repair::resend_missing(app, tenant, (destination, None), 10, "ada").await.expect("sent"), 1);
    deliver(app).await;

    let begun = proof::start(app, tenant, destination, "ada").await.expect("begun");
    assert_eq!((begun.state.as_str(), begun.total), ("running", 0));
    world.work().await;
    let row = world.proof().await;
    let told = row.error.as_deref().unwrap_or_default();
    assert!(row.state == "failed" && told.contains("refuses the API token"), "{row:?}");
    assert_eq!((row.total, row.found, row.absent, row.waiting), (1, 0, 0, 0));

    refuses.store(false, Ordering::Relaxed);
    proof::start(app, tenant, destination, "ada").await.expect("begun");
    proof::start(app, tenant, destination, "ada").await.expect("it is under way");
    world.sql("UPDATE baton_jobs._private_jobs SET locked_at = now(), locked_by = 'a process that died', attempts = 1").await;
    world.work().await;
    assert_eq!(world.proof().await.state, "running", "the queue still believes in it");
    assert_eq!(background::take_over(app).await.expect("looked"), 1);
    world.work().await;
    let row = world.proof().await;
    assert_eq!((row.state.as_str(), row.total, row.found, row.error.as_deref()), ("done", 1, 1, None));
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let standing = exceptions::standing(&tx, destination).await.expect("counted");
    assert_eq!(standing, [0, 0, 1, 0], "open, sent again, resolved, accepted");
}

/// However often a night's run fails, it is one run: the last reason, and how often it was tried.
#[tokio::test]
async fn a_nights_run_is_tried_again_in_its_own_row() {
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuses);
    let list =
        json!({"data": [{"id": "p-1", "external_id": "LS-1"}], "meta": {"current_page": 1, "last_page": 1}});
    let world = World::whose_api(move |_| {
        if refusing.load(Ordering::Relaxed) { Crm::status(401) } else { Crm::body(200, list.to_string()) }
    })
    .await;
    let app = &world.test.app;
    let run = ReconciliationId(app.ids.next(app.clock.now()));
    let job = Nightly { tenant: world.tenant, destination: world.destination, run };
    let mut connection = app.database.app.acquire().await.expect("a connection");
    jobs::enqueue(&mut connection, &job, How::default()).await.expect("queued");
    drop(connection);
    for tries in 1..=2 {
        world.work().await;
        let [row]: [runs::RunRow; 1] = world.rows().await.try_into().expect("one run");
        assert_eq!((row.id, row.state.as_str(), row.tries), (run.uuid(), "failed", tries));
        assert!(row.error.as_deref().is_some_and(|error| error.contains("refuses the API token")), "{row:?}");
        world.sql("UPDATE baton_jobs._private_jobs SET run_at = now() - interval '1 second'").await;
    }
    refuses.store(false, Ordering::Relaxed);
    world.work().await;
    let [row]: [runs::RunRow; 1] = world.rows().await.try_into().expect("one run");
    let told = (row.state.as_str(), row.error.as_deref(), row.tries, row.matched);
    assert_eq!(told, ("done", None, 3, 1), "{row:?}");
    // The queue promises at least once: a second time changes nothing.
    jobs::Job::run(Nightly { tenant: world.tenant, destination: world.destination, run }, Arc::clone(app))
        .await
        .expect("nothing to do");
    assert_eq!(world.row(run).await.finished_at, row.finished_at);
}

/// A night's run is due from its hour on, once a day: a process that was down then, or a clock that leaves the hour out, costs no night.
#[tokio::test]
async fn a_nights_run_is_due_once_from_its_hour_on() {
    let world = World::new().await;
    let app = &world.test.app;
    let due = async |at: &str| -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM due_reconciliations($1::text::timestamptz)")
            .bind(at)
            .fetch_one(&app.database.app)
            .await
            .expect("counted")
    };
    let change = PlanChange { nightly_hour: Some(Some(2)), ..PlanChange::default() };
    plans::change(app, world.tenant, world.destination, change).await.expect("a plan");
    let zone = "UPDATE tenant SET time_zone = 'America/Denver'";
    let mut tx = app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query(zone).execute(tx.connection()).await.expect("a zone");
    tx.commit().await.expect("committed");
    // On 14 March 2027 the clock goes from 02:00 to 03:00, which is 09:00 UTC.
    assert_eq!(due("2027-03-14T08:59:00Z").await, 0);
    assert_eq!(due("2027-03-14T09:07:00Z").await, 1);
    assert_eq!(due("2027-03-14T20:07:00Z").await, 1, "nobody was there until now");
    let mut tx = app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    let ran = "INSERT INTO reconciliation_run (tenant_id, id, destination_id, origin, as_of, actor, state, error, created_at)
               SELECT tenant_id, gen_random_uuid(), id, 'api', t.at, 'schedule', 'failed', 'no answer', t.at
               FROM destination, (SELECT timestamptz '2027-03-14T20:07:00Z' AS at) t";
    sqlx::query(ran).execute(tx.connection()).await.expect("a run");
    tx.commit().await.expect("committed");
    assert_eq!(due("2027-03-14T21:07:00Z").await, 0, "it had its run");
    assert_eq!(due("2027-03-15T08:07:00Z").await, 1, "the day after, at two in the morning");
}
