//! What each kind of answer, or its absence, comes to.

use std::time::Duration;

use chrono::TimeDelta;
use http::HeaderMap;
use service::delivery::Tally;
use service::delivery::testing::{FakeCrm, Step};
use standardwebhooks::Webhook;

use super::world::{ACME, NewLead, SIGNING, World, lead_id};

#[tokio::test]
async fn bonzo_gets_a_flat_lead_and_the_attempt_is_recorded() {
    let world = World::new().await;
    let reply = Step::Reply {
        status: 200,
        headers: vec![("x-request-id", "r-1".to_owned()), ("set-cookie", "a=b".to_owned())],
        body: "ok 0123456789abcdef".to_owned(),
    };
    let crm = FakeCrm::start([reply]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let details = serde_json::json!({ "mortgage_balance": 250_000.55, "credit_score": 712 });
    let id = world
        .lead(ACME, to, NewLead { first_name: Some("Kara"), details: Some(details), ..NewLead::default() })
        .await;

    let tally = world.worker().run_due_work().await.expect("it runs");
    assert_eq!(tally, Tally { claimed: 1, delivered: 1, ..Tally::default() });
    let request = &crm.received()[0];
    let body = request.json();
    lead_id(&body["lead_id"]);
    assert_eq!(
        [
            &body["first_name"],
            &body["phone"],
            &body["lead_source"],
            &body["loan_balance"],
            &body["credit_score"]
        ],
        ["Kara", "3035550101", "leadsource", "250000.55", "712"]
    );
    assert_eq!(request.webhook_id(), id.to_string());
    assert!(!request.headers.contains_key("webhook-signature"), "Bonzo has no signing secret");
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts, delivery.lease), ("delivered", 1, None));
    let attempt = &world.attempts(ACME, id).await[0];
    assert_eq!((attempt.number, attempt.outcome.as_str(), attempt.http_status), (1, "delivered", Some(200)));
    assert_eq!(attempt.response_headers, Some(serde_json::json!({ "x-request-id": "r-1" })));
    assert_eq!(attempt.response_body.as_deref(), Some("ok [REDACTED]"), "the URL's secret is not repeated");
}

#[tokio::test]
async fn a_webhook_is_signed_and_may_name_its_record() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::body(201, r#"{"id":"p-7"}"#)]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.lead(ACME, to, NewLead::default()).await;
    world.worker().run_due_work().await.expect("it runs");

    let request = &crm.received()[0];
    let timestamp: i64 = request.headers["webhook-timestamp"].parse().expect("seconds");
    assert_eq!(timestamp, world.clock.now().timestamp());
    let expected =
        Webhook::new(SIGNING).expect("a secret").sign(&id.to_string(), timestamp, request.body.as_bytes());
    assert_eq!(request.headers["webhook-signature"], expected.expect("a signature"));
    assert_eq!(request.json()["type"], "lead.accepted");
    assert_eq!(world.delivery(ACME, id).await.remote_id.as_deref(), Some("p-7"));
    // The standard's own verification looks at the system's clock; a stale message is refused, so it did look.
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.headers[name].parse().expect("a header"));
    }
    let verdict = Webhook::new("whsec_AAAA").expect("a secret").verify(request.body.as_bytes(), &headers);
    assert!(verdict.is_err(), "another secret does not verify");
}

#[tokio::test]
async fn a_422_is_final_and_says_why() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::body(422, r#"{"errors":{"email":["The email is taken."]}}"#)]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").failed, 1);
    world.clock.advance(TimeDelta::days(3));
    assert_eq!(worker.run_due_work().await.expect("it runs"), Tally::default(), "it is not tried again");
    let delivery = world.delivery(ACME, id).await;
    assert_eq!(delivery.state, "failed");
    assert_eq!(delivery.reason.as_deref(), Some("HTTP 422: email: The email is taken."));
    assert_eq!(world.attempts(ACME, id).await[0].outcome, "refused");
}

