//! A destination that does not answer, that lets nothing in, that takes only so many.

use chrono::TimeDelta;
use domain::ids::DeliveryId;
use serde_json::json;
use service::delivery::testing::{FakeCrm, Received, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use super::world::{ACME, Delivery, GLOBEX, World, running};

/// A receiver whose answer can be changed while it runs.
async fn changing(status: u16) -> (FakeCrm, Arc<AtomicU16>) {
    let answer = Arc::new(AtomicU16::new(status));
    let now = Arc::clone(&answer);
    let crm = FakeCrm::answering(move |_: &Received| Step::status(now.load(Ordering::Relaxed))).await;
    (crm, answer)
}

/// Scenario 2: down for an hour, and everything gets through afterwards without anybody's doing.
#[tokio::test]
async fn an_outage_ends_by_itself_and_costs_no_lead() {
    let world = World::new().await;
    let (crm, answer) = changing(503).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.set(ACME, to, json!({ "limits": { "breaker_failures": 5, "concurrency": 5 } }), json!({})).await;
    for _ in 0..40 {
        world.kara(ACME, to).await;
    }
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    let opened = crm.count();
    assert!(opened <= 10, "{opened} requests before it was left alone");
    let (breaker, reason) = world.breaker(ACME, to).await;
    assert_eq!(
        (breaker.as_str(), reason.as_deref()),
        ("open", Some("HTTP 503: the destination has an error"))
    );

    // One request a pause shows that it is still away: 15 s, 30 s, a minute, … for an hour.
    for _ in 0..60 {
        world.clock.advance(TimeDelta::minutes(1));
        worker.run_due_work().await.expect("it runs");
    }
    let probes = crm.count() - opened;
    assert!((4..=10).contains(&probes), "{probes} tries in an hour");
    assert_eq!(world.breaker(ACME, to).await.0, "open");

    answer.store(200, Ordering::Relaxed);
    world.clock.advance(TimeDelta::minutes(31));
    let tally = worker.run_due_work().await.expect("it runs");
    assert_eq!(tally.delivered, 40, "the first that gets through brings the others with it");
    assert_eq!(world.breaker(ACME, to).await, ("closed".to_owned(), None));
}

/// Scenario 1: credentials expire, the leads wait, one step lets all of them go.
#[tokio::test]
async fn a_destination_that_lets_nothing_in_is_held_until_it_is_resumed() {
    let world = World::new().await;
    let (crm, answer) = changing(401).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.set(ACME, to, json!({ "limits": { "concurrency": 4 } }), json!({})).await;
    let first = world.kara(ACME, to).await;
    for _ in 0..29 {
        world.kara(ACME, to).await;
    }
    let (other_crm, other) = (FakeCrm::start([]).await, GLOBEX);
    let theirs = world.destination(other, "webhook", &other_crm.url(), None).await;
    world.kara(other, theirs).await;
    let worker = world.worker();
    let tally = worker.run_due_work().await.expect("it runs");
    assert_eq!((tally.failed, crm.count(), other_crm.count()), (0, 4, 1));
    let (breaker, reason) = world.breaker(ACME, to).await;
    assert_eq!(breaker, "held");
    assert!(reason.expect("a reason").starts_with("HTTP 401"));
    world.clock.advance(TimeDelta::days(3));
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0);
    answer.store(200, Ordering::Relaxed);
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0, "it does not try by itself");

    assert_eq!(world.retries().resume(ACME, to, "user_kim").await.expect("resumed"), 30);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 30);
    let delivery = world.delivery(ACME, first).await;
    assert_eq!(delivery.state, "delivered");
}

/// What a request from before the change found is no word about what is there now, and what was read before it is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_were_changed_meanwhile_do_not_hold_it_again() {
    let world = World::new().await;
    let late = AtomicBool::new(false);
    let crm = FakeCrm::answering(move |request: &Received| {
        if request.headers["authorization"] == "Bearer new-t0ken" {
            return Step::body(201, r#"{"data":{"id":7}}"#);
        }
        // The second refusal comes when everything has been put right.
        let pause = if late.swap(true, Ordering::Relaxed) { 400 } else { 0 };
        Step::Delay(Duration::from_millis(pause), Box::new(Step::status(401)))
    })
    .await;
    let to = world.destination(ACME, "bonzo_api", &crm.url(), None).await;
    world.set(ACME, to, json!({}), json!({ "token": "old-t0ken" })).await;
    let ids = [world.kara(ACME, to).await, world.kara(ACME, to).await];
    let (stop, running) = running(world.worker());
    crm.wait_for(2).await;
    until(async || world.breaker(ACME, to).await.0 == "held").await;
    world.set(ACME, to, json!({}), json!({ "token": "new-t0ken" })).await;
    world.retries().resume(ACME, to, "user_kim").await.expect("resumed");
    for id in ids {
        until(async || world.delivery(ACME, id).await.state == "delivered").await;
    }
    assert_eq!(world.breaker(ACME, to).await, ("closed".to_owned(), None));
    assert_eq!(crm.count(), 4, "no request more with the old one");
    stop.cancel();
    running.await.expect("it ends");
}

