//! Server-sent events: graphql-sse, distinct connections mode.

use std::time::Duration;

use api::http::graphql::Limits;
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Got, TestEdge, get};

async fn post(edge: &TestEdge, query: &str, token: &str) -> Got {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {token}"));
    edge.send(request.body(json!({ "query": query }).to_string().into()).unwrap()).await
}

/// The events of a stream: their names and what they carry.
fn events(text: &str) -> Vec<(String, Value)> {
    let events = text.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':'));
    let event = |event: &str| {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let data = field("data").expect("an event without data is not dispatched").trim();
        let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
        (field("event").unwrap().trim().to_owned(), data)
    };
    events.map(event).collect()
}

fn next(value: Value) -> (String, Value) {
    ("next".to_owned(), value)
}

fn complete() -> (String, Value) {
    ("complete".to_owned(), Value::Null)
}

#[tokio::test]
async fn results_come_as_events() {
    let edge = TestEdge::new();
    let got = post(&edge, "subscription { count(to: 2) }", "x").await;
    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, Some("text/event-stream")));
    let results =
        [next(json!({ "data": { "count": 1 } })), next(json!({ "data": { "count": 2 } })), complete()];
    assert_eq!(events(&got.text), results);

    let got = post(&edge, "mutation { add(by: 5) }", "x").await;
    assert_eq!(events(&got.text), [next(json!({ "data": { "add": 5 } })), complete()]);

    let request = get(&[("query", "subscription { count(to: 1) }")]).header("accept", "text/event-stream");
    let mut request = request.body(Body::empty()).unwrap();
    request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
    let got = edge.send(request).await;
    assert_eq!(events(&got.text), [next(json!({ "data": { "count": 1 } })), complete()]);
}

#[tokio::test]
async fn errors_come_as_events_too() {
    let edge = TestEdge::new();
    for (query, code) in [("subscription { nothing }", "BAD_USER_INPUT"), ("{a:", "BAD_USER_INPUT")] {
        let got = post(&edge, query, "x").await;
        let events = events(&got.text);
        assert_eq!((got.status.as_u16(), events.len(), &events[1]), (200, 2, &complete()));
        assert_eq!(events[0].1["errors"][0]["extensions"]["code"], code);
        assert!(events[0].1.get("data").is_none());
    }
    let got = post(&edge, "subscription { panics }", "x").await;
    let events = events(&got.text);
    assert_eq!((events.len(), &events[0]), (3, &next(json!({ "data": { "panics": 0 } }))));
    assert_eq!(events[1].1["errors"][0]["extensions"]["code"], "INTERNAL");
    assert!(!got.text.contains("own fault"));
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let edge = TestEdge::with(Limits { idle_time: Duration::from_millis(20), ..Limits::default() });
    let request =
        Request::get("/graphql?query=subscription%7Bendless%7D").header("accept", "text/event-stream");
    let response = edge.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let mut chunks = Vec::new();
    while chunks.len() < 3 {
        chunks.push(String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap());
    }
    assert!(chunks[0].starts_with("event: next"));
    assert!(chunks[1..].iter().all(|chunk| chunk.starts_with(':')), "{chunks:?}");
    assert_eq!(edge.effects.running.load(std::sync::atomic::Ordering::SeqCst), 1);
    drop(body);
    assert_eq!(
        edge.effects.running.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "a client that leaves stops its work"
    );
}

#[tokio::test]
async fn a_stream_ends_with_the_credentials() {
    let edge = TestEdge::new();
    let got = post(&edge, "subscription { endless }", "short").await;
    assert_eq!(events(&got.text), [next(json!({ "data": { "endless": 0 } })), complete()]);
}