#[tokio::test]
async fn a_429_waits_as_long_as_it_was_asked_to() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::header(429, "Retry-After", "120")]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    assert_eq!(worker.run_due_work().await.expect("it runs").again, 1);
    let pause = world.delivery(ACME, id).await.due_at - world.clock.now();
    assert!(pause >= TimeDelta::seconds(120) && pause <= TimeDelta::seconds(132), "{pause}");
    world.clock.advance(TimeDelta::seconds(119));
    worker.run_due_work().await.expect("it runs");
    assert_eq!(crm.count(), 1, "not before the time");
    world.clock.advance(TimeDelta::seconds(14));
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let attempts = world.attempts(ACME, id).await;
    assert_eq!(attempts[0].response_headers, Some(serde_json::json!({ "retry-after": "120" })));
    let statuses: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.http_status)).collect();
    assert_eq!(statuses, [(1, Some(429)), (2, Some(200))]);
}

#[tokio::test]
async fn silence_and_a_cut_connection_are_unknown_and_sent_again_under_the_same_id() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Hang, Step::Cut, Step::status(500)]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    for _ in 0..4 {
        worker.run_due_work().await.expect("it runs");
        world.clock.advance(TimeDelta::minutes(15));
    }
    let attempts = world.attempts(ACME, id).await;
    let seen: Vec<_> =
        attempts.iter().map(|a| (a.outcome.as_str(), a.http_status, a.error_kind.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("unknown", None, Some("timeout")),
            ("unknown", None, Some("protocol")),
            ("retryable", Some(500), None),
            ("delivered", Some(200), None),
        ]
    );
    let received = crm.received();
    assert!(received.iter().all(|request| request.webhook_id() == id.to_string()));
    assert!(
        received.iter().all(|request| request.body == received[0].body),
        "the same bytes on every attempt"
    );
}

#[tokio::test]
async fn a_status_decides_even_when_the_body_does_not_arrive_whole() {
    let world = World::new().await;
    let late = Step::Delay(Duration::from_millis(100), Box::new(Step::CutInBody { status: 200 }));
    let crm = FakeCrm::start([late, Step::body(500, "x".repeat(200_000))]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let worker = world.worker();
    let cut = world.kara(ACME, to).await;
    worker.run_due_work().await.expect("it runs");
    let attempt = &world.attempts(ACME, cut).await[0];
    assert_eq!((attempt.outcome.as_str(), attempt.error_kind.as_deref()), ("delivered", Some("protocol")));
    let long = world.kara(ACME, to).await;
    worker.run_due_work().await.expect("it runs");
    let attempt = &world.attempts(ACME, long).await[0];
    assert_eq!(
        (attempt.outcome.as_str(), attempt.error_kind.as_deref()),
        ("retryable", Some("body_too_large"))
    );
    assert_eq!(attempt.response_body.as_ref().map(String::len), Some(4096));
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_tried_again() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let (gone, nobody) = (crm.url(), "http://nobody.invalid/hook".to_owned());
    drop(crm);
    for (url, kind) in [(gone, "connect"), (nobody, "dns")] {
        let to = world.destination(ACME, "bonzo", &url, None).await;
        let id = world.kara(ACME, to).await;
        world.worker().run_due_work().await.expect("it runs");
        let attempt = &world.attempts(ACME, id).await[0];
        assert_eq!((attempt.outcome.as_str(), attempt.error_kind.as_deref()), ("retryable", Some(kind)));
    }
}

/// Nothing of the lead has left: it is tried again.
#[tokio::test]
async fn a_destination_that_does_not_speak_tls_gets_nothing() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/hook", listener.local_addr().expect("an address"));
    let plain = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            // Read first: closing with unread bytes would reset the connection. The client may have hung up.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let to = world.destination(ACME, "bonzo", &url, None).await;
    let id = world.kara(ACME, to).await;
    world.worker().run_due_work().await.expect("it runs");
    let attempt = &world.attempts(ACME, id).await[0];
    assert_eq!((attempt.outcome.as_str(), attempt.error_kind.as_deref()), ("retryable", Some("tls")));
    plain.abort();
}

