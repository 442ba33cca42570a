//! Differences on their way to their end: found again, accepted, sent again, proved.

use chrono::TimeDelta;
use domain::ids::ExceptionId;
use serde_json::json;
use service::Error;
use service::database::Mode;
use service::delivery::manage::{self, DestinationChange};
use service::delivery::testing::{FakeCrm, Step};
use service::reconciliation::exceptions::{self, Decision, ExceptionRow};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::proof::{self, Proved};
use service::reconciliation::{repair, run};

use crate::world::World;

pub(super) async fn only(world: &World) -> ExceptionRow {
    let ids = world.rows("SELECT to_jsonb(id) FROM reconciliation_exception").await;
    assert_eq!(ids.len(), 1, "one difference, however often it is found");
    let id: uuid::Uuid = serde_json::from_value(ids[0].clone()).expect("an id");
    let tx = world.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    exceptions::by_id(&tx, ExceptionId(id)).await.expect("the difference")
}

pub(super) const EMPTY: &str = "id,external_id,phone\n7,LS-99,970-556-0099\n";
const BACK: &str = "id,external_id,phone\n7,LS-99,970-556-0099\n8,LS-1,970-556-0001\n";

/// A world with one lead that is not in their list, whose other record is theirs alone.
pub(super) async fn missing() -> (World, std::path::PathBuf, std::path::PathBuf) {
    let world = World::new().await;
    world.lead(1).await;
    assert_eq!(world.deliver().await, 1);
    let (empty, back) = (world.list("empty.csv", EMPTY), world.list("back.csv", BACK));
    (world, empty, back)
}

#[tokio::test]
async fn a_difference_is_one_however_often_it_is_found_and_resolves_by_itself() {
    let (world, empty, back) = missing().await;
    world.reconcile(&empty).await.expect("a report");
    let first = only(&world).await;
    assert_eq!((first.kind.as_str(), first.state.as_str()), ("missing", "open"));
    world.reconcile(&empty).await.expect("a report");
    let again = only(&world).await;
    assert_eq!((again.id, again.first_run_id), (first.id, first.first_run_id));
    assert_ne!(again.last_run_id, first.last_run_id);
    world.reconcile(&back).await.expect("a report");
    assert_eq!(only(&world).await.state, "resolved");
    world.reconcile(&empty).await.expect("a report");
    assert_eq!(only(&world).await.state, "open");
    let history =
        world.rows("SELECT jsonb_build_array(state, note) FROM reconciliation_step ORDER BY at").await;
    let wanted =
        [json!(["open", null]), json!(["resolved", "not found any more"]), json!(["open", "found again"])];
    assert_eq!(history, wanted);
    // Each run keeps its own evidence.
    assert_eq!(world.rows("SELECT to_jsonb(d) FROM reconciliation_difference d").await.len(), 3);
}

#[tokio::test]
async fn what_a_person_accepted_stays_accepted_until_reopened() {
    let (world, empty, _) = missing().await;
    world.reconcile(&empty).await.expect("a report");
    let id = ExceptionId(only(&world).await.id);
    let decide = |decision| exceptions::decide(&world.app, world.tenant, id, decision, "ada");
    let refused = decide(Decision::Accept("  ".to_owned())).await.expect_err("a reason is needed");
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    decide(Decision::Assign(Some("ada@example.com".to_owned()))).await.expect("taken over");
    let accepted = decide(Decision::Accept("sold elsewhere".to_owned())).await.expect("accepted");
    assert_eq!(accepted.reason.as_deref(), Some("sold elsewhere"));
    world.reconcile(&empty).await.expect("a report");
    let stands = only(&world).await;
    assert_eq!((stands.state.as_str(), stands.owner.as_deref()), ("accepted", Some("ada@example.com")));
    let refused = repair::resend(&world.app, world.tenant, &[id], "ada").await.expect_err("it is accepted");
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    assert_eq!(decide(Decision::Reopen).await.expect("open").state, "open");
}

