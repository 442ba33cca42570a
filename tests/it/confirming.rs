//! Reports that only a static code vouches for, held against the service's own record before they have an effect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, LeadId, TenantId};
use domain::inbound::Kind;
use domain::journey::Step;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Received, Step as Crm};
use service::inbound::reads::HookFilter;
use service::intake::leads::{self, CrmFilter, LeadFilter, Page};
use service::reconciliation::{List, Request, curated, links, plans, run};
use service::{access, inbound, jobs};
use tests::TestApp;
use tests::data::{deliver, destination, submit};

use super::sla::{clocks_of, draft, journey, lead, policy};

/// The prospects that Bonzo has, by id; none: the whole API is down.
type Prospects = Arc<Mutex<Option<HashMap<String, Value>>>>;

struct World {
    test: TestApp,
    tenant: TenantId,
    /// The webhook and the API of one fake Bonzo.
    crm: FakeCrm,
    prospects: Prospects,
    destination: DestinationId,
    secret: SecretString,
    lead: LeadId,
}

const PAGE: Page = Page { rows: 100, after: None, before: None, from_end: false };

/// Webhook, API v3 and its tables, as Bonzo answers.
fn bonzo(prospects: &Prospects, request: &Received) -> Crm {
    if request.method == "POST" {
        return Crm::body(200, r#"{"id": "7"}"#);
    }
    let prospects = prospects.lock().expect("nobody panicked");
    let Some(prospects) = prospects.as_ref() else { return Crm::status(503) };
    let list = |items: Value| Crm::body(200, json!({"data": items, "meta": {"last_page": 1}}).to_string());
    match request.path.split('?').next().unwrap_or_default() {
        "/api/v3/users" => list(json!([{"id": 31, "name": "Ada Agent", "email": "ada@team.example.com"}])),
        "/api/v3/prospects" => list(prospects.values().cloned().collect()),
        "/api/v3/campaigns" => list(json!([{"id": "c1", "name": "Spring"}, {"id": "c2", "name": "Autumn"}])),
        path => match path.strip_prefix("/api/v3/prospects/").and_then(|id| prospects.get(id)) {
            Some(prospect) => Crm::body(200, json!({ "data": prospect }).to_string()),
            None => Crm::status(404),
        },
    }
}

impl World {
    async fn new(with_api: bool) -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let source = test.source(tenant, "leadsource").await;
        let prospects: Prospects = Arc::new(Mutex::new(Some(HashMap::new())));
        let answers = Arc::clone(&prospects);
        let crm = FakeCrm::answering(move |request| bonzo(&answers, request)).await;
        let destination = destination(&test.app, tenant, "webhook", crm.url(), None).await;
        if with_api {
            let change = plans::PlanChange {
                api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3", crm.port()))),
                api_token: Some("bonzo-token".to_owned().into()),
                ..plans::PlanChange::default()
            };
            plans::change(&test.app, tenant, destination, change).await.expect("a plan");
        }
        let secret = inbound::open(&test.app, tenant, destination, Kind::Bonzo, None).await;
        let secret = secret.expect("an endpoint");
        let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"});
        let lead = submit(&test.app, tenant, &source, &record).await.lead.expect("a lead");
        deliver(&test.app).await;
        Self { test, tenant, crm, prospects, destination, secret, lead }
    }

    fn knows(&self, prospect: Value) {
        let id = prospect["id"].to_string();
        let mut prospects = self.prospects.lock().expect("nobody panicked");
        prospects.get_or_insert_default().insert(id, prospect);
    }

    fn goes_down(&self) {
        *self.prospects.lock().expect("nobody panicked") = None;
    }

    /// An event hook about the prospect, at that minute past noon.
    async fn hook(&self, event: &str, minute: u32, more: Value) {
        let mut prospect = json!({"id": 7, "updated_at": format!("2026-11-20T12:{minute:02}:00Z")});
        let Value::Object(more) = more else { panic!("no object: {more}") };
        prospect.as_object_mut().expect("an object").extend(more);
        let body = json!({"event": event, "prospect": prospect}).to_string();
        let headers = [("x-bonzo-code", self.secret.expose_secret())];
        let path = format!("/hooks/{}", self.destination);
        assert!(self.test.web().post(&path, &headers, body).await.status.is_success());
        self.work().await;
    }

    async fn work(&self) {
        jobs::run_due(&self.test.app).await.expect("worked");
    }

    /// Makes every waiting job due.
    async fn wait(&self, time: TimeDelta) {
        self.test.app.clock.advance(time);
        sqlx::query("UPDATE baton_jobs._private_jobs SET run_at = now() - interval '1 second'")
            .execute(&self.test.app.database.app)
            .await
            .expect("due");
        self.work().await;
    }

    async fn steps(&self) -> Vec<(Step, DateTime<Utc>)> {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let events = leads::events(&tx, self.lead).await.expect("events");
        events.into_iter().map(|event| (Step::parse(&event.kind).expect("a step"), event.at)).collect()
    }

    /// State, confirmation and result of the last report.
    async fn last(&self) -> (String, Option<String>, String) {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let rows = inbound::reads::list(&tx, &HookFilter::default(), PAGE).await.expect("reports").rows;
        let row = rows.into_iter().next().expect("a report");
        (row.state, row.confirmation, row.result.unwrap_or_default())
    }

    async fn of(&self, kind: &'static str, remote_id: &str) -> usize {
        let crm = CrmFilter { destination: self.destination, kind, remote_id: remote_id.to_owned() };
        let filter = LeadFilter { crm: Some(crm), ..LeadFilter::default() };
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        leads::list(&tx, &filter, PAGE).await.expect("leads").rows.len()
    }
}

