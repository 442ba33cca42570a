//! Reports of destinations: recognised, stored, given their effect once, in any order; and the suppression list that they feed.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, InboundHookId, LeadId, TenantId};
use domain::inbound::Kind;
use domain::journey::{Stage, Step, stage};
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step as Crm};
use service::inbound::reads::HookFilter;
use service::intake::leads::{self, Page};
use service::suppression::{self, Contact, Entry};
use service::{inbound, jobs};
use standardwebhooks::Webhook;
use tests::TestApp;
use tests::data::{deliver, destination, submit};

struct World {
    test: TestApp,
    tenant: TenantId,
    crm: FakeCrm,
    destination: DestinationId,
    secret: SecretString,
}

impl World {
    async fn new(kind: Kind) -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        test.source(tenant, "leadsource").await;
        let crm =
            FakeCrm::start([Crm::body(200, r#"{"id":"p-1"}"#), Crm::body(200, r#"{"id":"p-2"}"#)]).await;
        let destination = destination(&test.app, tenant, "webhook", crm.url(), None).await;
        let secret = inbound::open(&test.app, tenant, destination, kind, None).await.expect("an endpoint");
        Self { test, tenant, crm, destination, secret }
    }

    async fn lead(&self, number: usize) -> LeadId {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let source = service::intake::sources::by_slug(&tx, "leadsource").await.expect("the source");
        drop(tx);
        let record = json!({"Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555{:04}", 100 + number),
                            "Email": format!("ada{number}@example.com")});
        submit(&self.test.app, self.tenant, &source, &record).await.lead.expect("a lead")
    }

    fn path(&self) -> String {
        format!("/hooks/{}", self.destination)
    }

    /// Posts a report with the static code.
    async fn report(&self, body: &Value) -> StatusCode {
        let headers =
            [("x-bonzo-code", self.secret.expose_secret()), ("x-webhook-code", self.secret.expose_secret())];
        self.test.web().post(&self.path(), &headers, body.to_string()).await.status
    }

    /// Posts a report with a signature of that time.
    async fn signed(&self, id: &str, at: DateTime<Utc>, body: &str) -> StatusCode {
        let signer = Webhook::new(self.secret.expose_secret()).expect("a secret");
        let signature = signer.sign(id, at.timestamp(), body.as_bytes()).expect("signed");
        let timestamp = at.timestamp().to_string();
        let signatures = format!("v1,AAAA {signature}");
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signatures.as_str()),
        ];
        self.test.web().post(&self.path(), &headers, body.to_owned()).await.status
    }

    async fn work(&self) {
        jobs::run_due(&self.test.app).await.expect("processed");
    }

    async fn steps(&self, lead: LeadId) -> Vec<(Step, DateTime<Utc>)> {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let events = leads::events(&tx, lead).await.expect("events");
        events.into_iter().map(|event| (Step::parse(&event.kind).expect("a step"), event.at)).collect()
    }

    async fn stage(&self, lead: LeadId) -> Option<Stage> {
        stage(self.steps(lead).await)
    }

    async fn hooks(&self) -> Vec<(String, Option<String>)> {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let page = Page { rows: 100, after: None, before: None, from_end: false };
        let rows = inbound::reads::list(&tx, &HookFilter::default(), page).await.expect("reports").rows;
        rows.into_iter().rev().map(|row| (row.state, row.result)).collect()
    }

    async fn states(&self) -> Vec<String> {
        let mut tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        sqlx::query_scalar("SELECT state FROM delivery ORDER BY id")
            .fetch_all(tx.connection())
            .await
            .expect("states")
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[tokio::test]
async fn the_order_and_the_number_of_reports_do_not_matter() {
    let world = World::new(Kind::Npa).await;
    let lead = world.lead(1).await;
    deliver(&world.test.app).await;
    let report = |status: &str, time: &str| json!({"recordID": "p-1", "status": status, "updatedAt": time});
    let sold = report("Sold", "2026-11-20T14:00:00Z");
    assert_eq!(world.report(&sold).await, StatusCode::ACCEPTED);
    assert_eq!(world.report(&sold).await, StatusCode::OK, "the same again is known");
    assert_eq!(world.report(&report("contacted", "2026-11-20T13:00:00Z")).await, StatusCode::ACCEPTED);
    assert_eq!(world.report(&report("contacted", "2026-11-20T12:30:00Z")).await, StatusCode::ACCEPTED);
    assert_eq!(world.report(&report("contacted", "2026-11-20T13:30:00Z")).await, StatusCode::ACCEPTED);
    world.work().await;
    world.work().await;
    let stage = world.stage(lead).await.expect("a stage");
    assert_eq!((stage.step, stage.since), (Step::Sold, at("2026-11-20T14:00:00Z")));
    let contacted: Vec<_> =
        world.steps(lead).await.into_iter().filter(|(step, _)| *step == Step::Contacted).collect();
    assert_eq!(contacted.iter().map(|(_, at)| *at).min(), Some(at("2026-11-20T12:30:00Z")));
    assert!(world.hooks().await.iter().all(|(state, _)| state == "processed"), "{:?}", world.hooks().await);
    assert_eq!(world.hooks().await.len(), 4);
}

#[tokio::test]
async fn strangers_are_not_stored() {
    let world = World::new(Kind::Bonzo).await;
    let body = json!({"event": "prospects.created", "prospect": {"id": "p-1", "updated_at": "2026-11-20T12:00:00Z"}});
    for headers in
        [vec![], vec![("x-bonzo-code", "wrong")], vec![("x-webhook-code", world.secret.expose_secret())]]
    {
        let answer = world.test.web().post(&world.path(), &headers, body.to_string()).await;
        assert_eq!(answer.problem(), (401, "UNAUTHENTICATED".to_owned()));
    }
    for path in ["/hooks/nothing", "/hooks/dest_01jd2wq7x8e0hbrvy3k6m9f4tz"] {
        let answer = world
            .test
            .web()
            .post(path, &[("x-bonzo-code", world.secret.expose_secret())], body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let large = world
        .test
        .web()
        .post(&world.path(), &[("x-bonzo-code", world.secret.expose_secret())], "x".repeat(70_000))
        .await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.hooks().await, []);
    // A new code: the one before is taken too, until the next.
    inbound::open(&world.test.app, world.tenant, world.destination, Kind::Bonzo, None)
        .await
        .expect("a new code");
    assert_eq!(world.report(&body).await, StatusCode::ACCEPTED);
    inbound::close(&world.test.app, world.tenant, world.destination).await.expect("closed");
    assert_eq!(world.report(&body).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_signed_report_holds_five_minutes_and_counts_once() {
    let world = World::new(Kind::Standard).await;
    let lead = world.lead(1).await;
    deliver(&world.test.app).await;
    let now = world.test.app.clock.now();
    let body = json!({"type": "lead.qualified", "timestamp": now, "data": {"lead_id": lead}}).to_string();
    assert_eq!(world.signed("msg_1", now - TimeDelta::seconds(301), &body).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.signed("msg_1", now + TimeDelta::seconds(301), &body).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.signed("msg_1", now - TimeDelta::seconds(299), &body).await, StatusCode::ACCEPTED);
    assert_eq!(world.signed("msg_1", now, &body).await, StatusCode::OK, "a replay is known by its id");
    world.work().await;
    assert_eq!(world.stage(lead).await.map(|stage| stage.step), Some(Step::Qualified));
    assert_eq!(world.hooks().await.len(), 1);
}

/// The CRM is faster than our commit: the report waits for the delivery that it is about. One that is about nobody ends after an hour.
#[tokio::test]
async fn a_report_before_its_delivery_waits() {
    let world = World::new(Kind::Npa).await;
    let lead = world.lead(1).await;
    let early = json!({"recordID": "p-1", "status": "contacted", "updatedAt": "2026-11-20T12:00:01Z"});
    assert_eq!(world.report(&early).await, StatusCode::ACCEPTED);
    world.work().await;
    let waits = "it waits: its lead has not come yet".to_owned();
    assert_eq!(world.hooks().await, [("received".to_owned(), Some(waits))]);
    // Waiting is no failure: one job is queued for later, and none has gone wrong.
    let waiting = "SELECT count(*), count(last_error) FROM baton_jobs._private_jobs";
    let queued: (i64, i64) =
        sqlx::query_as(waiting).fetch_one(&world.test.app.database.app).await.expect("counted");
    assert_eq!(queued, (1, 0));
    deliver(&world.test.app).await;
    let again = "UPDATE baton_jobs._private_jobs SET run_at = now() - interval '1 second'";
    sqlx::query(again).execute(&world.test.app.database.app).await.expect("due");
    world.work().await;
    assert_eq!(world.stage(lead).await.map(|stage| stage.step), Some(Step::Contacted));
    let stranger = json!({"recordID": "p-99", "status": "sold"});
    assert_eq!(world.report(&stranger).await, StatusCode::ACCEPTED);
    world.test.app.clock.advance(TimeDelta::hours(2));
    world.work().await;
    assert_eq!(world.hooks().await[1], ("ignored".to_owned(), Some("no lead matches the report".to_owned())));
}

/// A report that names no time tells of when it came, also when a person has it processed again a day later.
#[tokio::test]
async fn a_report_without_a_time_keeps_the_one_that_it_came_at() {
    let world = World::new(Kind::Npa).await;
    let lead = world.lead(1).await;
    let clock = &world.test.app.clock;
    let came_at = clock.now();
    assert_eq!(world.report(&json!({"recordID": "p-1", "status": "contacted"})).await, StatusCode::ACCEPTED);
    clock.advance(TimeDelta::hours(2));
    world.work().await;
    assert_eq!(world.hooks().await[0].0, "ignored", "its lead is not delivered yet");
    deliver(&world.test.app).await;
    clock.advance(TimeDelta::hours(22));
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let page = Page { rows: 100, after: None, before: None, from_end: false };
    let rows = inbound::reads::list(&tx, &HookFilter::default(), page).await.expect("reports").rows;
    drop(tx);
    let ids = [InboundHookId(rows[0].id)];
    let again = inbound::process::again(&world.test.app, world.tenant, &ids).await;
    assert_eq!(again.expect("queued"), 1);
    world.work().await;
    let steps = world.steps(lead).await;
    assert!(steps.contains(&(Step::Contacted, came_at)), "{steps:?}");
}

/// Who opts out hears no more: what waits is held, a new lead of the same person is kept and held, others go out.
#[tokio::test]
async fn an_opt_out_is_obeyed_by_intake_and_delivery() {
    let world = World::new(Kind::Bonzo).await;
    let lead = world.lead(1).await;
    deliver(&world.test.app).await;
    let out = json!({"event": "prospects.updated", "prospect": {"id": "p-1", "dnc": true, "updated_at": "2026-11-20T12:10:00Z"}});
    assert_eq!(world.report(&out).await, StatusCode::ACCEPTED);
    world.work().await;
    assert!(world.steps(lead).await.iter().any(|(step, _)| *step == Step::OptedOut));

    // The same phone under another id: the source's rule makes it a duplicate; another source's lead is a new one.
    let other = world.test.source(world.tenant, "transunion").await;
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    drop(tx);
    let record =
        json!({"First_Name": "Ada", "Last_Name": "L", "Phone_Number": "3035550101", "Perm_ID": "77"});
    let again = submit(&world.test.app, world.tenant, &other, &record).await;
    let again = again.lead.expect("a lead is kept");
    let third = world.lead(3).await;
    assert_eq!(world.states().await, ["delivered", "held", "pending"]);
    assert!(world.steps(again).await.iter().any(|(step, _)| *step == Step::Suppressed));

    let entry = Entry {
        contact: Contact::read("ADA3@example.com").expect("a contact"),
        reason: None,
        lead: None,
        actor: "test".to_owned(),
    };
    assert!(suppression::add(&world.test.app, world.tenant, entry.clone()).await.expect("entered"));
    assert!(!suppression::add(&world.test.app, world.tenant, entry).await.expect("known"));
    assert_eq!(world.states().await, ["delivered", "held", "held"], "what waited is held");
    assert!(world.steps(third).await.iter().any(|(step, _)| *step == Step::Suppressed));
    // A person's retry does not get past the list.
    world.test.app.retries().retry_all_failed(world.tenant, None, "test").await.expect("retried");
    deliver(&world.test.app).await;
    assert_eq!(world.states().await, ["delivered", "held", "held"]);
    assert_eq!(world.crm.count(), 1);

    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let rows = suppression::list(&tx, Some("ada3")).await.expect("the list");
    drop(tx);
    assert_eq!(rows.len(), 1);
    suppression::remove(&world.test.app, world.tenant, domain::ids::SuppressionId(rows[0].id))
        .await
        .expect("removed");
    world.test.app.retries().retry_all_failed(world.tenant, None, "test").await.expect("retried");
    deliver(&world.test.app).await;
    assert_eq!(world.states().await, ["delivered", "held", "delivered"]);
}
