//! A CRM with every misbehaviour, and workers that are killed at every step: at the end it holds each accepted lead exactly
//! once, and Baton's record agrees with its own, count by count.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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
use service::delivery::manage::{self, NewDestination};
use service::delivery::testing::{FakeCrm, Received, Step};
use service::intake::sources::{self, NewSource};
use service::runtime::Clock;
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
        match number % KINDS {
            0 => after(taken()),
            1 => Step::status(500),
            2 => after(Step::status(500)),
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
            _ => after(Step::status(503)),
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
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        // Postgres runs as another user when this program runs as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
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
            "lookup": { "keys": [{ "value": "{external_id}", "field": "external_id" }] },
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