/// Sent again under the same message id, looked up, resolved: the record of both sides agrees.
#[tokio::test]
async fn a_missing_lead_is_sent_again_and_proved() {
    let (world, empty, _) = missing().await;
    let api = FakeCrm::start([
        // Unknown by its remote id is not asked for; by external id nothing, by phone a fuzzy hit and the right one.
        Step::body(200, r#"{"data": []}"#),
        Step::body(
            200,
            r#"{"data": [{"id": 5, "phone": "+19705560077"}, {"id": 6, "external_id": "x", "phone": "(970) 556-0001"}]}"#,
        ),
    ])
    .await;
    let change = PlanChange {
        api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3", api.port()))),
        api_token: Some("secret-token".to_owned().into()),
        ..PlanChange::default()
    };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
    world.reconcile(&empty).await.expect("a report");
    let sent = repair::resend_missing(&world.app, world.tenant, (world.destination, None), 10, "ada").await;
    assert_eq!(sent.expect("sent"), 1);
    assert_eq!(only(&world).await.state, "resending");
    let prove = || proof::prove(&world.app, world.tenant, world.destination, "ada");
    assert_eq!(prove().await.expect("looked up"), Proved { waiting: 1, ..Proved::default() });
    assert_eq!(world.deliver().await, 1);
    let received = world.crm.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].webhook_id(), received[1].webhook_id());
    assert_eq!(prove().await.expect("looked up"), Proved { found: 1, ..Proved::default() });
    let row = only(&world).await;
    assert_eq!((row.state.as_str(), row.reason.as_deref()), ("resolved", Some("sent again and found there")));
    let asked = api.received();
    assert_eq!(asked[0].headers["authorization"], "Bearer secret-token");
    assert!(asked[1].path.ends_with("search=%2B19705560001"), "{}", asked[1].path);
    let journey = world.rows("SELECT to_jsonb(kind) FROM lead_event").await;
    assert_eq!(journey, [json!("resent")]);
}

/// Where no API proves it the next list does: what was sent again and refused is open again, and stays so until it is there.
#[tokio::test]
async fn what_is_sent_again_and_not_taken_opens_again() {
    let (world, empty, back) = missing().await;
    let refusing = FakeCrm::start([Step::status(422)]).await;
    let change = DestinationChange { url: Some(refusing.url().into()), ..DestinationChange::default() };
    manage::update(&world.app, world.tenant, world.destination, change).await.expect("changed");
    world.reconcile(&empty).await.expect("a report");
    let id = ExceptionId(only(&world).await.id);
    repair::resend(&world.app, world.tenant, &[id], "ada").await.expect("sent");
    assert_eq!(world.deliver().await, 0);
    assert_eq!(only(&world).await.state, "resending");
    // Their list does not concern it any more, as we know ourselves that it is not there.
    for _ in 0..2 {
        world.reconcile(&empty).await.expect("a report");
        assert_eq!(only(&world).await.state, "open");
    }
    world.app.retries().retry_all_failed(world.tenant, None, "ada").await.expect("retried");
    assert_eq!(world.deliver().await, 1);
    world.reconcile(&back).await.expect("a report");
    assert_eq!(only(&world).await.state, "resolved");
    let history =
        world.rows("SELECT jsonb_build_array(state, note) FROM reconciliation_step ORDER BY id").await;
    let wanted = [
        json!(["open", null]),
        json!(["resending", null]),
        json!(["open", "sent again and not taken"]),
        json!(["resolved", "not found any more"]),
    ];
    assert_eq!(history, wanted);
}

/// What may have arrived when it was sent again is not sent a third time because their list, which may be older, does not have it.
#[tokio::test]
async fn what_is_sent_again_and_may_have_arrived_is_for_a_person() {
    let (world, empty, _) = missing().await;
    let silent = FakeCrm::start([Step::Cut]).await;
    let change = DestinationChange {
        url: Some(silent.url().into()),
        settings: Some(json!({ "unknown": "ask" })),
        ..DestinationChange::default()
    };
    manage::update(&world.app, world.tenant, world.destination, change).await.expect("changed");
    world.reconcile(&empty).await.expect("a report");
    let missing = || repair::resend_missing(&world.app, world.tenant, (world.destination, None), 10, "ada");
    assert_eq!(missing().await.expect("sent"), 1);
    assert_eq!(world.deliver().await, 0);
    world.reconcile(&empty).await.expect("a report");
    assert_eq!(only(&world).await.state, "open");
    assert_eq!(missing().await.expect("nothing to send"), 0);
    assert_eq!(world.deliver().await, 0);
    assert_eq!(silent.count(), 1);
    let notes = world.rows("SELECT to_jsonb(note) FROM reconciliation_step WHERE note IS NOT NULL").await;
    assert_eq!(notes, [json!("sent again, and it is not known whether it arrived")]);
    repair::resend(&world.app, world.tenant, &[ExceptionId(only(&world).await.id)], "ada")
        .await
        .expect("decided");
    assert_eq!(world.deliver().await, 1);
}