/// One is on its way and the others wait for their turn when the destination lets it not in, or asks to be left alone: they are not
/// sent after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_already_heeds_the_answer_to_the_one_before_it() {
    let world = World::new().await;
    for first in [Step::status(401), Step::header(429, "Retry-After", "120")] {
        let crm = FakeCrm::start([Step::Delay(Duration::from_millis(300), Box::new(first))]).await;
        let to = world.destination(ACME, "webhook", &crm.url(), None).await;
        world.set(ACME, to, json!({ "limits": { "concurrency": 1 } }), json!({})).await;
        let ids = [world.kara(ACME, to).await, world.kara(ACME, to).await, world.kara(ACME, to).await];
        let (stop, running) =
            running(world.worker_with(|settings| settings.client.deadline = Duration::from_secs(10)));
        crm.wait_for(1).await;
        all(&world, &ids, |delivery| delivery.lease.is_none()).await;
        assert_eq!(crm.count(), 1, "the others were claimed with it and given back");
        world.clock.advance(TimeDelta::seconds(119));
        world.wake.wake();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(crm.count(), 1, "not before its time");
        world.clock.advance(TimeDelta::seconds(14));
        world.retries().resume(ACME, to, "user_kim").await.expect("resumed");
        world.wake.wake();
        all(&world, &ids, |delivery| delivery.state == "delivered").await;
        assert_eq!(crm.count(), 4);
        stop.cancel();
        running.await.expect("it ends");
    }
}

/// Waits until that holds of each.
async fn all(world: &World, ids: &[DeliveryId], holds: fn(&Delivery) -> bool) {
    for &id in ids {
        until(async || holds(&world.delivery(ACME, id).await)).await;
    }
}

/// Waits until that holds, at most half a minute.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn a_person_stops_a_destination_and_lets_it_go_on() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.retries().hold(ACME, to, "maintenance until noon").await.expect("held");
    world.kara(ACME, to).await;
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0);
    let held = ("held".to_owned(), Some("maintenance until noon".to_owned()));
    assert_eq!(world.breaker(ACME, to).await, held);
    world.retries().hold(GLOBEX, to, "not theirs").await.expect("nothing happens");
    assert_eq!(world.breaker(ACME, to).await, held);
    assert_eq!(world.retries().resume(GLOBEX, to, "user_eve").await.expect("nothing happens"), 0);
    assert_eq!(world.breaker(ACME, to).await, held);
    world.retries().resume(ACME, to, "user_kim").await.expect("resumed");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
}

/// Two workers share one limit, and never exceed it.
#[tokio::test]
async fn a_rate_limit_holds_for_all_workers_together() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.set(ACME, to, json!({ "limits": { "per_second": 5.0 } }), json!({})).await;
    for _ in 0..40 {
        world.kara(ACME, to).await;
    }
    let workers = [world.worker(), world.worker()];
    let mut counts = Vec::new();
    for _ in 0..6 {
        for worker in &workers {
            worker.run_due_work().await.expect("it runs");
        }
        counts.push(crm.count());
        world.clock.advance(TimeDelta::milliseconds(600));
    }
    assert_eq!(counts, [5, 8, 11, 14, 17, 20]);
}

/// Settings decide how many are on their way at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_gets_no_more_requests_at_a_time_than_it_takes() {
    use std::time::Duration;
    let world = World::new().await;
    let crm =
        FakeCrm::start(vec![Step::Delay(Duration::from_millis(20), Box::new(Step::status(200))); 60]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    world.set(ACME, to, json!({ "limits": { "concurrency": 3 } }), json!({})).await;
    for _ in 0..60 {
        world.kara(ACME, to).await;
    }
    let worker = world.worker();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    crm.wait_for(60).await;
    stop.cancel();
    running.await.expect("it ends well");
    assert_eq!(crm.at_once_max(), 3);
}

/// Who has much waiting does not delay who has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_a_long_queue_does_not_delay_anothers_single_lead() {
    use std::time::Duration;
    const MANY: usize = 400;
    let world = World::new().await;
    let slow = Step::Delay(Duration::from_millis(10), Box::new(Step::status(200)));
    let (busy, idle) = (FakeCrm::start(vec![slow; MANY]).await, FakeCrm::start([]).await);
    let (a, b) = (
        world.destination(ACME, "webhook", &busy.url(), None).await,
        world.destination(GLOBEX, "webhook", &idle.url(), None).await,
    );
    world.set(ACME, a, json!({ "limits": { "concurrency": 4 } }), json!({})).await;
    for _ in 0..MANY {
        world.kara(ACME, a).await;
    }
    let worker = world.worker();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    busy.wait_for(20).await;
    world.kara(GLOBEX, b).await;
    world.wake.wake();
    idle.wait_for(1).await;
    let meanwhile = busy.count();
    assert!(meanwhile < MANY / 2, "{meanwhile} of the other's went out before it");
    stop.cancel();
    running.await.expect("it ends well");
}
