//! A CRM with every misbehaviour, and workers that are killed at every step: at the end it holds each accepted lead exactly
//! once, and Baton's record agrees with its own, count by count. One that can neither be asked nor recognises a copy holds none twice,
//! and of each that it may have a person is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::TenantId;
use entity::lead_source;
use secrecy::SecretString;
use serde_json::{Value, json};
use service::App;
use service::access::{self, NewTenant};
use service::database::Mode;
use service::database::testing::made_data_dir;
use service::delivery::manage::{self, NewDestination};
use service::delivery::testing::{FakeCrm, Received, Step};
use service::intake::sources::{self, NewSource};
use service::runtime::Clock;
use service::tracking::{rates, submissions};
use tempfile::TempDir;
use tests::data::{deliver, submit};
use tests::fixture_noon;

use crate::workers::{MINUTES_BETWEEN_STARTS, Worker, numbered_lead, open};

const LEADS: usize = 65;
/// Ways in which it treats a lead.
const KINDS: usize = 13;

/// What the CRM holds, and how it treats the first request for each lead.
#[derive(Default)]
struct Crm {
    /// Copies of each lead, by its external id.
    copies: Mutex<BTreeMap<String, usize>>,
    /// Requests for each lead.
    requests: Mutex<BTreeMap<String, usize>>,
    /// No more silence, so that nobody waits for deadlines.
    hurried: AtomicBool,
    /// Before it stands a gateway, which speaks for it when it has trouble.
    gateway: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crm {
    fn answer(&self, request: &Received) -> Step {
        if request.method == "GET" { self.search(&request.path) } else { self.take(&request.json()) }
    }

    /// Its API: finds a lead by its external id.
    fn search(&self, path: &str) -> Step {
        let key = path.split_once("search=").map_or("", |(_, key)| key);
        let found: Vec<Value> = locked(&self.copies)
            .keys()
            .filter(|id| *id == key)
            .map(|id| json!({ "id": format!("p-{id}"), "external_id": id }))
            .collect();
        Step::body(200, json!({ "data": found }).to_string())
    }

    /// It knows no idempotency key: whatever it stores twice is there twice.
    fn take(&self, lead: &Value) -> Step {
        let id = lead["external_id"].as_str().expect("an external id").to_owned();
        let number: usize = id.trim_start_matches("LS-").parse().expect("a number");
        let nth = {
            let mut requests = locked(&self.requests);
            let nth = requests.entry(id.clone()).or_default();
            *nth += 1;
            *nth
        };
        let store = || *locked(&self.copies).entry(id.clone()).or_default() += 1;
        let taken = || Step::body(201, json!({ "data": { "id": format!("p-{id}") } }).to_string());
        let silence = || if self.hurried.load(Ordering::Relaxed) { Step::Cut } else { Step::Hang };
        if number % KINDS == 11 {
            return Step::body(200, r#"{"ok":false,"message":"The phone is not valid."}"#);
        }
        if nth > 1 {
            store();
            return taken();
        }
        let after = |step| {
            store();
            step
        };
        let trouble = |status| Step::status(if self.gateway.load(Ordering::Relaxed) { 504 } else { status });
        match number % KINDS {
            0 => after(taken()),
            1 => Step::status(500),
            2 => after(trouble(500)),
            3 => Step::header(429, "Retry-After", "1"),
            4 => silence(),
            5 => after(silence()),
            6 => Step::Cut,
            7 => after(Step::Cut),
            8 => after(Step::CutInBody { status: 201 }),
            9 => after(Step::Endless { status: 201 }),
            // A drop now and then for ever, and later a cut connection.
            10 => after(if self.hurried.load(Ordering::Relaxed) {
                Step::Cut
            } else {
                Step::Drip { status: 201 }
            }),
            _ => after(trouble(503)),
        }
    }
}

struct Scene {
    folder: TempDir,
    app: Arc<App>,
    tenant: TenantId,
    source: lead_source::Model,
    crm: Arc<Crm>,
    receiver: FakeCrm,
}

impl Scene {
    /// With a CRM that can be asked.
    async fn new() -> Self {
        Self::with(json!({ "keys": [{ "value": "{external_id}", "field": "external_id" }] })).await
    }

    /// With that lookup.
    async fn with(lookup: Value) -> Self {
        let folder = made_data_dir().await;
        let app = open(folder.path(), Clock::manual(fixture_noon())).await;
        let new = NewTenant { slug: "acme".to_owned(), name: None, time_zone: None };
        let tenant = TenantId(access::create_tenant(&app, new).await.expect("a tenant").id);
        let new =
            NewSource { slug: "ls".to_owned(), name: None, kind: "leadsource".to_owned(), mapping: None };
        let source = sources::create(&app, tenant, new).await.expect("a source");
        let crm = Arc::new(Crm::default());
        let answers = Arc::clone(&crm);
        let receiver = FakeCrm::answering(move |request: &Received| answers.answer(request)).await;
        let settings = json!({
            "answer": { "refused": [{ "path": "ok", "equals": false }] },
            "lookup": lookup,
            "unknown": "ask",
            "limits": { "breaker_failures": 0, "concurrency": 8 },
        });
        let new = NewDestination {
            slug: "crm".to_owned(),
            name: None,
            kind: "bonzo_api".to_owned(),
            url: receiver.url().into(),
            first_name_fallback: None,
            settings: Some(settings),
            credentials: [("token".to_owned(), SecretString::from("t0ken-t0ken"))].into(),
        };
        manage::create(&app, tenant, new).await.expect("a destination");
        Self { folder, app, tenant, source, crm, receiver }
    }

    /// Every lead, as its source sends it. Those that are there already are not taken again.
    async fn submit_all(&self) {
        for number in 0..LEADS {
            let submitted = submit(&self.app, self.tenant, &self.source, &numbered_lead(number)).await;
            assert!(submitted.lead.is_some(), "{number}: {:?}", submitted.reasons);
        }
    }

    /// Delivers what is left, with all the time that the pauses take.
    async fn finish(&self) {
        self.crm.hurried.store(true, Ordering::Relaxed);
        self.app.clock.advance(TimeDelta::hours(1));
        for _ in 0..12 {
            deliver(&self.app).await;
            self.app.clock.advance(TimeDelta::hours(13));
        }
    }

    async fn assert_each_is_there_exactly_once(&self) {
        let deliveries = self.deliveries().await;
        assert_eq!(deliveries.len(), LEADS);
        let copies = locked(&self.crm.copies).clone();
        for (lead, (state, remote)) in &deliveries {
            let there = copies.get(lead).copied().unwrap_or(0);
            let number: usize = lead.trim_start_matches("LS-").parse().expect("a number");
            let wanted = if number % KINDS == 11 { ("failed", 0) } else { ("delivered", 1) };
            assert_eq!((state.as_str(), there), wanted, "{lead}");
            // Where the answer broke off, its id was lost; everywhere else it is known.
            if wanted.1 == 1 && !matches!(number % KINDS, 8..=10) {
                assert_eq!(remote.as_deref(), Some(format!("p-{lead}").as_str()), "{lead}");
            }
        }
        let delivered = deliveries.values().filter(|(state, _)| state == "delivered").count();
        assert_eq!(copies.values().sum::<usize>(), delivered, "both sides count the same");
    }

    /// Of what may have arrived nothing was sent again, and a person is told of each; the rest is there once or was refused.
    async fn assert_none_is_there_twice(&self) {
        let deliveries = self.deliveries().await;
        assert_eq!(deliveries.len(), LEADS);
        let copies = locked(&self.crm.copies).clone();
        for (lead, (state, _)) in &deliveries {
            let there = copies.get(lead).copied().unwrap_or(0);
            let agrees = match state.as_str() {
                "delivered" => there == 1,
                "unknown" => there <= 1,
                "failed" => there == 0,
                _ => false,
            };
            assert!(agrees, "{lead} is {state} and there {there} times");
        }
        let unknown = deliveries.values().filter(|(state, _)| state == "unknown").count();
        assert!(unknown >= LEADS / KINDS * 6, "{unknown} of {LEADS} are for a person to decide");
    }

    /// The report counts each lead once, also one whose first request went with its process.
    async fn assert_each_counts_once(&self) {
        let tx = self.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let (since, until) = (fixture_noon() - TimeDelta::days(1), self.app.clock.now() + TimeDelta::days(1));
        let rate = rates::of_period(&tx, since, until, None).await.expect("a rate");
        let counted = rate.succeeded + rate.failed + rate.pending;
        assert_eq!(usize::try_from(counted).expect("a count"), LEADS, "{rate:?}");
    }

    /// Each delivery with its lead's external id: state, remote id.
    async fn deliveries(&self) -> BTreeMap<String, (String, Option<String>)> {
        let owner = self.app.database.owner.as_ref().expect("the owner's pool");
        let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
            "SELECT l.external_id, d.state, d.remote_id
             FROM delivery d JOIN lead l ON l.tenant_id = d.tenant_id AND l.id = d.lead_id
             WHERE d.tenant_id = $1",
        )
        .bind(self.tenant.uuid())
        .fetch_all(owner)
        .await
        .expect("deliveries");
        rows.into_iter().map(|(id, state, remote)| (id, (state, remote))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_misbehaviour_and_every_kill_leave_each_lead_there_exactly_once() {
    let scene = Scene::new().await;
    scene.submit_all().await;

    // Killed while requests are on their way, some of them stored, and others wait for their turn.
    let worker = Worker::start(scene.folder.path(), 0).await;
    scene.receiver.wait_for(16).await;
    worker.kill(Duration::ZERO).await;

    // Killed before the commit: the answers are there, and nothing about them can be written.
    let owner = scene.app.database.owner.as_ref().expect("the owner's pool");
    let mut blocking = owner.begin().await.expect("a transaction");
    let lock = "LOCK TABLE delivery_attempt IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *blocking).await.expect("locked");
    let before = scene.receiver.count();
    let worker = Worker::start(scene.folder.path(), 1).await;
    scene.receiver.wait_for(before + 16).await;
    worker.kill(Duration::ZERO).await;
    blocking.rollback().await.expect("unlocked");

    // Another one does the rest.
    scene.finish().await;
    scene.assert_each_is_there_exactly_once().await;
    scene.assert_each_counts_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_be_asked_no_kill_and_no_misbehaviour_doubles_a_lead() {
    let scene = Scene::with(Value::Null).await;
    scene.crm.gateway.store(true, Ordering::Relaxed);
    scene.submit_all().await;
    for start in 0..2 {
        let before = scene.receiver.count();
        let worker = Worker::start(scene.folder.path(), start).await;
        scene.receiver.wait_for(before + 9).await;
        worker.kill(Duration::ZERO).await;
    }
    scene.finish().await;
    scene.assert_none_is_there_twice().await;
    let everything = scene.app.retries().retry_all_failed(scene.tenant, None, "test").await.expect("retried");
    let filter = submissions::Filter::default();
    let retried = submissions::retry_all(&scene.app, scene.tenant, filter, usize::MAX, "test").await;
    let (retried, more) = retried.expect("retried");
    assert!(!more);
    assert!(everything <= 5, "{everything}: no more than was refused");
    assert_eq!(retried.retried, 0, "what is in doubt is no part of everything");
    assert!(!retried.in_doubt.is_empty(), "{retried:?}");
    deliver(&scene.app).await;
    scene.assert_none_is_there_twice().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_while_it_takes_leads_and_sends_them_loses_and_doubles_none() {
    let scene = Scene::new().await;
    // Each time it is given all of them, and dies when some are at the CRM and others come in.
    for start in 0..3 {
        let before = scene.receiver.count();
        let mut worker = Worker::start(scene.folder.path(), start).await;
        worker.submit(LEADS).await;
        scene.receiver.wait_for(before + 9).await;
        worker.kill(Duration::ZERO).await;
    }
    scene.app.clock.advance(TimeDelta::minutes(3 * MINUTES_BETWEEN_STARTS));
    scene.submit_all().await;
    scene.finish().await;
    scene.assert_each_is_there_exactly_once().await;
}
