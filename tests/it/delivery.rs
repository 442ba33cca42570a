//! A lead's way out, from its receipt to the CRM's answer.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::{DeliveryId, LeadId, TenantId};
use http::StatusCode;
use serde_json::{Value, json};
use service::App;
use service::database::Mode;
use service::delivery::manage::{self, DestinationChange};
use service::delivery::reads::{self, AttemptRow, DeliveryRow};
use service::delivery::testing::{FakeCrm, Step};
use service::intake::leads::{self, EventRow};
use service::intake::run::Ended;
use service::intake::submit::Outcome;
use tests::data::{deliver, destination, import_file, submit, token};
use tests::{TestApp, fixture};

const PAGE: leads::Page = leads::Page { rows: 100, after: None, before: None, from_end: false };

async fn deliveries(app: &App, tenant: TenantId, lead: LeadId) -> Vec<DeliveryRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    reads::of_leads(&tx, &[lead]).await.expect("deliveries")
}

async fn attempts(app: &App, tenant: TenantId, delivery: &DeliveryRow) -> Vec<AttemptRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    reads::attempts_of(&tx, &[DeliveryId(delivery.id)]).await.expect("attempts")
}

async fn events(app: &App, tenant: TenantId, lead: LeadId) -> Vec<EventRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    leads::events(&tx, lead).await.expect("events")
}

fn kara() -> Value {
    json!({
        "Lead ID": "LS-1001", "Lead Type": "Refi", "First Name": "kara", "Last Name": "O'NEIL",
        "Address": "1 Elm St", "City": "Boulder", "State": "Colorado", "ZIP": "80301-1234",
        "Pri. Phone": "(970) 555-0101", "Sec. Phone": "970-555-0102", "Email": "Kara@Example.com",
        "Est. Home Value": "$450,000", "BAL_ONE": "250000.55", "MTG_ONE_INT": "6.5%", "Cash Out": "No",
        "VA Eligible": "", "Campaign": "spring"
    })
}

/// From the request that brings it to the one that hands it over: cleaned, flat, in Bonzo's names, nothing blank.
#[tokio::test]
async fn a_submitted_lead_arrives_as_bonzo_wants_it() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let token = token(&test.app, tenant, &source).await;
    let answer = test.web().lead("leadsource", &token, &kara()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let lead: LeadId = serde_json::from_value(answer.json()["lead_id"].clone()).expect("an id");
    assert_eq!(crm.count(), 0, "the answer does not wait for the CRM");
    assert_eq!(deliveries(&test.app, tenant, lead).await[0].state, "pending");

    assert_eq!(deliver(&test.app).await.delivered, 1);
    let received = crm.received();
    assert_eq!(received.len(), 1);
    let expected = json!({
        "first_name": "Kara", "last_name": "O'Neil", "email": "kara@example.com", "phone": "9705550101",
        "address": "1 Elm St", "city": "Boulder", "state": "CO", "zip": "80301", "external_id": "LS-1001",
        "lead_id": lead, "lead_source": "leadsource", "property_value": 450_000, "loan_balance": "250000.55",
        "interest_rate": 6.5, "custom_cash_out": false, "custom_lead_type": "Refi", "custom_zip4": "1234",
        "custom_alt_phones": "9705550102"
    });
    assert_eq!(received[0].json(), expected);
    assert_eq!(received[0].headers["content-type"], "application/json");
    let delivery = &deliveries(&test.app, tenant, lead).await[0];
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("delivered", 1));
    assert_eq!(received[0].webhook_id(), DeliveryId(delivery.id).to_string());

    // What brings nothing new, and what only revises, is not handed over again.
    assert_eq!(submit(&test.app, tenant, &source, &kara()).await.outcome, Outcome::Duplicate);
    let mut moved = kara();
    moved["City"] = json!("Denver");
    assert_eq!(submit(&test.app, tenant, &source, &moved).await.outcome, Outcome::Updated);
    assert_eq!(deliver(&test.app).await.claimed, 0);
    assert_eq!(crm.count(), 1);
}

