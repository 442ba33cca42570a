//! Destinations as data: each kind's own body and answers, and NPA's file of conversations record by record.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DeliveryId, DestinationId, TenantId};
use secrecy::SecretString;
use serde_json::{Value, json};
use service::App;
use service::database::Mode;
use service::delivery::dry_run::{DryRun, Verdict, dry_run};
use service::delivery::manage::{self, DestinationChange, NewDestination};
use service::delivery::reads::DeliveryRow;
use service::delivery::testing::{FakeCrm, Received, Step};
use tests::data::{deliver, import_file, submit};
use tests::{TestApp, fixture};

/// A destination with credentials and settings.
async fn destination(
    app: &App,
    tenant: TenantId,
    kind: &str,
    url: String,
    credentials: &[(&str, &str)],
    settings: Value,
) -> DestinationId {
    let secrets =
        credentials.iter().map(|(name, secret)| ((*name).to_owned(), SecretString::from(*secret))).collect();
    let new = NewDestination {
        slug: kind.replace('_', "-"),
        name: None,
        kind: kind.to_owned(),
        url: url.into(),
        first_name_fallback: None,
        settings: Some(settings),
        credentials: secrets,
    };
    DestinationId(manage::create(app, tenant, new).await.expect("a destination").0.id)
}

const NPA: [(&str, &str); 2] =
    [("session_token", "npa-session-token"), ("data_provider_dealer_token", "npa-dealer-token")];

/// A delivery with what the lead's source calls it.
#[derive(sqlx::FromRow)]
struct Outcome {
    external_id: String,
    state: String,
    code: Option<String>,
    remote_id: Option<String>,
    due_at: DateTime<Utc>,
    attempts: i16,
}

async fn outcomes(app: &App, tenant: TenantId) -> Vec<Outcome> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    sqlx::query_as(
        "SELECT l.external_id, d.state, d.code, d.remote_id, d.due_at, d.attempts
         FROM delivery d JOIN lead l ON l.tenant_id = d.tenant_id AND l.id = d.lead_id
         WHERE d.tenant_id = $1 ORDER BY l.external_id",
    )
    .bind(tenant.uuid())
    .fetch_all(tx.connection())
    .await
    .expect("deliveries")
}

