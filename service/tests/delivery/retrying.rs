//! Attempts that run out, and a person's second chance.

use chrono::TimeDelta;
use domain::ids::DeliveryId;
use service::delivery::Error;
use service::delivery::testing::{FakeCrm, Step};
use uuid::Uuid;

use super::world::{ACME, GLOBEX, NewLead, World};

#[tokio::test]
async fn attempts_run_out_after_ten() {
    let world = World::new().await;
    let crm = FakeCrm::start(vec![Step::status(503); 40]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    for _ in 0..14 {
        worker.run_due_work().await.expect("it runs");
        world.clock.advance(TimeDelta::hours(13));
    }
    assert_eq!(crm.count(), 10);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("failed", 10));
    let reason = delivery.reason.expect("a reason");
    assert_eq!(reason, "10 attempts made, the last: HTTP 503: the destination has an error");
}

#[tokio::test]
async fn a_retry_counts_on_and_has_a_budget_of_its_own() {
    let world = World::new().await;
    let mut script = vec![Step::status(422)];
    script.extend(vec![Step::status(503); 9]);
    let crm = FakeCrm::start(script).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    assert_eq!(world.delivery(ACME, id).await.state, "failed");

    world.retries().retry(ACME, id, "user_kim").await.expect("it can be retried");
    let pending = world.delivery(ACME, id).await;
    assert_eq!((pending.state.as_str(), pending.reason), ("pending", None));
    for _ in 0..12 {
        worker.run_due_work().await.expect("it runs");
        world.clock.advance(TimeDelta::hours(13));
    }
    let delivery = world.delivery(ACME, id).await;
    assert_eq!(
        (delivery.state.as_str(), delivery.attempts),
        ("delivered", 11),
        "nine 503s, then the tenth of the budget"
    );
    let numbers: Vec<i16> = world.attempts(ACME, id).await.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    let event = serde_json::json!({ "delivery": id.to_string() });
    assert_eq!(world.events(ACME).await, [("retried".to_owned(), Some("user_kim".to_owned()), event)]);
}

#[tokio::test]
async fn only_ones_own_failed_deliveries_can_be_retried() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::status(422), Step::status(200)]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let failed = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    let delivered = world.kara(ACME, to).await;
    worker.run_due_work().await.expect("it runs");

    let retries = world.retries();
    let refusal = retries.retry(ACME, delivered, "user_kim").await.expect_err("it is delivered");
    assert!(matches!(refusal, Error::NotRetryable { state } if state == "delivered"));
    let strangers = retries.retry(GLOBEX, failed, "user_eve").await.expect_err("it is another tenant's");
    assert!(matches!(strangers, Error::NotFound));
    let unknown =
        retries.retry(ACME, DeliveryId(Uuid::from_u128(9)), "user_kim").await.expect_err("there is none");
    assert!(matches!(unknown, Error::NotFound));
    assert_eq!(retries.retry_all_failed(GLOBEX, None, "user_eve").await.expect("it runs"), 0);
    assert_eq!(world.delivery(ACME, failed).await.state, "failed");
}

#[tokio::test]
async fn retry_all_takes_the_failed_and_the_held_of_one_destination_or_of_all() {
    let world = World::new().await;
    let crm = FakeCrm::start(vec![Step::status(422); 3]).await;
    let first = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let second = world.destination(ACME, "bonzo", &crm.url(), None).await;
    world.kara(ACME, first).await;
    world.kara(ACME, first).await;
    world.kara(ACME, second).await;
    let nameless = world.lead(ACME, second, NewLead::default()).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");

    let retries = world.retries();
    assert_eq!(retries.retry_all_failed(ACME, Some(first), "user_kim").await.expect("it runs"), 2);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 2);
    world.execute(ACME, "UPDATE destination SET first_name_fallback = 'Friend' WHERE tenant_id = $1").await;
    assert_eq!(retries.retry_all_failed(ACME, None, "user_kim").await.expect("it runs"), 2);
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 2);
    assert_eq!(world.delivery(ACME, nameless).await.state, "delivered");
    assert_eq!(world.events(ACME).await.len(), 4);
}

#[tokio::test]
async fn leads_for_a_disabled_destination_wait() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    world.execute(ACME, "UPDATE destination SET enabled = false WHERE tenant_id = $1").await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0);
    assert_eq!((crm.count(), world.delivery(ACME, id).await.state.as_str()), (0, "pending"));
    world.execute(ACME, "UPDATE destination SET enabled = true WHERE tenant_id = $1").await;
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
}
