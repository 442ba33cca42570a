//! Imports that meet trouble: what costs a record, what costs a try, and what ends them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::{ImportId, TenantId};
use entity::lead_source;
use serde_json::{Value, json};
use service::Error;
use service::database::Mode;
use service::intake::imports::{self, LEASE_SECONDS, ReceivedFile, lease};
use service::intake::leads::Page;
use service::intake::listing::{self, FailedFilter};
use service::intake::run::{Ended, run};
use service::intake::sources::{self, NewSource, SourceChange};
use service::intake::submit::Submission;
use service::intake::worker;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgPool};
use tests::data::{counts, import_file, import_state, rows, submit, token};
use tests::{TestApp, source_id};
use tokio_util::sync::CancellationToken;

/// The conversation of a lead, as a provider of the kind `npa` sends it.
fn conversation(number: u32, channel: &str) -> Value {
    let phone = format!("406555{:04}", 100 + number);
    let said = json!({ "full_name": "Pat Rider", "phone": phone, "vehicle_year": "2020" });
    json!({ "session_id": number, "channel": channel, "lead_data": said })
}

async fn channels(test: &TestApp, tenant: TenantId) -> Vec<String> {
    let mut channels: Vec<String> = rows(&test.app, tenant, &["lead"])
        .await
        .iter()
        .map(|lead| lead["channel"].as_str().expect("a channel").to_owned())
        .collect();
    channels.sort();
    channels
}

/// A word that no lead can be stored under costs a warning, not the batch with every record in it.
#[tokio::test]
async fn a_channel_that_nobody_knows_becomes_the_way_in() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "npa").await;
    let lines: Vec<String> = ["SMS", "fax", "voice"]
        .into_iter()
        .zip(1..)
        .map(|(channel, number)| conversation(number, channel).to_string())
        .collect();
    let lines = lines.join("\n") + "\n";
    let path = test.folder.path().join("npa.ndjson");
    std::fs::write(&path, lines).expect("written");
    let (import, _) = import_file(&test.app, tenant, &source, &path).await;
    let counts = counts(&test.app, tenant, import).await;
    assert_eq!((counts.accepted, counts.warned, counts.rejected), (2, 1, 0));
    assert_eq!(channels(&test, tenant).await, ["file", "sms", "voice"]);
    let kept: Vec<Value> = rows(&test.app, tenant, &["lead"])
        .await
        .into_iter()
        .filter(|lead| lead["channel"] == "file")
        .map(|lead| lead["extra"]["channel"].clone())
        .collect();
    assert_eq!(kept, [json!("fax")], "what it said is kept");

    let answer = submit(&test.app, tenant, &source, &conversation(4, "Fax")).await;
    assert_eq!(answer.reasons[0].field, "channel");
    assert_eq!(channels(&test, tenant).await, ["api", "file", "sms", "voice"]);
}

/// A file of one lead that waits for its import.
async fn waiting(test: &TestApp) -> (TenantId, ImportId) {
    upload(test, "Lead ID,First Name,Pri. Phone\nLS-1,Ada,3035550101\n").await
}

async fn upload(test: &TestApp, file: &'static str) -> (TenantId, ImportId) {
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let token = token(&test.app, tenant, &source).await;
    (tenant, test.web().file("leadsource", &token, file).await.import())
}

fn owner(test: &TestApp) -> &PgPool {
    test.database.database.owner.as_ref().expect("the owner's pool")
}

/// From now on no lead can be stored; the database says that code.
async fn refuse_leads(test: &TestApp, code: &str) {
    let function = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$"
    );
    sqlx::query(AssertSqlSafe(function)).execute(owner(test)).await.expect("a function");
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION refuse()";
    sqlx::query(trigger).execute(owner(test)).await.expect("a trigger");
}

async fn take_leads(test: &TestApp) {
    sqlx::query("DROP TRIGGER refuse ON lead").execute(owner(test)).await.expect("no trigger");
}