fn ended(state: &str, confirmation: &str, result: &str) -> (String, Option<String>, String) {
    (state.to_owned(), Some(confirmation.to_owned()), result.to_owned())
}

/// Whoever knows the code may claim anything: what Bonzo does not say itself moves nothing.
#[tokio::test]
async fn what_a_hook_claims_is_read_again_before_it_counts() {
    let world = World::new(true).await;
    world.hook("prospects.updated", 1, json!({"status": "Closed Won"})).await;
    assert_eq!(world.last().await, ended("ignored", "contradicted", "the API knows no such prospect"));
    world.knows(json!({"id": 7, "status": "Working", "dnc": 0, "last_contact": null}));
    for (minute, event, claim, why) in [
        (2, "prospects.updated", json!({"status": "Closed Won"}), "its status is Working"),
        (3, "prospects.updated", json!({"dnc": true}), "the person may be contacted"),
        (4, "messages.outgoing.updated", json!({}), "nobody was in touch"),
    ] {
        // The status bears out a contact: only without one is there nothing.
        if minute == 4 {
            world.knows(json!({"id": 7, "status": null, "last_contact": null}));
        }
        world.hook(event, minute, claim).await;
        let why = format!("the API says otherwise: {why}");
        assert_eq!(world.last().await, ended("ignored", "contradicted", &why));
    }
    assert_eq!(world.steps().await, [], "nothing of it moved the journey");

    world.knows(json!({"id": 7, "status": "sold", "last_contact": "2026-11-20T12:03:00Z"}));
    world.hook("messages.outgoing.updated", 5, json!({})).await;
    assert_eq!(world.last().await, ended("processed", "confirmed", "contacted"));
    world.hook("prospects.updated", 6, json!({"status": "Closed Won"})).await;
    let steps = world.steps().await;
    let steps: Vec<(Step, String)> =
        steps.into_iter().map(|(step, at)| (step, at.format("%H:%M").to_string())).collect();
    assert_eq!(
        steps,
        [(Step::Contacted, "12:03".to_owned()), (Step::Sold, "12:06".to_owned())],
        "a contact no later than the last that Bonzo knows"
    );
    let mut asked = world.crm.received().into_iter().filter(|request| request.method == "GET");
    assert!(asked.all(|request| request.headers["authorization"] == "Bearer bonzo-token"));
}

#[tokio::test]
async fn an_api_that_is_down_is_asked_again_for_half_a_day() {
    let world = World::new(true).await;
    world.goes_down();
    world.hook("prospects.updated", 1, json!({"status": "sold"})).await;
    let (state, confirmation, result) = world.last().await;
    assert_eq!((state.as_str(), confirmation), ("received", None));
    assert_eq!(result, "it waits: the CRM's API does not answer: it answers 503");
    world.wait(TimeDelta::hours(11)).await;
    assert_eq!(world.last().await.0, "received");
    world.wait(TimeDelta::hours(2)).await;
    let (state, _, result) = world.last().await;
    assert_eq!(state, "failed");
    assert!(result.ends_with("given up after 12 hours"), "{result}");
    assert_eq!(world.steps().await, []);

    // A person has it processed again when the API is back; and once only.
    world.knows(json!({"id": 7, "status": "sold"}));
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let rows = inbound::reads::list(&tx, &HookFilter::default(), PAGE).await.expect("reports").rows;
    drop(tx);
    let ids = [domain::ids::InboundHookId(rows[0].id)];
    let again = || inbound::process::again(&world.test.app, world.tenant, &ids);
    assert_eq!(again().await.expect("queued"), 1);
    world.work().await;
    assert_eq!(world.last().await, ended("processed", "confirmed", "sold"));
    assert_eq!(again().await.expect("nothing"), 0, "what is processed stays so");
}

#[tokio::test]
async fn without_an_api_a_report_is_believed_and_says_so() {
    let world = World::new(false).await;
    world.hook("prospects.updated", 1, json!({"status": "sold"})).await;
    assert_eq!(world.last().await, ended("processed", "unchecked", "sold"));
    // The client's own words, which go before the usual ones.
    let words = [("In Escrow".to_owned(), "qualified".to_owned()), ("Dead".to_owned(), "ignored".to_owned())];
    inbound::set_status_map(&world.test.app, world.tenant, world.destination, &words.into())
        .await
        .expect("a map");
    world.hook("prospects.updated", 2, json!({"status": "dead"})).await;
    assert_eq!(world.last().await.0, "ignored");
    world.hook("prospects.updated", 3, json!({"status": "in escrow"})).await;
    assert_eq!(world.last().await, ended("processed", "unchecked", "qualified"));
    let wrong = [("x".to_owned(), "won".to_owned())];
    let refused =
        inbound::set_status_map(&world.test.app, world.tenant, world.destination, &wrong.into()).await;
    assert!(matches!(refused, Err(service::Error::Invalid { .. })), "{refused:?}");
}

