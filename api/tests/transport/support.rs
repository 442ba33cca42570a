//! A router over the test schema, and requests to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::http::graphql::{Authenticate, Caller, Engine, Limits, Refusal, router};
use axum::Router;
use axum::body::Body;
use axum::http::request::{Builder, Parts};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::schema::{Effects, schema};

pub const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// The caller, as resolvers find it.
#[derive(Clone)]
pub struct Who(pub &'static str);

/// Takes anybody but `refused`, as a bearer token or as `token` of `connection_init`. A caller named `short` is valid for 300 ms.
struct Names;

fn caller(name: Option<&str>) -> Result<Caller, Refusal> {
    match name {
        Some("refused") => Err(Refusal::unauthenticated("nobody knows you")),
        Some("short") => Ok(Caller::new(Who("short")).valid_for(Duration::from_millis(300))),
        Some(_) => Ok(Caller::new(Who("somebody"))),
        None => Ok(Caller::new(Who("nobody"))),
    }
}

impl Authenticate for Names {
    fn http<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Caller, Refusal>> {
        let name =
            parts.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        async move { caller(name) }.boxed()
    }

    fn socket<'a>(
        &'a self,
        _parts: &'a Parts,
        payload: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Caller, Refusal>> {
        async move { caller(payload.get("token").and_then(Value::as_str)) }.boxed()
    }
}

/// The edge over the test schema.
pub struct TestEdge {
    pub router: Router,
    pub effects: Effects,
}

/// An answer, read to its end.
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestEdge {
    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        let effects = Effects::default();
        Self::over(Arc::new(schema(effects.clone())), effects, limits)
    }

    /// The edge over another engine with those effects.
    pub fn over(engine: Arc<dyn Engine>, effects: Effects, limits: Limits) -> Self {
        Self { router: router(engine, Arc::new(Names), limits).unwrap(), effects }
    }

    pub fn sum(&self) -> i32 {
        self.effects.sum.load(Ordering::SeqCst)
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Posts a JSON body as a client should, for `application/graphql-response+json`.
    pub async fn post(&self, body: impl Into<Body>) -> Got {
        self.send(post().body(body.into()).unwrap()).await
    }

    /// Posts a document.
    pub async fn query(&self, query: &str) -> Got {
        self.post(json!({ "query": query }).to_string()).await
    }

    /// Posts a document with variables.
    pub async fn query_with(&self, query: &str, variables: Value) -> Got {
        self.post(json!({ "query": query, "variables": variables }).to_string()).await
    }
}

/// A POST that accepts `application/graphql-response+json`.
pub fn post() -> Builder {
    Request::post("/graphql").header("content-type", "application/json").header("accept", GRAPHQL_RESPONSE)
}

/// A GET with these parameters.
pub fn get(parameters: &[(&str, &str)]) -> Builder {
    let encode =
        |text: &str| text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"));
    let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Request::builder()
        .method(Method::GET)
        .uri(format!("/graphql?{}", query.join("&")))
        .header("accept", "*/*")
}

impl Got {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("{} is no JSON: {}", self.status, self.text))
    }

    /// The data of an answer without errors.
    #[track_caller]
    pub fn data(&self) -> Value {
        let mut body = self.json();
        assert_eq!(body.get("errors"), None, "{body}");
        assert_eq!(self.status, StatusCode::OK);
        body["data"].take()
    }

    /// The code and message of the first error of a request that was not executed.
    #[track_caller]
    pub fn refused(&self) -> (String, String) {
        let body = self.json();
        assert!(body.get("data").is_none(), "a refused request has no data: {body}");
        let error = &body["errors"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&error["extensions"]["code"]), text(&error["message"]))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::to_str)?.ok()
    }
}
