//! What the edge answers to one operation: errors that always carry a code, and `data` only when something was executed.

use std::collections::BTreeMap;

use async_graphql::{Pos, Response, ServerError, Value};
use axum::http::{HeaderMap, StatusCode};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::auth::Refusal;

/// `extensions.code` of an error that the request caused.
pub(super) const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// `extensions.code` of a request that is over one of the [`Limits`](super::Limits).
pub(super) const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";
/// `extensions.code` of a service that cannot answer now.
pub(super) const UNAVAILABLE: &str = "UNAVAILABLE";
/// `extensions.code` of our own faults; the text says nothing, the request id finds the log line.
pub(super) const INTERNAL: &str = "INTERNAL";

/// Names one request in answers and logs.
///
/// The edge takes it from the `tower_http::request_id::RequestId` in the request's extensions; resolvers find it in
/// `Context::data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// A request that is refused before anything is executed.
#[derive(Debug)]
pub(super) struct Fault {
    /// The status under `application/graphql-response+json`.
    pub(super) status: StatusCode,
    /// The status under `application/json`, where a well-formed request is answered with 200 whatever became of it.
    pub(super) status_json: StatusCode,
    pub(super) errors: Vec<ServerError>,
    /// The value of the `Allow` header, with 405.
    pub(super) allow: Option<&'static str>,
}

impl Fault {
    /// Not a well-formed GraphQL-over-HTTP request: the status holds for every media type.
    pub(super) fn http(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let errors = vec![coded(code, message, None)];
        Self { status, status_json: status, errors, allow: None }
    }

    /// A well-formed request for something that cannot be executed (GraphQL over HTTP, sections 6.4.1 and 6.4.2).
    pub(super) fn request(errors: Vec<ServerError>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, status_json: StatusCode::OK, errors, allow: None }
    }

    /// A well-formed request that is invalid.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::request(vec![coded(BAD_USER_INPUT, message, None)])
    }

    /// A well-formed request over a limit that `message` names.
    pub(super) fn over_limit(message: impl Into<String>) -> Self {
        Self::request(vec![coded(LIMIT_EXCEEDED, message, None)])
    }

    /// 405 with the methods that are allowed.
    pub(super) fn method(allow: &'static str, message: impl Into<String>) -> Self {
        let fault = Self::http(StatusCode::METHOD_NOT_ALLOWED, BAD_USER_INPUT, message);
        Self { allow: Some(allow), ..fault }
    }

    /// Our own fault: nothing but the request id is told.
    pub(super) fn internal(id: &RequestId) -> Self {
        let mut error = coded(INTERNAL, INTERNAL_TEXT, None);
        set(&mut error, "request_id", &id.0);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { status, status_json: status, errors: vec![error], allow: None }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::http(refusal.status, refusal.code, refusal.message)
    }
}

const INTERNAL_TEXT: &str = "something went wrong on our side; the request id finds it in our log";

/// The answer to one operation.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) status_json: StatusCode,
    /// Absent when nothing was executed.
    pub(super) data: Option<Value>,
    pub(super) errors: Vec<ServerError>,
    pub(super) extensions: BTreeMap<String, Value>,
    pub(super) headers: HeaderMap,
    pub(super) allow: Option<&'static str>,
}

/// The response format of the GraphQL specification, section 7.1: errors first, for those who read the log of a wire.
pub(super) struct Body<'a> {
    errors: &'a [ServerError],
    data: Option<&'a Value>,
    extensions: &'a BTreeMap<String, Value>,
}

