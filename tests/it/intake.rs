//! Files and single leads on their way in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::Arc;

use domain::ids::{ImportId, TenantId};
use entity::lead_source;
use serde_json::{Value, json};
use service::App;
use service::database::Mode;
use service::intake::imports::{self, Counts, ReceivedFile};
use service::intake::leads::{self, LeadFilter, LeadRow, Page};
use service::intake::listing::{self, FailedFilter};
use service::intake::submit::{self, Outcome, Submission};
use service::intake::{export, failed, run};
use sha2::{Digest, Sha256};
use tests::{TestApp, fixture};

const PAGE: Page = Page { rows: 100, after: None, before: None, from_end: false };

async fn import(
    app: &Arc<App>,
    tenant: TenantId,
    source: &lead_source::Model,
    file: &str,
) -> (ImportId, run::Ended) {
    let path = fixture(file);
    let content = fs::read(&path).expect("a fixture");
    let received = ReceivedFile {
        name: file.to_owned(),
        bytes: content.len() as u64,
        hash: Sha256::digest(&content).into(),
        stored_as: None,
    };
    let id = imports::receive(app, tenant, source, received, None).await.expect("received").import;
    let leased =
        imports::lease(app, tenant, id, Some(path)).await.expect("no error").expect("nobody else has it");
    (id, run::run(app, &leased).await.expect("an end"))
}

async fn all_leads(app: &App, tenant: TenantId) -> Vec<LeadRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    leads::list(&tx, &LeadFilter::default(), PAGE).await.expect("leads").rows
}

fn done(ended: &run::Ended) -> Counts {
    match ended {
        run::Ended::Done(counts) => *counts,
        other => panic!("not done: {other:?}"),
    }
}

/// A lead's fields under the names of `expected.json`.
fn fields(lead: &LeadRow) -> BTreeMap<String, Value> {
    let ten = |phone: &String| phone.strip_prefix("+1").unwrap_or(phone).to_owned();
    let mut fields: BTreeMap<String, Value> = serde_json::from_str(lead.details.get()).expect("an object");
    for (name, value) in [
        ("external_id", json!(lead.external_id)),
        ("first_name", json!(lead.first_name)),
        ("last_name", json!(lead.last_name)),
        ("phone", json!(lead.phone.as_ref().map(ten))),
        ("phone_ext", json!(lead.phone_ext)),
        ("alt_phones", json!(lead.alt_phones.iter().flatten().map(ten).collect::<Vec<_>>())),
        ("email", json!(lead.email)),
        ("alt_emails", json!(lead.alt_emails.clone().unwrap_or_default())),
        ("address", json!(lead.address)),
        ("state", json!(lead.state)),
        ("zip", json!(lead.zip)),
        ("zip4", json!(lead.zip4)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    fields
}

fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() < 1e-9,
        _ => left == right,
    }
}

