//! A destination that is asked for a lead and does not answer as it should: nothing goes out, and the doubt stays.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use serde_json::json;
use service::delivery::testing::{FakeCrm, Received, Step};

use super::unsure::{HERE, askable};
use super::world::{ACME, World};

/// The token is changed while nobody knows whether the lead arrived: it is still asked for before it goes out again.
#[tokio::test]
async fn a_lookup_that_is_not_let_in_takes_no_doubt_away() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::Cut,
        _ if request.headers["authorization"] == "Bearer new-t0ken" => Step::body(200, HERE),
        _ => Step::status(401),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    world.clock.advance(TimeDelta::seconds(10));
    worker.run_due_work().await.expect("it runs");
    assert_eq!(world.breaker(ACME, to).await.0, "held");
    world.set(ACME, to, json!({}), json!({ "token": "new-t0ken" })).await;
    world.retries().resume(ACME, to, "user_kim").await.expect("resumed");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let methods: Vec<String> = crm.received().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET", "GET"]);
    assert_eq!(world.delivery(ACME, id).await.remote_id.as_deref(), Some("77"));
}

/// Asking costs as much as sending: a destination that wants fewer requests gets none of either, and is in no trouble for it.
#[tokio::test]
async fn a_429_to_a_lookup_is_obeyed_and_takes_no_doubt_away() {
    let world = World::new().await;
    let (first_post, first_get) = (AtomicBool::new(true), AtomicBool::new(true));
    let crm = FakeCrm::answering(move |request: &Received| match request.method.as_str() {
        "POST" if first_post.swap(false, Ordering::Relaxed) => Step::Cut,
        "POST" => Step::body(201, r#"{"data":{"id":78}}"#),
        _ if first_get.swap(false, Ordering::Relaxed) => Step::header(429, "Retry-After", "120"),
        _ => Step::body(200, r#"{"data":[]}"#),
    })
    .await;
    let to = askable(&world, &crm).await;
    let settings = json!({ "limits": { "breaker_failures": 2 } });
    world.set(ACME, to, settings, json!({ "token": "t0ken-t0ken" })).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(worker.run_due_work().await.expect("it runs").again, 1);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.unsure), ("pending", true));
    assert_eq!(delivery.due_at - world.clock.now(), TimeDelta::seconds(120));
    let attempt = world.attempts(ACME, id).await.remove(1);
    assert_eq!((attempt.outcome.as_str(), attempt.looked_up.as_deref()), ("unknown", Some("failed")));
    assert_eq!(world.breaker(ACME, to).await.0, "closed");

    world.kara(ACME, to).await;
    assert_eq!(worker.run_due_work().await.expect("it runs").claimed, 0, "a lead does not go out either");
    world.clock.advance(TimeDelta::seconds(120));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 2);
    assert_eq!(world.attempts(ACME, id).await[2].looked_up.as_deref(), Some("absent"));
}

/// A search that finds nothing may say 404, in words of its own or in none. Another's page under it says nothing of the lead.
#[tokio::test]
async fn a_404_to_a_lookup_is_an_answer_only_when_it_is_a_searchs() {
    let world = World::new().await;
    let page = "<html><h1>404 Not Found</h1></html>";
    for (body, absent) in [("", true), (r#"{"message":"none found"}"#, true), (page, false)] {
        let first = AtomicBool::new(true);
        let crm = FakeCrm::answering(move |request: &Received| match request.method.as_str() {
            "POST" if first.swap(false, Ordering::Relaxed) => Step::Cut,
            "POST" => Step::body(201, r#"{"data":{"id":78}}"#),
            _ => Step::body(404, body),
        })
        .await;
        let to = askable(&world, &crm).await;
        let id = world.kara(ACME, to).await;
        let worker = world.worker();
        worker.run_due_work().await.expect("it runs");
        world.clock.advance(TimeDelta::seconds(10));
        worker.run_due_work().await.expect("it runs");
        let delivery = world.delivery(ACME, id).await;
        let wanted = if absent { ("delivered", false) } else { ("pending", true) };
        assert_eq!((delivery.state.as_str(), delivery.unsure), wanted, "{body}");
        assert_eq!(world.breaker(ACME, to).await.0, "closed", "{body}");
        let posts = crm.received().iter().filter(|request| request.method == "POST").count();
        assert_eq!(posts, if absent { 2 } else { 1 }, "{body}");
    }
}
