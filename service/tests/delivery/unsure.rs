//! A request that may have arrived: looked up, sent again where that does no harm, or left to a person.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::{DeliveryId, DestinationId};
use serde_json::json;
use service::delivery::testing::{FakeCrm, Received, Step};
use service::delivery::{Error, InDoubt, Retried, Seen};

use super::world::{ACME, NewLead, World};

/// A destination of kind `bonzo_api`, which can be asked.
pub(super) async fn askable(world: &World, crm: &FakeCrm) -> DestinationId {
    let to = world.destination(ACME, "bonzo_api", &crm.url(), None).await;
    world.set(ACME, to, json!({}), json!({ "token": "t0ken-t0ken" })).await;
    to
}

/// A destination that cannot be asked and where a copy costs something.
pub(super) async fn dear(world: &World, crm: &FakeCrm) -> DestinationId {
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.set(ACME, to, json!({ "unknown": "ask" }), json!({})).await;
    to
}

/// A worker dies when so many requests have come, none of them answered.
pub(super) async fn die_while_sending(world: &World, crm: &FakeCrm, requests: usize) {
    let doomed = world.worker_with(|settings| settings.client.deadline = Duration::from_secs(30));
    tokio::select! {
        _ = doomed.run_due_work() => panic!("the receiver does not answer"),
        () = crm.wait_for(requests) => {}
    }
}

pub(super) const HERE: &str = r#"{"data":[{"id":77,"external_id":"LS-1001","phone":"+13035550101"}]}"#;

#[tokio::test]
async fn what_arrived_in_silence_is_found_and_not_sent_again() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::Hang,
        _ => Step::body(200, HERE),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.unsure), ("pending", true));
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.remote_id.as_deref()), ("delivered", Some("77")));
    let methods: Vec<String> = crm.received().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET"]);
    let attempts = world.attempts(ACME, id).await;
    let seen: Vec<_> = attempts.iter().map(|one| (one.outcome.as_str(), one.looked_up.as_deref())).collect();
    assert_eq!(seen, [("unknown", None), ("delivered", Some("found"))]);
    assert_eq!(crm.received()[1].headers["authorization"], "Bearer t0ken-t0ken");
}

#[tokio::test]
async fn what_is_not_there_is_sent_again_under_the_same_id() {
    let world = World::new().await;
    let first = AtomicBool::new(true);
    let crm = FakeCrm::answering(move |request: &Received| match request.method.as_str() {
        "POST" if first.swap(false, Ordering::Relaxed) => Step::Cut,
        "POST" => Step::body(201, r#"{"data":{"id":78}}"#),
        _ => Step::body(200, r#"{"data":[{"id":1,"external_id":"LS-10010","phone":"+13035550102"}]}"#),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let requests = crm.received();
    let methods: Vec<&str> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(
        methods,
        ["POST", "GET", "GET", "POST"],
        "asked by its external id and its phone; it has no e-mail"
    );
    assert_eq!(requests[0].webhook_id(), requests[3].webhook_id());
    assert_eq!(world.attempts(ACME, id).await[1].looked_up.as_deref(), Some("absent"));
    assert_eq!(world.delivery(ACME, id).await.remote_id.as_deref(), Some("78"));
}

#[tokio::test]
async fn while_the_destination_does_not_say_nothing_is_sent() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::Cut,
        _ => Step::status(503),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    for _ in 0..14 {
        worker.run_due_work().await.expect("it runs");
        world.clock.advance(TimeDelta::hours(13));
    }
    let posts = crm.received().iter().filter(|request| request.method == "POST").count();
    assert_eq!(posts, 1);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.code.as_deref()), ("unknown", Some("unknown")));
    assert!(delivery.reason.expect("a reason").contains("does not say"));
}

#[tokio::test]
async fn where_a_copy_costs_something_a_person_decides() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Cut, Step::Cut]).await;
    let to = dear(&world, &crm).await;
    let (arrived, lost) = (world.kara(ACME, to).await, world.kara(ACME, to).await);
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 2);
    world.clock.advance(TimeDelta::days(2));
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0, "it is not sent again by itself");
    let retries = world.retries();
    assert_eq!(
        retries.retry_all_failed(ACME, None, "user_kim").await.expect("it runs"),
        0,
        "each is a decision"
    );

    for no_id in ["é".repeat(201), "p\n1".to_owned()] {
        let refused = retries.confirm(ACME, arrived, Some(&no_id), "user_kim").await;
        assert!(matches!(refused, Err(Error::InvalidRemoteId)), "{refused:?}");
    }
    assert_eq!(world.delivery(ACME, arrived).await.state, "unknown");
    retries.confirm(ACME, arrived, Some(" p-1 "), "user_kim").await.expect("confirmed");
    let delivery = world.delivery(ACME, arrived).await;
    assert_eq!((delivery.state.as_str(), delivery.remote_id.as_deref()), ("delivered", Some("p-1")));
    let again = retries.confirm(ACME, arrived, None, "user_kim").await.expect_err("it is known by now");
    assert!(matches!(again, Error::NotUnknown { state } if state == "delivered"));

    retries.retry(ACME, lost, "user_kim").await.expect("a decision");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(crm.count(), 3);
    let kinds: Vec<String> = world.events(ACME).await.into_iter().map(|(kind, _, _)| kind).collect();
    assert_eq!(kinds, ["confirmed", "retried"]);
}

