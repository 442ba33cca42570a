//! The protocol of libSQL servers (sqld, Turso): Hrana 3 over HTTP, as JSON.
//!
//! Written here, over the HTTP client that the workspace has already, because the library's own remote client asks twice
//! for each read, keeps the stream of a read open until the server forgets it (the next read then fails), knows no
//! deadline, and brings a second HTTP stack with a second cryptographic provider.
//!
//! A *stream* is a connection at the server. It is named by a token (`baton` in the protocol) that changes with each
//! request; a request without one gets a new stream, and `close` ends it. Reads open and end theirs in one request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use libsql::Value;
use libsql::params::Params;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The path of the protocol's requests.
const PIPELINE: &str = "/v3/pipeline";
/// How long a write waits for others, as for a file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// The largest answer that is read; a server's own limit is 10 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Base64 as the protocol has it: written without padding, read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a server says, or that it says nothing. No text holds a token or an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No connection, no answer in time, or an answer that breaks off.
    #[error("the server of the tenants' databases could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The server knows no database of that name.
    #[error("the server has no such database")]
    Missing,
    /// The server takes no request with this token.
    #[error("the server refuses the token of the configuration")]
    Refused,
    /// Another answer than success.
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    /// A statement failed.
    #[error("the server could not run a statement: {message}")]
    Statement {
        /// What the server says.
        message: String,
        /// Its code, as in `SQLITE_BUSY`.
        code: String,
    },
    /// The server has ended the transaction by itself: it took too long, or the server had too much else to do. Nothing of it
    /// stays.
    #[error("the server has ended the transaction")]
    StreamEnded,
    /// Not what the protocol has.
    #[error("the server's answer cannot be read")]
    Malformed,
}

impl ServerError {
    /// Whether there is no such database, or one that an erased tenant has left empty.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Statement { message, .. } => message.contains("no such table"),
            _ => false,
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Statement { code, .. } if code.starts_with("SQLITE_BUSY"))
    }
}

/// A database of a server.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) client: Client,
    /// Where it is, without the protocol's path.
    pub(crate) base: Url,
    pub(crate) token: Option<SecretString>,
}

/// What a statement gave.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) names: Arc<[String]>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) changed: u64,
}

impl Database {
    /// Runs one statement in a stream of its own.
    pub(crate) async fn query(&self, sql: &str, params: Params) -> Result<Table, ServerError> {
        let requests = [Request::execute(sql, params)?, Request::Close];
        let mut answer = self.send(&self.base, None, &requests).await?;
        answer.first()
    }

