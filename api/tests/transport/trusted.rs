//! Trusted documents: operations that the server knows by the SHA-256 of their text.

use std::collections::HashMap;
use std::sync::Arc;

use api::http::graphql::{Engine, Limits};
use async_graphql::{Request, Response};
use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

use crate::schema::{Effects, TestSchema, schema};
use crate::support::{Got, TestEdge, get};

const ECHO: &str = "query Echo($text: String!) { echo(text: $text) }";
const ADD: &str = "mutation { add(by: 5) }";

/// The test schema, with documents that it trusts. The names stand for hashes: the edge does not look inside.
struct Trusting(TestSchema, HashMap<&'static str, String>);

impl Engine for Trusting {
    fn sdl(&self) -> String {
        self.0.sdl()
    }

    fn trusted_document(&self, hash: &str) -> Option<String> {
        self.1.get(hash).cloned()
    }

    fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        Engine::execute(&self.0, request)
    }

    fn subscribe(&self, request: Request) -> BoxStream<'static, Response> {
        Engine::subscribe(&self.0, request)
    }
}

fn edge() -> TestEdge {
    let effects = Effects::default();
    let deep = format!("{{ {} who {} }}", "query { ".repeat(60), "}".repeat(60));
    let documents = [
        ("echo", ECHO.to_owned()),
        ("add", ADD.to_owned()),
        ("deep", deep),
        ("stale", "{ gone }".to_owned()),
    ];
    let engine = Trusting(schema(effects.clone()), documents.into());
    TestEdge::over(Arc::new(engine), effects, Limits::default())
}

fn by_hash(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn post(edge: &TestEdge, hash: &str, variables: Value) -> Got {
    edge.post(json!({ "extensions": by_hash(hash), "variables": variables }).to_string()).await
}

#[tokio::test]
async fn a_hash_stands_for_its_document() {
    let edge = edge();
    for text in ["first", "second"] {
        let got = post(&edge, "echo", json!({ "text": text })).await;
        assert_eq!(got.data(), json!({ "echo": text }));
    }
    assert_eq!(post(&edge, "add", Value::Null).await.data(), json!({ "add": 5 }));
    assert_eq!(edge.sum(), 5);
    let extensions = by_hash("echo").to_string();
    let parameters = [("extensions", extensions.as_str()), ("variables", r#"{"text":"by GET"}"#)];
    let got = edge.send(get(&parameters).body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(got.data(), json!({ "echo": "by GET" }));
}

/// The words are the protocol's: a client that reads them sends the text.
#[tokio::test]
async fn an_unknown_hash_asks_for_the_text() {
    let edge = edge();
    let got = post(&edge, "nobody", Value::Null).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.refused(), ("PERSISTED_QUERY_NOT_FOUND".to_owned(), "PersistedQueryNotFound".to_owned()));
    let with_text =
        json!({ "query": ECHO, "variables": { "text": "sent" }, "extensions": by_hash("nobody") });
    assert_eq!(edge.post(with_text.to_string()).await.data(), json!({ "echo": "sent" }));
    // Sending a text does not teach it: only the server's own documents are trusted.
    assert_eq!(post(&edge, "nobody", Value::Null).await.refused().0, "PERSISTED_QUERY_NOT_FOUND");
}

/// Trust is no way around a check: not for the method, the variables, the schema or the limits.
#[tokio::test]
async fn a_trusted_document_passes_the_same_checks() {
    let edge = edge();
    let extensions = by_hash("add").to_string();
    let got = edge.send(get(&[("extensions", &extensions)]).body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(edge.sum(), 0);
    assert_eq!(post(&edge, "echo", json!({ "text": 5 })).await.refused().0, "BAD_USER_INPUT");
    assert_eq!(post(&edge, "stale", Value::Null).await.refused().0, "BAD_USER_INPUT");
    assert_eq!(post(&edge, "deep", Value::Null).await.refused().0, "LIMIT_EXCEEDED");
}