/// It takes the connection and says nothing over it. Nothing of the lead has left, whatever the deadline of its own.
#[tokio::test]
async fn a_connection_that_hangs_is_no_answer_that_does_not_come() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/hook", silent.local_addr().expect("an address"));
    let to = world.destination(ACME, "bonzo", &url, None).await;
    let settings = serde_json::json!({ "request": { "deadline_ms": 1_000 } });
    world.set(ACME, to, settings, serde_json::json!({})).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker_with(|settings| settings.client.deadline = Duration::from_secs(6));
    worker.run_due_work().await.expect("it runs");
    let attempt = &world.attempts(ACME, id).await[0];
    assert_eq!((attempt.outcome.as_str(), attempt.error_kind.as_deref()), ("retryable", Some("connect")));
    assert!(!world.delivery(ACME, id).await.unsure);
}

/// A drip and a body without end are cut off; the status had come, so the lead is there.
#[tokio::test]
async fn a_body_that_never_ends_does_not_hold_the_worker() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Drip { status: 200 }, Step::Endless { status: 200 }]).await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    for kind in ["timeout", "body_too_large"] {
        let id = world.kara(ACME, to).await;
        world.worker().run_due_work().await.expect("it runs");
        let attempt = &world.attempts(ACME, id).await[0];
        assert_eq!((attempt.outcome.as_str(), attempt.error_kind.as_deref()), ("delivered", Some(kind)));
    }
}

#[tokio::test]
async fn a_private_address_is_refused_by_name_and_by_literal() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let strict = world.worker_with(|settings| settings.client.allow_private_addresses = false);
    // The name is harmless to look at; only its resolution shows where it leads.
    let named =
        world.destination(ACME, "bonzo", &format!("https://localhost:{}/hook", crm.port()), None).await;
    let by_name = world.kara(ACME, named).await;
    let to = world.destination(ACME, "bonzo", "https://127.0.0.1/hook", None).await;
    let by_literal = world.kara(ACME, to).await;
    strict.run_due_work().await.expect("it runs");
    assert_eq!(
        world.delivery(ACME, by_name).await.state,
        "pending",
        "it waits for a person to correct the URL"
    );
    let (breaker, reason) = world.breaker(ACME, named).await;
    assert_eq!(breaker, "held");
    assert!(reason.expect("a reason").contains("private or special address"));
    assert_eq!(world.attempts(ACME, by_name).await[0].error_kind.as_deref(), Some("private_address"));
    let delivery = world.delivery(ACME, by_literal).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("held", 0), "no request is made at all");
    assert!(delivery.reason.expect("a reason").contains("private or special address"));
    assert_eq!(crm.count(), 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = World::new().await;
    let target = FakeCrm::start([]).await;
    let crm = FakeCrm::start([Step::header(307, "Location", target.url())]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    world.worker().run_due_work().await.expect("it runs");
    assert_eq!((world.delivery(ACME, id).await.state.as_str(), target.count()), ("pending", 0));
    assert_eq!(world.breaker(ACME, to).await.0, "held", "it waits for a person to give the final URL");
}

#[tokio::test]
async fn bonzo_without_a_first_name_takes_the_fallback_or_is_held() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let with = world.destination(ACME, "bonzo", &crm.url(), Some("Friend")).await;
    let without = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let sent = world.lead(ACME, with, NewLead::default()).await;
    let held = world.lead(ACME, without, NewLead::default()).await;
    let tally = world.worker().run_due_work().await.expect("it runs");
    assert_eq!((tally.delivered, tally.held), (1, 1));
    assert_eq!(world.delivery(ACME, sent).await.state, "delivered");
    assert_eq!(crm.received()[0].json()["first_name"], "Friend");
    let delivery = world.delivery(ACME, held).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("held", 0));
    assert!(delivery.reason.expect("a reason").starts_with("Bonzo requires a first name"));
    assert!(world.attempts(ACME, held).await.is_empty(), "no request, no attempt");
}