    /// Begins a transaction that may write; waits for others that do.
    pub(crate) async fn begin(&self) -> Result<Stream, ServerError> {
        let since = Instant::now();
        loop {
            let requests = [Request::execute("BEGIN IMMEDIATE", Params::None)?];
            let mut answer = self.send(&self.base, None, &requests).await?;
            let outcome = answer.first();
            let stream = Stream { database: self.clone(), place: Mutex::new(answer.place(&self.base)) };
            match outcome {
                Ok(_) => return Ok(stream),
                Err(busy) if busy.is_busy() && since.elapsed() < BUSY_TIMEOUT => {
                    stream.close().await;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn send(
        &self,
        base: &Url,
        baton: Option<&str>,
        requests: &[Request<'_>],
    ) -> Result<Answer, ServerError> {
        let mut url = base.clone();
        url.set_path(&format!("{}{PIPELINE}", base.path().trim_end_matches('/')));
        let mut request = self.client.post(url).json(&json!({ "baton": baton, "requests": requests }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let unreachable = |error: reqwest::Error| ServerError::Unreachable(error.without_url());
        let mut response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(ServerError::Missing),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ServerError::Refused),
            other => return Err(ServerError::Status(other.as_u16())),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(ServerError::Malformed);
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| ServerError::Malformed)
    }
}

/// A connection at the server that a transaction has to itself.
pub(crate) struct Stream {
    database: Database,
    place: Mutex<Place>,
}

/// Where a stream goes on.
#[derive(Clone)]
struct Place {
    base: Url,
    /// None once the server has ended it.
    baton: Option<String>,
}

impl Stream {
    pub(crate) async fn execute(&self, sql: &str, params: Params) -> Result<Table, ServerError> {
        self.send(&[Request::execute(sql, params)?]).await?.first()
    }

    pub(crate) async fn sequence(&self, sql: &str) -> Result<(), ServerError> {
        self.send(&[Request::Sequence { sql }]).await?.succeeded()
    }

    /// The last statement, and the end of the stream.
    pub(crate) async fn finish(self, sql: &str) -> Result<(), ServerError> {
        self.send(&[Request::execute(sql, Params::None)?, Request::Close]).await?.succeeded()
    }

    async fn close(self) {
        let _ = self.send(&[Request::Close]).await;
    }

    async fn send(&self, requests: &[Request<'_>]) -> Result<Answer, ServerError> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Without its name the next statement would run outside of the transaction.
        let baton = place.baton.ok_or(ServerError::StreamEnded)?;
        let answer =
            self.database.send(&place.base, Some(&baton), requests).await.map_err(|error| match error {
                // What is not found in the middle of a transaction is its stream.
                ServerError::Missing => ServerError::StreamEnded,
                other => other,
            })?;
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = answer.place(&place.base);
        Ok(answer)
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Request<'sql> {
    Execute { stmt: Statement<'sql> },
    Sequence { sql: &'sql str },
    Close,
}

#[derive(Serialize)]
struct Statement<'sql> {
    sql: &'sql str,
    args: Vec<Json>,
    want_rows: bool,
}

impl<'sql> Request<'sql> {
    fn execute(sql: &'sql str, params: Params) -> Result<Self, ServerError> {
        let args = match params {
            Params::None => Vec::new(),
            Params::Positional(values) => values.iter().map(encode).collect(),
            // Nobody names values here.
            Params::Named(_) => return Err(ServerError::Malformed),
        };
        Ok(Self::Execute { stmt: Statement { sql, args, want_rows: true } })
    }
}

#[derive(Deserialize)]
struct Answer {
    baton: Option<String>,
    base_url: Option<String>,
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outcome {
    Ok { response: Response },
    Error { error: Refusal },
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    result: Option<Executed>,
}

#[derive(Deserialize)]
struct Executed {
    cols: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    affected_row_count: u64,
}

#[derive(Deserialize)]
struct Column {
    name: Option<String>,
}

/// A value; integers are texts, as JSON's numbers would lose digits.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Cell {
    Null,
    Integer { value: String },
    Float { value: f64 },
    Text { value: String },
    Blob { base64: String },
}

impl Answer {
    /// What the first request gave; every request has succeeded.
    fn first(&mut self) -> Result<Table, ServerError> {
        let mut results = std::mem::take(&mut self.results).into_iter();
        let first = results.next().ok_or(ServerError::Malformed)?.succeeded()?;
        for other in results {
            other.succeeded()?;
        }
        let executed = first.result.ok_or(ServerError::Malformed)?;
        let names = executed.cols.into_iter().map(|column| column.name.unwrap_or_default()).collect();
        let row = |cells: Vec<Cell>| cells.into_iter().map(decode).collect::<Result<Vec<_>, _>>();
        let rows = executed.rows.into_iter().map(row).collect::<Result<_, _>>()?;
        Ok(Table { names, rows, changed: executed.affected_row_count })
    }

    fn succeeded(self) -> Result<(), ServerError> {
        self.results.into_iter().try_for_each(|outcome| outcome.succeeded().map(drop))
    }

    fn place(&self, base: &Url) -> Place {
        let moved = self.base_url.as_deref().and_then(|url| url.parse().ok());
        Place { base: moved.unwrap_or_else(|| base.clone()), baton: self.baton.clone() }
    }
}

impl Outcome {
    fn succeeded(self) -> Result<Response, ServerError> {
        match self {
            Self::Ok { response } => Ok(response),
            Self::Error { error } => {
                Err(ServerError::Statement { message: error.message, code: error.code.unwrap_or_default() })
            }
        }
    }
}

fn encode(value: &Value) -> Json {
    match value {
        Value::Null => json!({ "type": "null" }),
        Value::Integer(number) => json!({ "type": "integer", "value": number.to_string() }),
        Value::Real(number) => json!({ "type": "float", "value": number }),
        Value::Text(text) => json!({ "type": "text", "value": text }),
        Value::Blob(bytes) => json!({ "type": "blob", "base64": BASE64.encode(bytes) }),
    }
}

fn decode(cell: Cell) -> Result<Value, ServerError> {
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Integer { value } => Value::Integer(value.parse().map_err(|_| ServerError::Malformed)?),
        Cell::Float { value } => Value::Real(value),
        Cell::Text { value } => Value::Text(value),
        Cell::Blob { base64 } => Value::Blob(BASE64.decode(base64).map_err(|_| ServerError::Malformed)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            (-1e15..1e15).prop_map(Value::Real),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_went(value in value()) {
            let cell: Cell = serde_json::from_value(encode(&value)).unwrap();
            prop_assert_eq!(decode(cell).unwrap(), value);
        }
    }
}