/// Each stored record of the three files has the outcome and the field values of `expected.json`.
#[tokio::test]
async fn every_record_comes_out_as_expected() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixture("expected.json")).expect("a fixture")).expect("JSON");
    for (file, kind) in
        [("experian.csv", "experian"), ("transunion.csv", "transunion"), ("leadsource.json", "leadsource")]
    {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let source = test.source(tenant, kind).await;
        let (id, ended) = import(&test.app, tenant, &source, file).await;
        let counts = done(&ended);
        let wanted = |outcome: &str| expected["counts"][file][outcome].as_i64().unwrap_or(0);
        assert_eq!(
            [
                counts.records,
                counts.accepted,
                counts.warned,
                counts.updated,
                counts.duplicates,
                counts.rejected,
                counts.skipped
            ],
            [
                wanted("records"),
                wanted("accept"),
                wanted("warn"),
                wanted("update"),
                wanted("duplicate"),
                wanted("reject"),
                wanted("skip")
            ],
            "{file}"
        );
        let leads = all_leads(&test.app, tenant).await;
        let refused = refused(&test.app, tenant, id).await;
        let mut updated = Vec::new();
        for record in expected["files"][file].as_array().expect("records") {
            let number = i32::try_from(record["record"].as_i64().expect("a number")).expect("small");
            let lead = leads.iter().find(|lead| lead.record == Some(number));
            match record["outcome"].as_str().expect("an outcome") {
                outcome @ ("accept" | "warn" | "update") => {
                    // A lead that a later record has revised carries that record's number.
                    let Some(lead) = lead else {
                        updated.push(record["id"].clone());
                        continue;
                    };
                    assert_eq!(lead.warnings.is_some(), outcome == "warn", "{file} {number}");
                    let fields = fields(lead);
                    for (name, value) in record["fields"].as_object().into_iter().flatten() {
                        if name == "updates" {
                            assert!(updated.contains(value), "{file} {number} updates {value}");
                            continue;
                        }
                        let have = fields.get(name).unwrap_or(&Value::Null);
                        assert!(same(have, value), "{file} {number} {name}: {have} instead of {value}");
                    }
                }
                "reject" => {
                    assert!(lead.is_none(), "{file} {number} must not be a lead");
                    let codes = &refused.iter().find(|(record, _)| *record == number).expect("refused").1;
                    assert!(
                        codes.contains(&record["code"].as_str().expect("a code").to_owned()),
                        "{file} {number}: {codes:?}"
                    );
                }
                _ => assert!(lead.is_none(), "{file} {number} must not be a lead"),
            }
        }
        assert_eq!(i64::try_from(updated.len()).expect("small"), counts.updated, "{file}: {updated:?}");
        again_changes_nothing(&test, tenant, &source, file).await;
    }
}

async fn refused(app: &App, tenant: TenantId, import: ImportId) -> Vec<(i32, Vec<String>)> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let rows: Vec<(i32, Value)> =
        sqlx::query_as("SELECT record, reasons FROM failed_record WHERE import_id = $1")
            .bind(import.uuid())
            .fetch_all(tx.connection())
            .await
            .expect("refused records");
    let code = |reason: &Value| reason["code"].as_str().expect("a code").to_owned();
    rows.into_iter()
        .map(|(record, reasons)| (record, reasons.as_array().expect("reasons").iter().map(code).collect()))
        .collect()
}

async fn snapshot(app: &App, tenant: TenantId) -> Vec<Value> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let mut rows = Vec::new();
    for table in ["lead", "lead_event", "failed_record", "delivery"] {
        let sql = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY 1");
        let found: Vec<Value> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(tx.connection()).await.expect("rows");
        rows.extend(found);
    }
    rows
}

async fn again_changes_nothing(test: &TestApp, tenant: TenantId, source: &lead_source::Model, file: &str) {
    let before = snapshot(&test.app, tenant).await;
    let (id, ended) = import(&test.app, tenant, source, file).await;
    let counts = done(&ended);
    assert_eq!((counts.accepted, counts.warned, counts.updated), (0, 0, 0), "{file}");
    assert_eq!(snapshot(&test.app, tenant).await, before, "{file}");
    the_second_import_shows_what_was_refused(&test.app, tenant, id, counts.rejected).await;
}

/// Refused records are kept once, under the import that came first; who follows the second one finds them, too.
async fn the_second_import_shows_what_was_refused(
    app: &App,
    tenant: TenantId,
    second: ImportId,
    rejected: i64,
) {
    assert!(rejected > 0, "the file has records that are refused");
    let rejected = usize::try_from(rejected).expect("small");
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let filter = FailedFilter { import: Some(second), ..FailedFilter::default() };
    let listed = listing::failed_records(&tx, &filter, PAGE).await.expect("refused records").rows;
    assert_eq!(listed.len(), rejected);
    assert!(listed.iter().all(|row| row.import_id != Some(second.uuid())));
    let counted = listing::count_failed_records(&tx, &filter, 1_000).await.expect("a count");
    assert_eq!(usize::try_from(counted).expect("small"), rejected);
    let content = export::failed_csv(app, &tx, second).await.expect("an export");
    let exported = csv::Reader::from_reader(&content[..]).into_records().count();
    assert_eq!(exported, rejected);
}