/// Each lead of a file goes once to each destination that was there and enabled when it came.
#[tokio::test]
async fn a_files_leads_go_once_to_every_destination() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "transunion").await;
    let (bonzo, webhook, off, late) = (
        FakeCrm::start([]).await,
        FakeCrm::start([]).await,
        FakeCrm::start([]).await,
        FakeCrm::start([]).await,
    );
    let disabled = destination(&test.app, tenant, "webhook", off.url(), None).await;
    let change = |slug: &str| DestinationChange {
        name: Some(slug.to_owned()),
        enabled: Some(false),
        ..DestinationChange::default()
    };
    manage::update(&test.app, tenant, disabled, change("off")).await.expect("switched off");
    destination(&test.app, tenant, "bonzo", bonzo.url(), Some("Friend")).await;
    let new = manage::NewDestination {
        slug: "signed".to_owned(),
        name: None,
        kind: "webhook".to_owned(),
        url: webhook.url().into(),
        first_name_fallback: None,
        settings: None,
        credentials: std::collections::BTreeMap::new(),
    };
    manage::create(&test.app, tenant, new).await.expect("a destination");
    let (_, ended) = import_file(&test.app, tenant, &source, &fixture("transunion.csv")).await;
    let Ended::Done(counts) = ended else { panic!("{ended:?}") };
    let new = manage::NewDestination {
        slug: "late".to_owned(),
        name: None,
        kind: "bonzo".to_owned(),
        url: late.url().into(),
        first_name_fallback: None,
        settings: None,
        credentials: std::collections::BTreeMap::new(),
    };
    manage::create(&test.app, tenant, new).await.expect("a destination");

    let leads = usize::try_from(counts.accepted + counts.warned).expect("small");
    assert!(leads > 15, "{counts:?}");
    deliver(&test.app).await;
    for crm in [&bonzo, &webhook] {
        let mut ids: Vec<String> = crm.received().iter().map(|one| one.webhook_id().to_owned()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((crm.count(), ids.len()), (leads, leads));
    }
    assert_eq!((off.count(), late.count()), (0, 0));
    assert!(webhook.received().iter().all(|one| one.headers.contains_key("webhook-signature")));
}

/// Held with a reason, and sent once what was missing has come: by a revision of the lead, or by the destination.
#[tokio::test]
async fn a_lead_without_a_first_name_is_held_until_it_can_be_sent() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    let to = destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let nameless =
        |number: u32| json!({"Lead ID": format!("LS-{number}"), "Email": format!("{number}@example.com")});
    let mut held = Vec::new();
    for number in 1..=2 {
        held.push(submit(&test.app, tenant, &source, &nameless(number)).await.lead.expect("a lead"));
    }
    assert_eq!(deliver(&test.app).await.held, 2);
    assert_eq!(crm.count(), 0, "it is not even tried");
    for lead in &held {
        let delivery = &deliveries(&test.app, tenant, *lead).await[0];
        assert_eq!(delivery.state, "held");
        let reason = delivery.reason.as_deref().expect("a reason");
        assert!(reason.contains("first name") && reason.contains("fallback"), "{reason}");
        assert!(attempts(&test.app, tenant, delivery).await.is_empty());
    }

    let mut named = nameless(1);
    named["First Name"] = json!("Ada");
    assert_eq!(submit(&test.app, tenant, &source, &named).await.outcome, Outcome::Updated);
    assert_eq!(deliver(&test.app).await.delivered, 1);
    assert_eq!(crm.received()[0].json()["first_name"], "Ada");

    let change = DestinationChange {
        first_name_fallback: Some(Some("Friend".to_owned())),
        ..DestinationChange::default()
    };
    manage::update(&test.app, tenant, to, change).await.expect("a fallback");
    let delivery = DeliveryId(deliveries(&test.app, tenant, held[1]).await[0].id);
    test.app.retries().retry(tenant, delivery, "user_x").await.expect("it may be retried");
    assert_eq!(deliver(&test.app).await.delivered, 1);
    assert_eq!(crm.received()[1].json()["first_name"], "Friend");
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let stored = leads::by_ids(&tx, &[held[1]]).await.expect("leads");
    assert_eq!(stored[0].first_name, None, "the fallback is the destination's, not the lead's");
}