impl Body<'_> {
    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut next = b'{';
        let mut name = |out: &mut Vec<u8>, name: &str| {
            out.push(std::mem::replace(&mut next, b','));
            out.extend_from_slice(name.as_bytes());
        };
        if !self.errors.is_empty() {
            name(out, "\"errors\":");
            serde_json::to_writer(&mut *out, self.errors)?;
        }
        if let Some(data) = self.data {
            name(out, "\"data\":");
            write_value(data, out)?;
        }
        if !self.extensions.is_empty() {
            name(out, "\"extensions\":");
            serde_json::to_writer(&mut *out, self.extensions)?;
        }
        if next == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }

    /// It as JSON. Only maps with keys that are not strings cannot be written; an answer has none.
    pub(super) fn to_json(&self) -> String {
        let mut out = Vec::new();
        let written = self.write(&mut out);
        String::from_utf8(out).ok().filter(|_| written.is_ok()).unwrap_or_default()
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_json()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// An engine's response as the edge writes it, for whoever executes operations without the edge.
pub fn to_json(response: &Response) -> String {
    let (errors, extensions) = (&response.errors, &response.extensions);
    Body { errors, data: Some(&response.data), extensions }.to_json()
}

/// Writes a value; what is binary is JSON that a list has written already, and no scalar of the schema is.
fn write_value(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Binary(written) => out.extend_from_slice(written),
        Value::List(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (place, (name, field)) in fields.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.push(b':');
                write_value(field, out)?;
            }
            out.push(b'}');
        }
        leaf => serde_json::to_writer(out, leaf)?,
    }
    Ok(())
}

impl Answer {
    pub(super) fn body(&self) -> Body<'_> {
        Body { errors: &self.errors, data: self.data.as_ref(), extensions: &self.extensions }
    }

    /// Makes an engine's response fit to leave: request errors lose their `data: null`, every error has a code, no text names
    /// what the schema has instead of what was asked for.
    pub(super) fn finish(response: Response, id: &RequestId) -> Self {
        let refused = is_request_error(&response);
        let errors: Vec<_> =
            response.errors.into_iter().map(|error| finish_error(error, refused, id)).collect();
        let has = |wanted| refused && errors.iter().any(|error| code(error) == Some(wanted));
        let (status, status_json) = if has(INTERNAL) {
            (StatusCode::INTERNAL_SERVER_ERROR, StatusCode::INTERNAL_SERVER_ERROR)
        } else if has(UNAVAILABLE) {
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
        } else {
            (if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK }, StatusCode::OK)
        };
        Self {
            status,
            status_json,
            data: (!refused).then_some(response.data),
            errors,
            extensions: response.extensions,
            headers: response.http_headers,
            allow: None,
        }
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self {
            status: fault.status,
            status_json: fault.status_json,
            data: None,
            errors: fault.errors,
            extensions: BTreeMap::new(),
            headers: HeaderMap::new(),
            allow: fault.allow,
        }
    }
}

/// An error of the request, before execution, has no path; whatever a resolver reports has one.
fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

fn finish_error(mut error: ServerError, refused: bool, id: &RequestId) -> ServerError {
    if let Some(at) = error.message.find(" Did you mean") {
        error.message.truncate(at);
    }
    if code(&error).is_none() {
        let found = classify(&error.message, refused);
        if found == INTERNAL {
            tracing::error!(request.id = %id.0, path = ?error.path, "a resolver returned an error without a code");
            INTERNAL_TEXT.clone_into(&mut error.message);
        }
        set(&mut error, "code", found);
    }
    if code(&error) == Some(INTERNAL)
        && error.extensions.as_ref().is_none_or(|e| e.get("request_id").is_none())
    {
        set(&mut error, "request_id", &id.0);
    }
    error
}

/// The code of an error that async-graphql itself has made: it has texts only.
///
/// A resolver's error without a code is a leak of something that nobody has looked at, so it counts as internal.
fn classify(message: &str, refused: bool) -> &'static str {
    const LIMITS: [&str; 5] = [
        "Query is too complex",
        "Query is nested too deep",
        "The recursion depth of the query",
        "The number of directives",
        "The amount of aliases",
    ];
    const INPUTS: [&str; 3] = ["Failed to parse \"", "Expected input type \"", "Invalid value for argument"];
    if LIMITS.iter().any(|start| message.starts_with(start)) {
        LIMIT_EXCEEDED
    } else if refused || INPUTS.iter().any(|start| message.starts_with(start)) {
        BAD_USER_INPUT
    } else {
        INTERNAL
    }
}

/// An error with a code.
pub(super) fn coded(code: &str, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    let mut error = ServerError::new(message, position);
    set(&mut error, "code", code);
    error
}

fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

fn set(error: &mut ServerError, name: &str, value: &str) {
    error.extensions.get_or_insert_default().set(name, value);
}