/// The same lead from a hundred requests at once is one lead.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_at_once_are_one_lead() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = Arc::new(test.source(tenant, "leadsource").await);
    let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"}).to_string();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, source, record) = (Arc::clone(&test.app), Arc::clone(&source), record.clone());
        requests.spawn(async move {
            let submission =
                Submission { source: &source, record: &record, channel: "api", idempotency_key: None };
            submit::submit(&app, tenant, submission).await.expect("an answer")
        });
    }
    let answers = requests.join_all().await;
    let count = |outcome| answers.iter().filter(|answer| answer.outcome == outcome).count();
    assert_eq!((count(Outcome::Accepted), count(Outcome::Duplicate)), (1, 99));
    assert_eq!(all_leads(&test.app, tenant).await.len(), 1);
    assert!(answers.iter().all(|answer| answer.lead == answers[0].lead));
}

/// A refused record is corrected column by column and becomes a lead.
#[tokio::test]
async fn a_refused_record_is_corrected() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "experian").await;
    import(&test.app, tenant, &source, "experian.csv").await;
    let mut tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM failed_record WHERE record = 6")
        .fetch_one(tx.connection())
        .await
        .expect("record 6 was refused");
    drop(tx);
    let id = domain::ids::FailedRecordId(id);
    let wrong = BTreeMap::from([("Telephone # 1".to_owned(), "12".to_owned())]);
    let answer = failed::correct(&test.app, tenant, id, &wrong, "user").await.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Rejected);
    let right = BTreeMap::from([("Telephone # 1".to_owned(), "303 555 0199".to_owned())]);
    let answer = failed::correct(&test.app, tenant, id, &right, "user").await.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Accepted);
    let lead = all_leads(&test.app, tenant)
        .await
        .into_iter()
        .find(|lead| Some(lead.id) == answer.lead.map(domain::ids::LeadId::uuid));
    let lead = lead.expect("the lead is there");
    assert_eq!((lead.first_name.as_deref(), lead.phone.as_deref()), (Some("Fay"), Some("+13035550199")));
    assert!(failed::correct(&test.app, tenant, id, &right, "user").await.is_err(), "it is corrected already");
}

/// Two people who correct one record at once, each in their own way, make one lead; the second one is told.
#[tokio::test]
async fn of_two_corrections_at_once_one_counts() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let record = r#"{"First Name":"Fay","Pri. Phone":"12"}"#;
    let submission = Submission { source: &source, record, channel: "api", idempotency_key: None };
    let refused = submit::submit(&test.app, tenant, submission).await.expect("an answer");
    let id = refused.failed.expect("it is kept");
    let correct = async |phone: &str| {
        let values = BTreeMap::from([("Pri. Phone".to_owned(), phone.to_owned())]);
        failed::correct(&test.app, tenant, id, &values, "user").await
    };
    let (one, other) = tokio::join!(correct("303 555 0198"), correct("303 555 0199"));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    let late = if one.is_ok() { other } else { one };
    assert!(matches!(late, Err(service::Error::Conflict(_))), "{late:?}");
    assert_eq!(all_leads(&test.app, tenant).await.len(), 1);
    let late = failed::dismiss(&test.app, tenant, id, "user").await;
    assert!(matches!(late, Err(service::Error::Conflict(_))), "{late:?}");
}

