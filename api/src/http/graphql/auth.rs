//! Who calls: asked once a request, or once a web socket.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Data;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

/// Recognises callers and refuses those that it must not serve.
///
/// The edge asks before it reads a body, so an implementation may refuse without the cost of one. An anonymous caller is a caller:
/// whether a field needs more is the schema's matter.
pub trait Authenticate: Send + Sync + 'static {
    /// Recognises the caller of an HTTP request, event streams included.
    ///
    /// `parts.method` and the headers are there for what cross-site requests need beyond the edge's own guard (a POST is only
    /// taken with `content-type: application/json`, which no form can send): a caller known by a cookie should also bring a
    /// header of our own.
    fn http<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Caller, Refusal>>;

    /// Recognises the caller of a web socket from the handshake and the payload of `connection_init`.
    ///
    /// A refusal closes the socket with 4403, whatever its status.
    fn socket<'a>(
        &'a self,
        parts: &'a Parts,
        payload: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Caller, Refusal>>;

    /// Decides whether a web socket may be opened at all, before the handshake is answered.
    ///
    /// Browsers open web sockets across sites and send cookies along, so the default takes an `Origin` only when it is the
    /// `Host` of the request. Programs send no `Origin` and pass.
    fn handshake(&self, parts: &Parts) -> Result<(), Refusal> {
        if same_origin(&parts.headers) {
            Ok(())
        } else {
            Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "this origin may not open a web socket here",
            ))
        }
    }
}

fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

/// A recognised caller: what its operations find in `Context::data`, and for how long.
#[derive(Clone)]
pub struct Caller {
    attach: Arc<dyn Fn(&mut Data) + Send + Sync>,
    valid_for: Option<Duration>,
}

impl Caller {
    /// A caller whose operations find a clone of `value` in `Context::data`.
    pub fn new<T: Clone + Send + Sync + 'static>(value: T) -> Self {
        Self { attach: Arc::new(move |data| data.insert(value.clone())), valid_for: None }
    }

    /// Limits the caller to the rest of its credentials' life: then its event streams end, and its web sockets close with 4403 so
    /// that the client comes back with fresh ones.
    #[must_use]
    pub fn valid_for(mut self, rest: Duration) -> Self {
        self.valid_for = Some(rest);
        self
    }

    pub(super) fn attach(&self, data: &mut Data) {
        (self.attach)(data);
    }

    pub(super) fn rest(&self) -> Option<Duration> {
        self.valid_for
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Caller").field("valid_for", &self.valid_for).finish_non_exhaustive()
    }
}

/// Why a caller is not served.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status, 4xx or 503.
    pub status: StatusCode,
    /// The error's `extensions.code`, such as `UNAUTHENTICATED`.
    pub code: &'static str,
    /// A sentence for the caller; it must not repeat a secret.
    pub message: String,
}

impl Refusal {
    /// A refusal with its status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 401: nobody, or no longer somebody.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_to_be_the_host() {
        let cases = [
            (None, Some("baton.example"), true),
            (Some("https://baton.example"), Some("baton.example"), true),
            (Some("http://127.0.0.1:8080"), Some("127.0.0.1:8080"), true),
            (Some("https://evil.example"), Some("baton.example"), false),
            (Some("https://baton.example.evil.example"), Some("baton.example"), false),
            (Some("https://baton.example:8443"), Some("baton.example"), false),
            (Some("null"), Some("baton.example"), false),
            (Some("https://baton.example"), None, false),
        ];
        for (origin, host, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().unwrap());
            }
            assert_eq!(same_origin(&headers), expected, "{origin:?} at {host:?}");
        }
    }
}