/// Many at once are no decision about each: what may have arrived goes out again only where that does no harm.
#[tokio::test]
async fn of_many_at_once_only_those_are_sent_again_of_which_a_copy_does_no_harm() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Cut, Step::Cut]).await;
    let (dear, cheap) =
        (dear(&world, &crm).await, world.destination(ACME, "webhook", &crm.url(), None).await);
    let spoken = || NewLead { first_name: Some("Kara"), channel: Some("voice"), ..NewLead::default() };
    let ids = [world.kara(ACME, dear).await, world.lead(ACME, cheap, spoken()).await];
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 2);
    let retries = world.retries();
    let each = async |in_doubt| retries.retry_each(ACME, &ids, in_doubt, "user_kim").await.expect("it runs");
    assert_eq!(each(InDoubt::Leave).await, Retried { retried: 1, in_doubt: vec![ids[0]], skipped: 0 });
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(world.delivery(ACME, ids[0]).await.state, "unknown");
    assert_eq!(each(InDoubt::Send).await, Retried { retried: 1, in_doubt: vec![], skipped: 1 });
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(each(InDoubt::Send).await, Retried { skipped: 2, ..Retried::default() });
    assert_eq!(crm.count(), 4);
}

/// The same person was there before, under an older record: that is not the lead that was sent.
#[tokio::test]
async fn a_record_from_before_is_not_what_was_sent() {
    let world = World::new().await;
    let first = AtomicBool::new(true);
    let crm = FakeCrm::answering(move |request: &Received| match request.method.as_str() {
        "POST" if first.swap(false, Ordering::Relaxed) => Step::Cut,
        "POST" => Step::body(201, r#"{"data":{"id":78}}"#),
        _ => Step::body(
            200,
            r#"{"data":[{"id":5,"external_id":"LS-1001","phone":"+13035550101","updated_at":"2024-05-01T09:00:00Z"}]}"#,
        ),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(world.delivery(ACME, id).await.remote_id.as_deref(), Some("78"));
    assert_eq!(world.attempts(ACME, id).await[1].looked_up.as_deref(), Some("absent"));
}

/// It can be asked by e-mail, and this lead has none.
#[tokio::test]
async fn what_nothing_can_be_asked_about_waits_for_a_person_where_a_copy_costs_something() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Cut]).await;
    let to = askable(&world, &crm).await;
    let settings =
        json!({ "unknown": "ask", "lookup": { "keys": [{ "value": "{email}", "field": "email" }] } });
    world.set(ACME, to, settings, json!({ "token": "t0ken-t0ken" })).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 1);
    assert_eq!((crm.count(), world.delivery(ACME, id).await.state.as_str()), (1, "unknown"));
    // Others of this destination could be asked about, so it goes along; nothing is sent all the same.
    let retries = world.retries();
    retries.retry_each(ACME, &[id], InDoubt::Leave, "user_kim").await.expect("it runs");
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 1);
    assert_eq!(crm.count(), 1);
    retries.retry(ACME, id, "user_kim").await.expect("a decision");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
}

/// A decision is good for one sending: should the worker die over it, there is something to decide again.
#[tokio::test]
async fn a_decision_is_used_up_by_the_sending_that_it_was_about() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Cut, Step::Hang]).await;
    let to = dear(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    assert_eq!(world.worker().run_due_work().await.expect("it runs").unknown, 1);
    world.retries().retry(ACME, id, "user_kim").await.expect("a decision");
    die_while_sending(&world, &crm, 2).await;
    world.clock.advance(TimeDelta::seconds(36));
    world.worker().run_due_work().await.expect("it runs");
    assert_eq!((crm.count(), world.delivery(ACME, id).await.state.as_str()), (2, "unknown"));
}