/// A key that was used with another body is refused; with the same body it is answered from memory.
#[tokio::test]
async fn an_idempotency_key_belongs_to_one_body() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let submit = async |record: &str| {
        let submission =
            Submission { source: &source, record, channel: "api", idempotency_key: Some("order-1") };
        submit::submit(&test.app, tenant, submission).await
    };
    let first = submit(r#"{"First Name":"Ada","Email":"ada@example.com"}"#).await.expect("an answer");
    let second = submit(r#"{"First Name":"Ada","Email":"ada@example.com"}"#).await.expect("an answer");
    assert_eq!(first, second);
    let other = submit(r#"{"First Name":"Bob","Email":"bob@example.com"}"#).await;
    assert!(matches!(other, Err(service::Error::Conflict(_))), "{other:?}");
    assert_eq!(all_leads(&test.app, tenant).await.len(), 1);
}

/// What the file's end is wrong about leaves nothing of it behind.
#[tokio::test]
async fn a_file_with_a_broken_end_leaves_nothing() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let mut content = fs::read(fixture("leadsource.json")).expect("a fixture");
    content.truncate(content.len() - 20);
    let path = test.folder.path().join("broken.json");
    fs::write(&path, &content).expect("written");
    let received = ReceivedFile {
        name: "broken.json".to_owned(),
        bytes: content.len() as u64,
        hash: Sha256::digest(&content).into(),
        stored_as: None,
    };
    let id = imports::receive(&test.app, tenant, &source, received, None).await.expect("received").import;
    let leased =
        imports::lease(&test.app, tenant, id, Some(path.clone())).await.expect("no error").expect("free");
    let ended = run::run(&test.app, &leased).await.expect("an end");
    assert!(matches!(&ended, run::Ended::Failed(why) if why.contains("JSON_UNTERMINATED")), "{ended:?}");
    assert!(all_leads(&test.app, tenant).await.is_empty());
    assert!(run::check(File::open(path).expect("there"), &source, &test.app.file_rules()).is_err());
}

/// The first accent comes after the megabyte by which a file is judged: it is read as what all of it says.
#[tokio::test]
async fn an_accent_late_in_a_long_file_is_kept() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let first = r#"[{"Lead ID":"LS-1","First Name":"Ada","Last Name":"Cole","Pri. Phone":"3035550101","State":"CO"},"#;
    let second = b"{\"Lead ID\":\"LS-2\",\"First Name\":\"Ren\xe9\",\"Last Name\":\"Cole\",\"Pri. Phone\":\"3035550102\",\"State\":\"CO\"}]";
    let path = test.folder.path().join("late.json");
    fs::write(&path, [first.as_bytes(), " ".repeat(1 << 20).as_bytes(), second].concat()).expect("written");
    let (id, ended) = tests::data::import_file(&test.app, tenant, &source, &path).await;
    let counts = done(&ended);
    assert_eq!((counts.records, counts.rejected), (2, 0), "{counts:?}");
    let leads = all_leads(&test.app, tenant).await;
    assert!(leads.iter().any(|lead| lead.first_name.as_deref() == Some("Ren\u{e9}")), "{leads:?}");
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let stored = imports::by_id(&tx, id).await.expect("the import").encoding;
    assert_eq!(stored.as_deref(), Some("windows-1252"));
}

/// A revision that brings what a held delivery lacked sends it on its way.
#[tokio::test]
async fn a_revision_releases_what_was_held() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let new = service::delivery::manage::NewDestination {
        slug: "crm".to_owned(),
        name: None,
        kind: "bonzo".to_owned(),
        url: "http://127.0.0.1:9/api/webhook/x".to_owned().into(),
        first_name_fallback: None,
        settings: None,
        credentials: BTreeMap::new(),
    };
    service::delivery::manage::create(&test.app, tenant, new).await.expect("a destination");
    let submit = async |record: &str| {
        let submission = Submission { source: &source, record, channel: "api", idempotency_key: None };
        submit::submit(&test.app, tenant, submission).await.expect("an answer").outcome
    };
    assert_eq!(submit(r#"{"Lead ID":"1","Email":"ada@example.com"}"#).await, Outcome::Warned);
    test.app.delivery_worker().expect("a worker").run_due_work().await.expect("done");
    assert_eq!(states(&test.app, tenant).await, ["held"]);
    assert_eq!(
        submit(r#"{"Lead ID":"1","First Name":"Ada","Email":"ada@example.com"}"#).await,
        Outcome::Updated
    );
    assert_eq!(states(&test.app, tenant).await, ["pending"]);
}

async fn states(app: &App, tenant: TenantId) -> Vec<String> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    sqlx::query_scalar("SELECT state FROM delivery").fetch_all(tx.connection()).await.expect("states")
}