/// What a mock of NPA answers to a record.
fn simulated(record: &Value) -> Step {
    let answer = &record["simulated_response"];
    if answer["error"] == "timeout" {
        return Step::Hang;
    }
    let status = u16::try_from(answer["http_status"].as_u64().expect("a status")).expect("three digits");
    let body = match &answer["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let headers = answer["headers"]["retry-after"].as_str().map(|after| ("retry-after", after.to_owned()));
    Step::Reply { status, headers: headers.into_iter().collect(), body }
}

/// In what the delivery of a record differs from what the table says of it.
fn faults_of(row: &Value, found: Option<&Outcome>, requests: usize, now: DateTime<Utc>) -> Vec<String> {
    let id = row["id"].as_str().expect("an id");
    let wanted = match (row["outcome"].as_str().expect("an outcome"), row["code"].as_str()) {
        // Its answer says success and names no record.
        ("succeeded", _) if id == "N09" => Some(("delivered", Some("no_remote_id"), 1)),
        // A duplicate is of the session of an earlier record, whose line it is: there was one request.
        ("succeeded" | "duplicate", _) => Some(("delivered", None, 1)),
        ("failed", Some("DOWNSTREAM_REJECTED")) => Some(("failed", Some("refused"), 1)),
        ("failed", Some("RETRYABLE")) => Some(("failed", Some("retryable"), 1)),
        ("failed", Some("AUTH")) => Some(("failed", Some("barred"), 1)),
        ("failed", Some("UNKNOWN_OUTCOME")) => Some(("unknown", Some("unknown"), 1)),
        ("rejected", code) => Some(("rejected", code, 0)),
        ("invalid", _) => None,
        (other, _) => panic!("{id}: no rule for {other}"),
    };
    let mut faults = Vec::new();
    let is = found.map(|one| (one.state.as_str(), one.code.as_deref(), requests));
    if is != wanted {
        faults.push(format!("{id}: {is:?} instead of {wanted:?}"));
    }
    if let Some(wanted) = row["fields"]["npa_record_id"].as_str()
        && found.and_then(|one| one.remote_id.as_deref()) != Some(wanted)
    {
        faults.push(format!("{id}: the remote id is not {wanted}"));
    }
    if let (Some(seconds), Some(one)) = (row["fields"]["retry_after_s"].as_i64(), found)
        && one.due_at != now + TimeDelta::seconds(seconds)
    {
        faults.push(format!("{id}: due at {}", one.due_at));
    }
    faults
}

/// The whole file against a mock that answers what the file says: every record comes to the end that the table names.
#[tokio::test]
async fn npas_conversations_come_out_record_by_record() {
    let mut test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "npa").await;
    // One of them is never answered.
    test.restart_with(|settings| settings.delivery.client.deadline = Duration::from_millis(700));
    let lines = fs::read_to_string(fixture("npa_ivr.ndjson")).expect("the file");
    let records: Vec<Option<Value>> = lines.split('\n').map(|line| serde_json::from_str(line).ok()).collect();
    let answers: BTreeMap<String, Step> = records
        .iter()
        .flatten()
        .filter(|record| !record["simulated_response"].is_null())
        .map(|record| (record["session_id"].to_string(), simulated(record)))
        .collect();
    let crm = FakeCrm::answering(move |request: &Received| {
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        let session = body["refNumber"].as_str().expect("a reference");
        answers.get(session).cloned().unwrap_or_else(|| panic!("no call may be made for session {session}"))
    })
    .await;
    // One at a time and no pause of the breaker: the file is about records, and the destination is held by one of them.
    let settings = json!({ "limits": { "concurrency": 1, "breaker_failures": 0 } });
    let to = destination(&test.app, tenant, "npa", crm.url(), &NPA, settings).await;
    import_file(&test.app, tenant, &source, &fixture("npa_ivr.ndjson")).await;

    // Record N08 is answered 401, which holds the destination: what is behind it waits until a person has acted.
    // Another is answered 429, which stops whoever was told so; the next worker was not.
    let mut held = 0;
    for _ in 0..4 {
        deliver(&test.app).await;
        let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
        let row = manage::by_id(&tx, to).await.expect("the destination");
        drop(tx);
        if row.breaker == "held" {
            held += 1;
            assert!(
                row.breaker_reason.as_deref().is_some_and(|reason| reason.starts_with("HTTP 401")),
                "{row:?}"
            );
            assert_eq!(deliver(&test.app).await.claimed, 0, "nothing is sent to a held destination");
            sqlx::query(
                "UPDATE destination SET breaker = 'closed', breaker_since = NULL, breaker_reason = NULL",
            )
            .execute(test.app.database.owner.as_ref().expect("the owner's pool"))
            .await
            .expect("released, and what failed is left for later");
        }
    }
    assert_eq!(held, 1);

    let table: Value =
        serde_json::from_str(&fs::read_to_string(fixture("expected.json")).expect("the table"))
            .expect("JSON");
    let table = table["files"]["npa_ivr.ndjson"].as_array().expect("records");
    let found: BTreeMap<String, Outcome> =
        outcomes(&test.app, tenant).await.into_iter().map(|one| (one.external_id.clone(), one)).collect();
    let sent: BTreeMap<String, Received> = crm
        .received()
        .into_iter()
        .map(|request| (request.json()["refNumber"].as_str().expect("a reference").to_owned(), request))
        .collect();
    let faults: Vec<String> = table
        .iter()
        .zip(&records)
        .filter_map(|(row, record)| Some((row, record.as_ref()?)))
        .flat_map(|(row, record)| {
            let session = record["session_id"].to_string();
            let requests =
                crm.received().iter().filter(|one| one.json()["refNumber"] == session.as_str()).count();
            faults_of(row, found.get(&session), requests, test.app.clock.now())
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let count = |state: &str| found.values().filter(|one| one.state == state).count();
    assert_eq!((count("delivered"), count("failed"), count("unknown"), count("rejected")), (9, 4, 2, 7));

    // What was sent is NPA's form, with its credentials and its content type; a record without a number has the caller's.
    let first = &sent["901"];
    assert_eq!(first.headers["content-type"], "application/json-patch+json");
    let body = first.json();
    assert_eq!(body["sessionToken"], "npa-session-token");
    assert_eq!((&body["firstName"], &body["lastName"]), (&json!("Pat"), &json!("Rider01")));
    assert_eq!((&body["phone"], &body["year"]), (&json!("4065550101"), &json!("2020")));
    assert_eq!(sent["903"].json().get("lastName"), None, "a name of one word has no last name");
    assert_eq!(sent["920"].json()["phone"], "4065550120");
    assert_eq!(sent["921"].json()["email"], "jane.roe@example.com");

    // Scenario 1: the credential is changed and the destination resumed; what failed because of it is tried again.
    let change = DestinationChange {
        credentials: [("session_token".to_owned(), SecretString::from("a-new-session-token"))].into(),
        ..DestinationChange::default()
    };
    manage::update(&test.app, tenant, to, change).await.expect("changed");
    let barred = &found["908"];
    assert_eq!((barred.state.as_str(), barred.attempts), ("failed", 1));
    let released = test.app.retries().resume(tenant, to, "user_kim").await.expect("resumed");
    assert_eq!(released, 3, "N06, N08 and N11; a refusal stays refused, and what is unknown is a decision");
    test.app.clock.advance(TimeDelta::seconds(120));
    deliver(&test.app).await;
    let last = crm.received().into_iter().rfind(|one| one.json()["refNumber"] == "908").expect("sent again");
    assert_eq!(last.json()["sessionToken"], "a-new-session-token");
}

async fn one_delivery(app: &App, tenant: TenantId) -> DeliveryRow {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let page = service::intake::leads::Page { rows: 2, after: None, before: None, from_end: false };
    let filter = service::delivery::reads::DeliveryFilter::default();
    let found =
        service::delivery::reads::list(&tx, &filter, page, app.clock.now()).await.expect("deliveries");
    assert_eq!(found.rows.len(), 1);
    found.rows.into_iter().next().expect("one")
}

fn kara() -> Value {
    json!({
        "Lead ID": "LS-1001", "First Name": "kara", "Last Name": "O'NEIL", "State": "Colorado", "ZIP": "80301",
        "Pri. Phone": "(970) 555-0101", "Email": "Kara@Example.com", "BAL_ONE": "250000.55", "VA Eligible": "yes"
    })
}

/// A form, always answered 200: the body says what became of it.
#[tokio::test]
async fn boberdoo_is_posted_a_form_and_judged_by_its_body() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([
        Step::body(200, r#"{"response":{"errors":{"error":"Invalid Key"}}}"#),
        Step::body(200, r#"{"response":{"status":"Matched","lead_id":50001}}"#),
    ])
    .await;
    let settings = json!({ "request": { "body": { "TYPE": "19", "Test_Lead": "1" } } });
    let to =
        destination(&test.app, tenant, "boberdoo", crm.url(), &[("key", "bob-key-12345")], settings).await;
    submit(&test.app, tenant, &source, &kara()).await;
    deliver(&test.app).await;
    let row = one_delivery(&test.app, tenant).await;
    assert_eq!((row.state.as_str(), crm.count()), ("pending", 1), "it waits for the key");
    assert_eq!(test.app.retries().resume(tenant, to, "user_kim").await.expect("resumed"), 1);
    deliver(&test.app).await;
    let row = one_delivery(&test.app, tenant).await;
    assert_eq!((row.state.as_str(), row.remote_id.as_deref()), ("delivered", Some("50001")));
    let request = &crm.received()[1];
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    for pair in
        ["Key=bob-key-12345", "TYPE=19", "First_Name=Kara", "Last_Name=O%27Neil", "Primary_Phone=9705550101"]
    {
        assert!(request.body.split('&').any(|found| found == pair), "{pair} in {}", request.body);
    }
}

async fn run_dry(
    test: &TestApp,
    tenant: TenantId,
    to: DestinationId,
    lead: domain::ids::LeadId,
) -> Result<Option<DryRun>, service::delivery::Error> {
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    dry_run(&test.app, &tx, to, lead).await
}

/// The exact request, and no secret in it.
#[tokio::test]
async fn a_dry_run_shows_the_request_and_masks_every_secret() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let other = test.tenant("globex").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    let settings = json!({ "rejections": [
        { "code": "state", "reason": "Not in Alaska.", "when": { "field": "state", "in": ["AK"] } },
    ]});
    let to =
        destination(&test.app, tenant, "bonzo_api", crm.url(), &[("token", "bonzo-token-1")], settings).await;
    let lead = submit(&test.app, tenant, &source, &kara()).await.lead.expect("a lead");
    let run = run_dry(&test, tenant, to, lead).await.expect("no error").expect("both are there");
    assert_eq!(run.verdict, Verdict::Send);
    let shown = run.request.expect("a request");
    assert_eq!((shown.method, shown.headers["authorization"].as_str()), ("POST", "Bearer [secret]"));
    let body: Value = serde_json::from_str(&shown.body).expect("JSON");
    assert_eq!((&body["first_name"], &body["veteran"]), (&json!("Kara"), &json!(true)));
    let asked: Vec<&str> = run.lookups.iter().map(|one| one.body.as_str()).collect();
    assert_eq!(asked, ["search=LS-1001", "search=9705550101", "search=kara%40example.com"]);
    let all = format!("{:?} {:?} {:?}", shown, run.lookups, shown.url);
    assert!(!all.contains("bonzo-token-1") && !all.contains("0123456789abcdef"), "{all}");
    assert_eq!(run_dry(&test, other, to, lead).await.expect("no error"), None, "not yours is not found");
    assert_eq!(crm.count(), 0);

    let alaska = json!({ "Lead ID": "LS-2", "First Name": "Ann", "State": "AK", "Email": "ann@example.com" });
    let lead = submit(&test.app, tenant, &source, &alaska).await.lead.expect("a lead");
    let run = run_dry(&test, tenant, to, lead).await.expect("no error").expect("both are there");
    let reason = "Not in Alaska.".to_owned();
    assert_eq!(run.verdict, Verdict::Rejected { code: "state".to_owned(), reason });
}

/// Settings that cannot work are refused with their place; nothing is half-written.
#[tokio::test]
async fn settings_are_checked_before_they_are_kept() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let new = |credentials: BTreeMap<String, SecretString>, settings: Value| NewDestination {
        slug: "npa".to_owned(),
        name: None,
        kind: "npa".to_owned(),
        url: "http://127.0.0.1:9/api/Lead/LeadCreate".to_owned().into(),
        first_name_fallback: None,
        settings: Some(settings),
        credentials,
    };
    let secrets = || NPA.map(|(name, secret)| (name.to_owned(), SecretString::from(secret))).into();
    let refused =
        manage::create(&test.app, tenant, new(BTreeMap::new(), json!({}))).await.expect_err("refused");
    assert!(refused.to_string().contains("data_provider_dealer_token, session_token"), "{refused}");
    let settings = json!({ "request": { "body": { "vin": "{details.vin|shout}" } } });
    let refused = manage::create(&test.app, tenant, new(secrets(), settings)).await.expect_err("refused");
    assert!(refused.to_string().contains("request.body: vin: there is no filter `shout`"), "{refused}");
    let row = manage::create(&test.app, tenant, new(secrets(), json!({}))).await.expect("made").0;
    let change = DestinationChange { settings: Some(json!({ "nope": 1 })), ..DestinationChange::default() };
    let refused =
        manage::update(&test.app, tenant, DestinationId(row.id), change).await.expect_err("refused");
    assert!(refused.to_string().contains("nope"), "{refused}");
    let names = manage::credential_names(&test.app, tenant, &row).expect("opened");
    assert_eq!(names, ["data_provider_dealer_token", "session_token"]);
}

/// Both secrets sign for a while; afterwards the new one alone.
#[tokio::test]
async fn a_signing_secret_changes_without_losing_a_message() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    let new = NewDestination {
        slug: "hook".to_owned(),
        name: None,
        kind: "webhook".to_owned(),
        url: crm.url().into(),
        first_name_fallback: None,
        settings: None,
        credentials: BTreeMap::new(),
    };
    let (row, first) = manage::create(&test.app, tenant, new).await.expect("a destination");
    let first = first.expect("a secret");
    let id = DestinationId(row.id);
    let (_, second) =
        manage::rotate_signing_secret(&test.app, tenant, id, TimeDelta::hours(2)).await.expect("rotated");
    let verified = |request: &Received, secret: &SecretString| {
        use secrecy::ExposeSecret as _;
        let signer = standardwebhooks::Webhook::new(secret.expose_secret()).expect("a secret");
        let timestamp = request.headers["webhook-timestamp"].parse().expect("seconds");
        let signature =
            signer.sign(request.webhook_id(), timestamp, request.body.as_bytes()).expect("signed");
        request.headers["webhook-signature"].split(' ').any(|one| one == signature)
    };
    submit(&test.app, tenant, &source, &kara()).await;
    deliver(&test.app).await;
    let request = &crm.received()[0];
    assert!(verified(request, &first) && verified(request, &second), "{:?}", request.headers);
    test.app.clock.advance(TimeDelta::hours(3));
    let later = json!({ "Lead ID": "LS-2", "First Name": "Ann", "Email": "ann@example.com" });
    submit(&test.app, tenant, &source, &later).await;
    deliver(&test.app).await;
    let request = &crm.received()[1];
    assert!(!verified(request, &first) && verified(request, &second), "{:?}", request.headers);
    let id: DeliveryId = request.webhook_id().parse().expect("the delivery's id");
    assert!(!id.uuid().is_nil());
}
