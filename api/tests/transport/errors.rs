//! What leaves when something goes wrong.

use std::sync::Arc;

use api::http::graphql::{Authenticate, Caller, Engine, Limits, Refusal, RequestId, router};
use async_graphql::{Request, Response, ServerError};
use axum::body::Body;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::support::{TestEdge, post};

#[tokio::test]
async fn a_panic_is_one_internal_error_and_the_process_lives() {
    let edge = TestEdge::new();
    for accept in ["application/json", "application/graphql-response+json"] {
        let mut request = axum::http::Request::post("/graphql")
            .header("content-type", "application/json")
            .header("accept", accept)
            .body(Body::from(r#"{"query":"{ __typename panics a: panics }"}"#))
            .unwrap();
        let id = tower_http::request_id::RequestId::new("request-9".parse().unwrap());
        request.extensions_mut().insert(id);
        let got = edge.send(request).await;
        assert_eq!(got.status, 500);
        let message = "something went wrong on our side; the request id finds it in our log";
        let extensions = json!({ "code": "INTERNAL", "request_id": "request-9" });
        assert_eq!(got.json(), json!({ "errors": [{ "message": message, "extensions": extensions }] }));
    }
    assert_eq!(edge.query("{ __typename }").await.data(), json!({ "__typename": "Query" }));
}

#[tokio::test]
async fn an_error_without_a_code_says_nothing() {
    let edge = TestEdge::new();
    let got = edge.query("{ leaks __typename }").await;
    assert_eq!(got.status, 200);
    assert!(!got.text.contains("hunter2"));
    let body = got.json();
    assert_eq!(body["data"], json!({ "leaks": null, "__typename": "Query" }));
    assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
    assert!(body["errors"][0]["extensions"]["request_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(body["errors"][0]["path"], json!(["leaks"]));
}

#[tokio::test]
async fn an_error_with_a_code_is_left_as_it_is() {
    let edge = TestEdge::new();
    let body = edge.query("{ conflicts }").await.json();
    assert_eq!(body["errors"][0]["message"], "somebody else was faster");
    assert_eq!(body["errors"][0]["extensions"], json!({ "code": "CONFLICT" }));
    let body = edge.query("{ small(number: 11) }").await.json();
    assert_eq!(body["errors"][0]["extensions"], json!({ "code": "BAD_USER_INPUT" }), "{body}");
}

/// An engine that answers with this error, whatever is asked.
struct Failing(ServerError);

impl Engine for Failing {
    fn sdl(&self) -> String {
        "type Query { a: Int } type Subscription { a: Int }".to_owned()
    }

    fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        assert!(request.data.contains_key(&std::any::TypeId::of::<RequestId>()));
        async { Response::from_errors(vec![self.0.clone()]) }.boxed()
    }

    fn subscribe(&self, _request: Request) -> BoxStream<'static, Response> {
        stream::iter([Response::from_errors(vec![self.0.clone()])]).boxed()
    }
}

struct Anybody;

impl Authenticate for Anybody {
    fn http<'a>(&'a self, _parts: &'a Parts) -> BoxFuture<'a, Result<Caller, Refusal>> {
        async { Ok(Caller::new(())) }.boxed()
    }

    fn socket<'a>(
        &'a self,
        _parts: &'a Parts,
        _payload: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Caller, Refusal>> {
        async { Ok(Caller::new(())) }.boxed()
    }
}

#[tokio::test]
async fn what_an_engine_says_too_much_is_cut() {
    let engine =
        Failing(ServerError::new("Unknown field \"a\" on type \"Query\". Did you mean \"secret\"?", None));
    let router = router(Arc::new(engine), Arc::new(Anybody), Limits::default()).unwrap();
    let response = router.oneshot(post().body(Body::from(r#"{"query":"{ a }"}"#)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 400);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let message = "Unknown field \"a\" on type \"Query\".";
    assert_eq!(
        body,
        json!({ "errors": [{ "message": message, "extensions": { "code": "BAD_USER_INPUT" } }] })
    );
}

#[test]
fn a_schema_that_contradicts_itself_is_found_at_the_start() {
    struct Broken;
    impl Engine for Broken {
        fn sdl(&self) -> String {
            "type Query { a: Unknown }".to_owned()
        }
        fn execute(&self, _request: Request) -> BoxFuture<'_, Response> {
            unreachable!("the router was refused")
        }
        fn subscribe(&self, _request: Request) -> BoxStream<'static, Response> {
            unreachable!("the router was refused")
        }
    }
    let error = router(Arc::new(Broken), Arc::new(Anybody), Limits::default()).unwrap_err();
    assert!(error.to_string().contains("Unknown"), "{error}");
}
