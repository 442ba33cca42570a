//! The parameters of a GraphQL request: from a JSON body, a query string, or a message on a web socket.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use serde_json::{Map, Value};

use super::answer::{BAD_USER_INPUT, Fault, LIMIT_EXCEEDED};
use super::limits::Limits;
use super::{exact, nesting};

/// One request (GraphQL over HTTP, section 5.1). Unknown members are ignored, as the specification wants.
#[derive(Debug, PartialEq)]
pub(super) struct Params {
    /// Empty when the document goes by its hash.
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Map<String, Value>,
    pub(super) extensions: Map<String, Value>,
}

/// A body: one request, or several in an array.
#[derive(Debug, PartialEq)]
pub(super) enum Batch {
    Single(Params),
    Several(Vec<Params>),
}

/// Levels of a body around `variables`: the array of a batch and the request itself.
const ENVELOPE_LEVELS: usize = 2;

impl Batch {
    /// Reads a JSON body.
    pub(super) fn from_body(body: &[u8], limits: &Limits) -> Result<Self, Fault> {
        match json(body, ENVELOPE_LEVELS, limits)? {
            Value::Array(_) if limits.batch_max == 0 => Err(bad("requests cannot be sent in batches here")),
            Value::Array(items) if items.is_empty() => Err(bad("the batch is empty")),
            Value::Array(items) if items.len() > limits.batch_max => Err(Fault::http(
                StatusCode::BAD_REQUEST,
                LIMIT_EXCEEDED,
                format!("the batch has more than {} requests", limits.batch_max),
            )),
            Value::Array(items) => {
                items.into_iter().map(Params::from_json).collect::<Result<_, _>>().map(Self::Several)
            }
            single => Params::from_json(single).map(Self::Single),
        }
    }
}

impl Params {
    /// Reads the members of one request.
    pub(super) fn from_json(value: Value) -> Result<Self, Fault> {
        let Value::Object(mut members) = value else {
            return Err(bad("a GraphQL request is a JSON object with the member `query`"));
        };
        Self {
            query: match members.remove("query") {
                Some(Value::String(query)) => query,
                Some(Value::Null) | None => String::new(),
                Some(_) => return Err(bad("`query` is not a string")),
            },
            operation_name: match members.remove("operationName") {
                Some(Value::String(name)) => Some(name),
                Some(Value::Null) | None => None,
                Some(_) => return Err(bad("`operationName` is not a string")),
            },
            variables: object(&mut members, "variables")?,
            extensions: object(&mut members, "extensions")?,
        }
        .with_document()
    }

    /// Refuses a request that brings no document, neither as text nor by its hash.
    fn with_document(self) -> Result<Self, Fault> {
        if self.query.is_empty() && self.hash().is_none() {
            return Err(bad("the request has no `query`"));
        }
        Ok(self)
    }

    /// The SHA-256 of a trusted document, as persisted queries name it.
    pub(super) fn hash(&self) -> Option<&str> {
        self.extensions.get("persistedQuery")?.get("sha256Hash")?.as_str()
    }

    /// Reads the query string of a GET; `variables` and `extensions` are JSON in it.
    pub(super) fn from_uri(uri: &Uri, limits: &Limits) -> Result<Self, Fault> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Err(bad("the query string cannot be read"));
        };
        let mut members = Map::new();
        for (name, text) in pairs {
            let value = match name.as_str() {
                "operationName" | "variables" | "extensions" if text.is_empty() => Value::Null,
                "variables" | "extensions" => json(text.as_bytes(), 0, limits)?,
                "query" | "operationName" => Value::String(text),
                _ => continue,
            };
            if members.insert(name, value).is_some() {
                return Err(bad("the query string has a parameter twice"));
            }
        }
        Self::from_json(Value::Object(members))
    }
}

/// Reads a JSON text whose interesting parts lie `envelope_levels` deep.
pub(super) fn json(bytes: &[u8], envelope_levels: usize, limits: &Limits) -> Result<Value, Fault> {
    if nesting::json_exceeds(bytes, limits.variables_nesting_max + envelope_levels) {
        return Err(Fault::http(
            StatusCode::BAD_REQUEST,
            LIMIT_EXCEEDED,
            format!("variables nest more than {} levels deep", limits.variables_nesting_max),
        ));
    }
    // RFC 8259 lets a reader ignore a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| bad("the request is not UTF-8"))?;
    exact::read(text).map_err(|error| {
        // The error's own text may quote the input; its place is enough.
        bad(format!("the request is not JSON: look at line {}, column {}", error.line(), error.column()))
    })
}

fn object(members: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Fault> {
    match members.remove(name) {
        Some(Value::Object(object)) => Ok(object),
        Some(Value::Null) | None => Ok(Map::new()),
        Some(_) => Err(bad(format!("`{name}` is not an object"))),
    }
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::http(StatusCode::BAD_REQUEST, BAD_USER_INPUT, message)
}
