//! All routes over an app, in process and without a port, and what they answer.

use std::sync::Arc;

use api::http::{Options, router, throttle};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use service::App;
use tower::ServiceExt;

/// The routes.
#[derive(Clone)]
pub struct Web(Router);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Web {
    /// The routes over that app, as `baton serve` has them.
    pub fn over(app: Arc<App>) -> Self {
        Self(router(app, Options::default()).expect("the schema is valid"))
    }

    /// The same with limits on how often somebody may ask.
    pub fn with(app: Arc<App>, throttle: throttle::Settings) -> Self {
        let options = Options { throttle, ..Options::default() };
        Self(router(app, options).expect("the schema is valid"))
    }

    /// The router, for whoever puts it behind a port.
    pub fn router(&self) -> Router {
        self.0.clone()
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body comes to its end").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Gets an address.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(request(Method::POST, path, headers, body.into())).await
    }

    /// Posts one lead with that credential.
    pub async fn lead(&self, source: &str, token: &str, record: &Value) -> Answer {
        let credential = format!("Bearer {token}");
        let headers = [("authorization", credential.as_str()), ("content-type", "application/json")];
        self.post(&format!("/ingest/{source}"), &headers, record.to_string()).await
    }

    /// Posts a file with that credential.
    pub async fn file(&self, source: &str, token: &str, content: impl Into<Body>) -> Answer {
        let credential = format!("Bearer {token}");
        self.post(&format!("/ingest/{source}"), &[("authorization", &credential)], content).await
    }

    /// Posts a GraphQL document.
    pub async fn graphql(&self, headers: &[(&str, &str)], query: &str, variables: Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.post("/graphql", &all, json!({ "query": query, "variables": variables }).to_string()).await
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Status and code of a problem document.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text());
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16(), "{body}");
        let detail = body["detail"].as_str().expect("a detail");
        assert!(detail.len() > 10, "a sentence that says what to do: {body}");
        (self.status.as_u16(), body["code"].as_str().expect("a code").to_owned())
    }

    /// The import that the answer names.
    pub fn import(&self) -> domain::ids::ImportId {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{}", self.text());
        let id = self.json()["import_id"].as_str().expect("an import").to_owned();
        id.parse().expect("an id of an import")
    }

    /// The cookies that the answer sets, by name, with all their attributes.
    pub fn cookies(&self) -> Vec<(String, String)> {
        let texts = self.headers.get_all("set-cookie").into_iter().map(|value| value.to_str().expect("text"));
        texts
            .map(|text| text.split_once('=').expect("a cookie"))
            .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
            .collect()
    }
}