/// A rule or a fault that would stop it now does not undo that it may have arrived.
#[tokio::test]
async fn what_may_have_arrived_is_not_hidden_behind_another_reason() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Hang]).await;
    let to = dear(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    die_while_sending(&world, &crm, 1).await;
    let rule = json!({ "code": "files", "reason": "None of files.", "when": { "field": "channel", "in": ["file"] } });
    world.set(ACME, to, json!({ "unknown": "ask", "rejections": [rule] }), json!({})).await;
    world.clock.advance(TimeDelta::seconds(36));
    world.worker().run_due_work().await.expect("it runs");
    assert_eq!((crm.count(), world.delivery(ACME, id).await.state.as_str()), (1, "unknown"));
}

/// The lease that a dead worker leaves behind says that its request may have arrived.
#[tokio::test]
async fn a_worker_that_dies_while_sending_leaves_an_unsure_delivery() {
    let world = World::new().await;
    for (repeatable, requests, state) in [(true, 2, "delivered"), (false, 1, "unknown")] {
        let crm = FakeCrm::start([Step::Hang]).await;
        let to = if repeatable {
            world.destination(ACME, "webhook", &crm.url(), None).await
        } else {
            dear(&world, &crm).await
        };
        let id = world.kara(ACME, to).await;
        die_while_sending(&world, &crm, 1).await;
        world.clock.advance(TimeDelta::seconds(36));
        world.worker().run_due_work().await.expect("it runs");
        assert_eq!((crm.count(), world.delivery(ACME, id).await.state.as_str()), (requests, state));
    }
}

/// Conversations: the person is never told, nothing is tried again by itself, and the destination's own time is kept.
#[tokio::test]
async fn a_conversations_lead_waits_for_a_person() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::header(429, "Retry-After", "120"), Step::Cut, Step::status(200)]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let spoken = || NewLead { first_name: Some("Kara"), channel: Some("voice"), ..NewLead::default() };
    let busy = world.lead(ACME, to, spoken()).await;
    world.worker().run_due_work().await.expect("it runs");
    let delivery = world.delivery(ACME, busy).await;
    assert_eq!((delivery.state.as_str(), delivery.code.as_deref()), ("failed", Some("retryable")));
    let cut = world.lead(ACME, to, spoken()).await;
    world.worker().run_due_work().await.expect("it runs");
    assert_eq!(world.delivery(ACME, cut).await.state, "unknown");

    world.retries().retry(ACME, busy, "user_kim").await.expect("it can be retried");
    let worker = world.worker();
    assert_eq!(
        worker.run_due_work().await.expect("it runs").claimed,
        0,
        "not before the destination's own time"
    );
    world.clock.advance(TimeDelta::seconds(120));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
}

async fn resend(world: &World, deliveries: &[DeliveryId], seen: Seen) -> u64 {
    let mut tx = world.begin(ACME).await;
    let sent = world.retries().resend(tx.connection(), ACME, (deliveries, seen), "reconciliation").await;
    tx.commit().await.expect("committed");
    sent.expect("it runs")
}

#[tokio::test]
async fn reconciliation_sends_again_what_is_not_there() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let (lost, kept) = (world.kara(ACME, to).await, world.kara(ACME, to).await);
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    let waiting = world.kara(ACME, to).await;
    let resent = resend(&world, &[lost, waiting], Seen::ByAPerson).await;
    assert_eq!(resent, 1, "what is under way is left alone");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 2);
    let copies = |id: &str| crm.received().iter().filter(|request| request.webhook_id() == id).count();
    assert_eq!((copies(&lost.to_string()), copies(&kept.to_string())), (2, 1));
    let (kind, actor, _) = world.events(ACME).await.remove(0);
    assert_eq!((kind.as_str(), actor.as_deref()), ("resent", Some("reconciliation")));
}

/// What nobody has looked at is asked for before it goes out once more: an old list may have missed it.
#[tokio::test]
async fn what_is_sent_again_unseen_is_asked_for_first() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::body(201, r#"{"data":{"id":77}}"#),
        _ => Step::body(200, HERE),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    let methods = || crm.received().into_iter().map(|request| request.method).collect::<Vec<_>>();
    assert_eq!(resend(&world, &[id], Seen::ByNobody).await, 1);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(methods(), ["POST", "GET"]);
    assert_eq!(resend(&world, &[id], Seen::ByAPerson).await, 1);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(methods(), ["POST", "GET", "POST"]);
}

/// That a lead was missing says nothing of the request that a person had made since, which may have arrived.
#[tokio::test]
async fn what_a_person_sends_again_is_asked_for_where_it_may_have_arrived() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::Cut,
        _ => Step::body(200, HERE),
    })
    .await;
    let to = askable(&world, &crm).await;
    let spoken = NewLead { first_name: Some("Kara"), channel: Some("voice"), ..NewLead::default() };
    let id = world.lead(ACME, to, spoken).await;
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 1);
    assert_eq!(resend(&world, &[id], Seen::ByAPerson).await, 1);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let methods: Vec<String> = crm.received().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET"]);
}