/// Two people press the button at the same moment: the lead goes out once more, not twice.
#[tokio::test]
async fn two_who_send_again_at_once_send_once() {
    let (world, empty, _) = missing().await;
    world.reconcile(&empty).await.expect("a report");
    let ids = [ExceptionId(only(&world).await.id)];
    let resend = |actor: &'static str| repair::resend(&world.app, world.tenant, &ids, actor);
    let (one, two) = tokio::join!(resend("ada"), resend("kim"));
    assert!(one.is_ok() != two.is_ok(), "{one:?}, {two:?}");
    let steps = world.rows("SELECT to_jsonb(actor) FROM reconciliation_step WHERE state = 'resending'").await;
    assert_eq!(steps.len(), 1, "{steps:?}");
}

/// A run sends what is missing again by itself where the tenant allows it – but not by a file that may be of yesterday: what was
/// handed over since would arrive twice.
#[tokio::test]
async fn only_a_list_whose_time_is_known_sends_again_by_itself() {
    let (world, empty, _) = missing().await;
    let change = PlanChange { auto_resend_max: Some(5), ..PlanChange::default() };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
    assert_eq!(world.reconcile(&empty).await.expect("a report").resent, 0);
    assert_eq!(only(&world).await.state, "open");
    let mut request = world.request(World::file(&empty));
    request.as_of = Some(world.app.clock.now());
    let report = run::run(&world.app, world.tenant, request).await.expect("a report");
    assert_eq!(report.resent, 1);
    assert_eq!(only(&world).await.state, "resending");
}

/// What was sent again, delivered, and is still not in the next list, needs a person.
#[tokio::test]
async fn sent_again_and_still_missing_opens_again() {
    let (world, empty, back) = missing().await;
    world.reconcile(&empty).await.expect("a report");
    let id = ExceptionId(only(&world).await.id);
    assert_eq!(repair::resend(&world.app, world.tenant, &[id], "ada").await.expect("sent"), 1);
    world.reconcile(&empty).await.expect("a report");
    assert_eq!(only(&world).await.state, "resending", "it is still on its way");
    world.deliver().await;
    world.app.clock.advance(TimeDelta::hours(1));
    world.reconcile(&empty).await.expect("a report");
    assert_eq!(only(&world).await.state, "open");
    assert_eq!(repair::resend(&world.app, world.tenant, &[id], "ada").await.expect("sent"), 1);
    world.deliver().await;
    world.reconcile(&back).await.expect("a report");
    let row = only(&world).await;
    assert_eq!(row.reason.as_deref(), Some("sent again and found there"));
}

/// We call it failed and they have it: confirmed, both sides say the same.
#[tokio::test]
async fn what_is_there_after_all_is_confirmed() {
    let world = World::new().await;
    world.lead(1).await;
    let mut tx = world.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query("UPDATE delivery SET state = 'failed', reason = 'no answer', finished_at = due_at")
        .execute(tx.connection())
        .await
        .expect("failed");
    tx.commit().await.expect("committed");
    let counts = world.reconcile(&world.list("back.csv", BACK)).await.expect("a report").counts;
    assert_eq!((counts.ours, counts.unconfirmed, counts.missing), (0, 1, 0));
    let row = only(&world).await;
    repair::confirm(&world.app, world.tenant, ExceptionId(row.id), "ada").await.expect("confirmed");
    let delivery = world.rows("SELECT jsonb_build_array(state, remote_id) FROM delivery").await;
    assert_eq!(delivery, [json!(["delivered", "8"])]);
    assert_eq!(only(&world).await.state, "resolved");
    let counts = world.reconcile(&world.list("back.csv", BACK)).await.expect("a report").counts;
    assert_eq!((counts.ours, counts.matched, counts.unconfirmed), (1, 1, 0));
}

/// A worker has it at this moment, and its answer will say so; of a worker that died nothing comes any more.
#[tokio::test]
async fn what_is_on_its_way_is_not_called_unconfirmed() {
    let world = World::new().await;
    world.lead(1).await;
    let until = world.app.clock.now() + TimeDelta::hours(1) + TimeDelta::seconds(20);
    let mut tx = world.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query("UPDATE delivery SET lease = gen_random_uuid(), attempts = 1, due_at = $1")
        .bind(until)
        .execute(tx.connection())
        .await
        .expect("claimed");
    tx.commit().await.expect("committed");
    let back = world.list("back.csv", BACK);
    let counts = world.reconcile(&back).await.expect("a report").counts;
    assert_eq!((counts.matched, counts.unconfirmed, counts.unexpected), (0, 0, 0));
    assert!(world.rows("SELECT to_jsonb(id) FROM reconciliation_exception").await.is_empty());
    let counts = world.reconcile(&back).await.expect("a report").counts;
    assert_eq!(counts.unconfirmed, 1, "its lease ended an hour ago");
    assert_eq!(only(&world).await.kind, "unconfirmed");
}