/// It is tried again after longer and longer pauses, and then it ends with a message that says what to do.
#[tokio::test]
async fn an_error_that_lasts_ends_the_import() {
    let test = TestApp::new().await;
    let (tenant, import) = waiting(&test).await;
    refuse_leads(&test, "23514").await;
    for failure in 1..5 {
        worker::run_waiting(&test.app).await.expect_err("it cannot be stored");
        let (state, error) = import_state(&test.app, tenant, import).await;
        assert_eq!((state.as_str(), error), ("running", None));
        test.app.clock.advance(TimeDelta::seconds(4_i64.pow(failure) - 1));
        assert_eq!(worker::run_waiting(&test.app).await.expect("it pauses"), 0, "after {failure}");
        test.app.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(worker::run_waiting(&test.app).await.expect("it ends"), 1);
    let (state, error) = import_state(&test.app, tenant, import).await;
    let error = error.expect("why it failed");
    assert_eq!(state, "failed");
    assert!(error.contains("send the file again") && !error.contains("not now"), "{error}");
    assert!(test.uploads().is_empty());
    assert_eq!(worker::run_waiting(&test.app).await.expect("nothing waits"), 0);
}

/// What was mended in time is forgotten.
#[tokio::test]
async fn an_import_that_goes_on_begins_its_count_anew() {
    let test = TestApp::new().await;
    let (tenant, import) = waiting(&test).await;
    refuse_leads(&test, "23514").await;
    worker::run_waiting(&test.app).await.expect_err("it cannot be stored");
    assert_eq!(rows(&test.app, tenant, &["import"]).await[0]["failures"], 1);
    take_leads(&test).await;
    test.app.clock.advance(TimeDelta::seconds(4));
    assert_eq!(worker::run_waiting(&test.app).await.expect("it runs"), 1);
    assert_eq!(counts(&test.app, tenant, import).await.accepted, 1);
    assert_eq!(rows(&test.app, tenant, &["import"]).await[0]["failures"], 0);
}

/// A database that restarts is no reason to give an import up, however often it does.
#[tokio::test]
async fn an_error_that_passes_counts_nothing() {
    let test = TestApp::new().await;
    let (tenant, import) = waiting(&test).await;
    refuse_leads(&test, "57P01").await;
    for _ in 0..6 {
        let error = worker::run_waiting(&test.app).await.expect_err("it does not answer");
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }
    take_leads(&test).await;
    assert_eq!(worker::run_waiting(&test.app).await.expect("it runs"), 1);
    assert_eq!(import_state(&test.app, tenant, import).await, ("done".to_owned(), None));
}

/// Who was so slow that another process has taken the import over leaves it the file and the last word.
#[tokio::test]
async fn a_run_that_was_overtaken_ends_nothing() {
    let test = TestApp::new().await;
    let (tenant, import) = upload(&test, "colour,size\nred,10\n").await;
    let slow = lease(&test.app, tenant, import, None).await.expect("no error").expect("it is free");
    test.app.clock.advance(TimeDelta::seconds(LEASE_SECONDS));
    let next = lease(&test.app, tenant, import, None).await.expect("no error").expect("the lease has ended");
    let ended = run(&test.app, &slow).await.expect("an end");
    assert!(matches!(ended, Ended::Stopped(_)), "{ended:?}");
    assert_eq!(test.uploads().len(), 1, "the other one reads it");
    let ended = run(&test.app, &next).await.expect("an end");
    assert!(matches!(&ended, Ended::Failed(why) if why.contains("NO_KNOWN_COLUMN")), "{ended:?}");
    assert!(test.uploads().is_empty());
}

/// A source with those fields.
async fn own_source(test: &TestApp, tenant: TenantId, fields: Value) -> lead_source::Model {
    let mapping = Some(json!({ "fields": fields }));
    let new = NewSource { slug: "own".to_owned(), name: None, kind: "generic".to_owned(), mapping };
    sources::create(&test.app, tenant, new).await.expect("a source")
}

/// The source, from now on with those fields.
async fn mapped(
    test: &TestApp,
    tenant: TenantId,
    source: &lead_source::Model,
    fields: Value,
) -> lead_source::Model {
    let change = SourceChange { mapping: Some(json!({ "fields": fields })), ..SourceChange::default() };
    sources::update(&test.app, tenant, source_id(source), change).await.expect("mapped anew")
}

/// A process that is stopped in good order lets its import go at once, and leaves nothing behind that would hold it.
#[tokio::test]
async fn an_orderly_stop_gives_the_import_to_the_next_process() {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(10);
    let test = TestApp::new().await;
    let (tenant, import) = waiting(&test).await;
    let mut lock = owner(&test).begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE lead IN EXCLUSIVE MODE").execute(&mut *lock).await.expect("locked");
    let users = Arc::strong_count(&test.app);
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker::work(Arc::clone(&test.app), stop.clone()));
    let begun = async {
        while rows(&test.app, tenant, &["import"]).await[0]["encoding"].is_null() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("it has begun and waits for the table");
    stop.cancel();
    tokio::time::timeout(PATIENCE, working).await.expect("it leaves").expect("no panic");
    let next = lease(&test.app, tenant, import, None).await.expect("no error").expect("it is free");
    let left = async {
        while Arc::strong_count(&test.app) > users {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.expect("no heartbeat goes on");
    lock.rollback().await.expect("unlocked");
    let ended = run(&test.app, &next).await.expect("an end");
    assert!(matches!(&ended, Ended::Done(counts) if counts.accepted == 1), "{ended:?}");
}

/// A file is imported once more with a mended mapping: what is a lead now waits no longer, what is not says why as it is today.
#[tokio::test]
async fn a_record_that_was_refused_and_is_taken_now_waits_no_longer() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = own_source(&test, tenant, json!({ "first_name": "Name", "phone": "Phone" })).await;
    let path = test.folder.path().join("own.csv");
    let file = "Name,Phone,Mobile,State\nAda,3035550101,,\nBob,,3035550102,\nCleo,12,,Atlantis\n";
    std::fs::write(&path, file).expect("written");
    let (first, _) = import_file(&test.app, tenant, &source, &path).await;
    assert_eq!(counts(&test.app, tenant, first).await.rejected, 2);

    let mended = json!({ "first_name": "Name", "phone": ["Phone", "Mobile"], "state": "State" });
    let source = mapped(&test, tenant, &source, mended).await;
    let (second, _) = import_file(&test.app, tenant, &source, &path).await;
    let came = counts(&test.app, tenant, second).await;
    assert_eq!((came.accepted, came.duplicates, came.rejected), (1, 1, 1));
    let refused = rows(&test.app, tenant, &["failed_record"]).await;
    let leads = rows(&test.app, tenant, &["lead"]).await;
    let refused = |record: i32| refused.iter().find(|row| row["record"] == record).expect("it was refused");
    let bob = leads.iter().find(|lead| lead["first_name"] == "Bob").expect("a lead");
    assert_eq!((&refused(2)["state"], &refused(2)["lead_id"]), (&json!("corrected"), &bob["id"]));
    assert_eq!(refused(3)["state"], "open");
    assert!(refused(3)["reasons"].to_string().contains("UNKNOWN_STATE"), "{}", refused(3));
}

/// A file is imported once more with a poorer mapping: what that one refuses is not said of the import that took it.
#[tokio::test]
async fn an_import_answers_for_no_later_refusal() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source =
        own_source(&test, tenant, json!({ "first_name": "Name", "phone": ["Phone", "Mobile"] })).await;
    let path = test.folder.path().join("own.csv");
    std::fs::write(&path, "Name,Phone,Mobile\nAda,12,\nBob,,3035550102\n").expect("written");
    let (first, _) = import_file(&test.app, tenant, &source, &path).await;
    test.app.clock.advance(TimeDelta::seconds(1));
    let source = mapped(&test, tenant, &source, json!({ "first_name": "Name", "phone": "Phone" })).await;
    let (second, _) = import_file(&test.app, tenant, &source, &path).await;

    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    for (import, wanted) in [(first, 1), (second, 2)] {
        let filter = FailedFilter { import: Some(import), ..FailedFilter::default() };
        let counted = listing::count_failed_records(&tx, &filter, 10).await.expect("a count");
        assert_eq!(counted, wanted);
        let page = Page { rows: 10, after: None, before: None, from_end: false };
        let listed = listing::failed_records(&tx, &filter, page).await.expect("refused records").rows;
        assert_eq!(listed.len(), wanted as usize);
        assert_eq!(i64::from(wanted), counts(&test.app, tenant, import).await.rejected);
    }
}

/// What Postgres cannot keep as text is wrong with the input, not with Baton: a NUL in a text, and one in JSON.
#[tokio::test]
async fn a_nul_is_invalid_input() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let nul = || "a\0b".to_owned();
    let of_state = FailedFilter { states: vec![nul()], ..FailedFilter::default() };
    let of_code = FailedFilter { code: Some(nul()), ..FailedFilter::default() };
    for filter in [of_state, of_code] {
        let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
        let refused = listing::count_failed_records(&tx, &filter, 1).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{filter:?}: {refused:?}");
    }
}

/// A record and a file that say the same are two requests: the key of one is none for the other.
#[tokio::test]
async fn an_idempotency_key_belongs_to_one_kind_of_request() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let record = r#"{"First Name":"Ada","Email":"ada@example.com"}"#;
    let send = async |key: &str| {
        let submission = Submission { source: &source, record, channel: "api", idempotency_key: Some(key) };
        service::intake::submit::submit(&test.app, tenant, submission).await
    };
    let upload = async |key: &str| {
        let file = ReceivedFile {
            name: "ada.json".to_owned(),
            bytes: record.len() as u64,
            hash: Sha256::digest(record).into(),
            stored_as: None,
        };
        imports::receive(&test.app, tenant, &source, file, Some(key)).await
    };
    send("record").await.expect("an answer");
    let refused = upload("record").await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    upload("file").await.expect("received");
    let refused = send("file").await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}