/// Trouble that passes is met by the schedule, under one id; trouble that stays ends as a failure with its reason, and
/// a person's retry begins afresh.
#[tokio::test]
async fn trouble_is_tried_again_and_a_refusal_is_not() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let refusal = r#"{"errors":{"phone":["The phone is on the do-not-call list."]}}"#;
    let script = [Step::status(500), Step::header(429, "retry-after", "60"), Step::status(200)];
    let crm = FakeCrm::start(script.into_iter().chain([Step::body(422, refusal)])).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let lead = submit(&test.app, tenant, &source, &kara()).await.lead.expect("a lead");
    assert_eq!(deliver(&test.app).await.again, 1);
    assert_eq!(deliver(&test.app).await.claimed, 0, "not before its time");
    test.app.clock.advance(TimeDelta::seconds(7));
    assert_eq!(deliver(&test.app).await.again, 1);
    test.app.clock.advance(TimeDelta::seconds(59));
    assert_eq!(deliver(&test.app).await.claimed, 0, "not before the CRM's time");
    test.app.clock.advance(TimeDelta::seconds(8));
    assert_eq!(deliver(&test.app).await.delivered, 1);
    let delivery = &deliveries(&test.app, tenant, lead).await[0];
    let tried = attempts(&test.app, tenant, delivery).await;
    let statuses: Vec<Option<i16>> = tried.iter().map(|attempt| attempt.http_status).collect();
    assert_eq!(statuses, [Some(500), Some(429), Some(200)]);
    let ids: Vec<String> = crm.received().iter().map(|one| one.webhook_id().to_owned()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    let other = json!({"Lead ID": "LS-2", "First Name": "Bob", "Pri. Phone": "3035550102"});
    let lead = submit(&test.app, tenant, &source, &other).await.lead.expect("a lead");
    assert_eq!(deliver(&test.app).await.failed, 1);
    let delivery = &deliveries(&test.app, tenant, lead).await[0];
    assert_eq!(delivery.state, "failed");
    assert!(delivery.reason.as_deref().is_some_and(|reason| reason.contains("do-not-call")), "{delivery:?}");
    test.app.clock.advance(TimeDelta::days(2));
    assert_eq!(deliver(&test.app).await.claimed, 0, "a refusal is not tried again by itself");
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let filter =
        reads::DeliveryFilter { states: vec!["failed".to_owned()], ..reads::DeliveryFilter::default() };
    let listed = reads::list(&tx, &filter, PAGE, test.app.clock.now()).await.expect("a list");
    assert_eq!(listed.rows.iter().map(|row| row.lead_id).collect::<Vec<_>>(), [lead.uuid()]);
    drop(tx);

    assert_eq!(test.app.retries().retry_all_failed(tenant, None, "user_x").await.expect("retried"), 1);
    assert_eq!(deliver(&test.app).await.delivered, 1);
    let journey = events(&test.app, tenant, lead).await;
    let retried = journey.iter().find(|event| event.kind == "retried").expect("the retry is in the journey");
    assert_eq!(retried.actor.as_deref(), Some("user_x"));
}

/// A process that dies with a delivery on its way: another one sends it again, and the receiver knows it by its id.
#[tokio::test]
async fn after_a_restart_what_was_on_its_way_goes_on() {
    let mut test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([Step::Hang]).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let lead = submit(&test.app, tenant, &source, &kara()).await.lead.expect("a lead");
    let worker = test.app.delivery_worker().expect("a worker");
    let dying = tokio::spawn(async move { worker.run_due_work().await });
    crm.wait_for(1).await;
    dying.abort();
    dying.await.expect_err("it was ended");
    test.restart();
    assert_eq!(deliver(&test.app).await.claimed, 0, "the dead worker's lease holds");
    test.app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(deliver(&test.app).await.delivered, 1);
    let ids: Vec<String> = crm.received().iter().map(|one| one.webhook_id().to_owned()).collect();
    let delivery = DeliveryId(deliveries(&test.app, tenant, lead).await[0].id).to_string();
    assert_eq!(ids, [delivery.clone(), delivery]);
}

/// What is sent is read when it is sent: however close two changes come, the older one never follows the newer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_while_the_first_is_on_its_way_the_last_one_is_sent() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let late = Step::Delay(Duration::from_secs(1), Box::new(Step::status(503)));
    let crm = FakeCrm::start([late, Step::status(200)]).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let of = |city: &str| json!({"Lead ID": "LS-7", "First Name": "Kara", "Pri. Phone": "3035550107", "City": city});
    submit(&test.app, tenant, &source, &of("Boulder")).await;
    let app = Arc::clone(&test.app);
    let sending = tokio::spawn(async move { deliver(&app).await });
    crm.wait_for(1).await;
    let changes = [of("Denver"), of("Aspen")];
    let (one, other) = tokio::join!(
        submit(&test.app, tenant, &source, &changes[0]),
        submit(&test.app, tenant, &source, &changes[1])
    );
    assert_eq!([&one.outcome, &other.outcome], [&Outcome::Updated; 2]);
    sending.await.expect("sent");
    test.app.clock.advance(TimeDelta::hours(1));
    assert_eq!(deliver(&test.app).await.delivered, 1);

    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let last = leads::by_ids(&tx, &[one.lead.expect("a lead")]).await.expect("read").remove(0).city;
    drop(tx);
    let cities: Vec<Value> = crm.received().iter().map(|request| request.json()["city"].clone()).collect();
    assert_eq!(cities, [json!("Boulder"), json!(last)], "each once, the stored state last");
    assert_eq!(deliver(&test.app).await.claimed, 0);
}