/// Whose a lead is and where it is campaigned goes with the reports; leads are found by it.
#[tokio::test]
async fn a_lead_is_found_by_its_user_and_campaigns() {
    let world = World::new(true).await;
    curated::sync(&world.test.app, world.tenant, world.destination).await.expect("users and campaigns");
    world.knows(json!({"id": 7, "assigned_to": "Ada Agent", "campaigns": {"c1": "Spring", "c2": "Autumn"}}));
    world.hook("prospects.updated", 1, json!({})).await;
    assert_eq!(world.last().await, ended("processed", "confirmed", "user or campaigns"));
    assert_eq!((world.of("user", "31").await, world.of("campaign", "c2").await), (1, 1));
    world.knows(json!({"id": 7, "assigned_to": 31, "campaigns": {"c1": "Spring"}, "last_contact": "2026-11-20T12:00:30Z"}));
    world.hook("messages.outgoing.updated", 2, json!({})).await;
    assert_eq!((world.of("user", "31").await, world.of("campaign", "c2").await), (1, 0));

    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let of_lead = links::of_lead(&tx, world.lead).await.expect("links");
    let names: Vec<&str> = of_lead.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["Ada Agent", "Spring"]);
    let shown = curated::shown(&tx, &curated::CrmFilter { count: true, ..curated::CrmFilter::default() })
        .await
        .expect("records");
    let counts: Vec<(&str, i64)> = shown.iter().map(|row| (row.name.as_str(), row.leads)).collect();
    assert_eq!(counts, [("Ada Agent", 1), ("Autumn", 0), ("Spring", 1)]);
    let events = leads::events(&tx, world.lead).await.expect("events");
    let contacted = events.iter().find(|event| event.kind == "contacted").expect("a contact");
    assert_eq!(contacted.data.as_ref().expect("data")["agent"], "Ada Agent", "who reached it");
}

/// A lead's agent is known for service levels before anybody reached it: by a report that says whose it is, and by the service's own list.
#[tokio::test]
async fn whose_a_lead_is_stands_in_its_clocks() {
    let world = World::new(true).await;
    let (app, tenant) = (&world.test.app, world.tenant);
    curated::sync(app, tenant, world.destination).await.expect("users and campaigns");
    policy(app, tenant, "response", draft(60, None)).await;
    let response = async |lead| clocks_of(app, tenant, lead).await.swap_remove(0);

    app.clock.advance(TimeDelta::minutes(1));
    let reported = lead(&world.test, tenant, 1).await;
    deliver(app).await;
    assert_eq!(response(reported).await.agent, None);
    world.knows(json!({"id": 7, "assigned_to": "Ada Agent"}));
    world.hook("prospects.updated", 1, json!({})).await;
    let clock = response(reported).await;
    assert_eq!((clock.agent.as_deref(), clock.stopped_at), (Some("Ada Agent"), None));
    // The report of the contact does not speak of its user.
    world.knows(json!({"id": 7, "last_contact": "2026-11-20T12:01:30Z"}));
    world.hook("messages.outgoing.updated", 2, json!({})).await;
    let clock = response(reported).await;
    assert_eq!((clock.agent.as_deref(), clock.stopped_at.is_some()), (Some("Ada Agent"), true));
    let journey = journey(app, tenant, reported).await;
    let contacted = journey.iter().find(|event| event.kind == "contacted").expect("a contact");
    assert_eq!(contacted.data.as_ref().expect("data")["agent"], "Ada Agent");

    app.clock.advance(TimeDelta::minutes(1));
    let listed = lead(&world.test, tenant, 2).await;
    deliver(app).await;
    world.knows(json!({"id": 7, "assigned_to": 31, "external_id": "L-2", "phone": "+13035550002"}));
    for (dry_run, agent) in [(true, None), (false, Some("Ada Agent"))] {
        let request = Request { dry_run, ..Request::whole(world.destination, List::Api, "test") };
        run::run(app, tenant, request).await.expect("a run");
        assert_eq!(response(listed).await.agent.as_deref(), agent, "a dry run changes nothing");
    }
}

/// Nothing of a suspended tenant happens, and nothing is lost.
#[tokio::test]
async fn a_suspended_tenants_jobs_wait() {
    let world = World::new(false).await;
    access::life::set_suspended(&world.test.app, world.tenant, true).await.expect("suspended");
    world.hook("prospects.updated", 1, json!({"status": "sold"})).await;
    world.wait(TimeDelta::minutes(10)).await;
    world.wait(TimeDelta::minutes(10)).await;
    assert_eq!(world.last().await.0, "received");
    assert_eq!(world.steps().await, []);
    access::life::set_suspended(&world.test.app, world.tenant, false).await.expect("resumed");
    world.wait(TimeDelta::minutes(10)).await;
    assert_eq!(world.last().await.0, "processed");
}
