//! The messages and close codes of graphql-transport-ws.

use async_graphql::ServerError;
use axum::extract::ws::CloseFrame;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::answer::{Body, Fault};
use super::super::limits::Limits;
use super::super::params::{self, Params};

/// Bytes of an operation's id.
const ID_BYTES_MAX: usize = 128;
/// Bytes of a close frame's reason: a control frame has 125, two of which are the code (RFC 6455, section 5.5).
const REASON_BYTES_MAX: usize = 123;
/// Levels of a message around `variables`: the message and its payload.
const ENVELOPE_LEVELS: usize = 2;

/// A message from the client.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Init(Map<String, Value>),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, params: Params },
    Complete { id: String },
}

/// A message to the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outgoing<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Next {
        id: &'a str,
        payload: Body<'a>,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

/// Why the server closes a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        Self { code, reason }
    }

    pub(super) fn normal() -> Self {
        Self::new(1000, "")
    }

    pub(super) fn message_too_big(bytes_max: usize) -> Self {
        Self::new(1009, format!("a message has more than {bytes_max} bytes"))
    }

    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(4400, reason)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized")
    }

    pub(super) fn forbidden(reason: &str) -> Self {
        Self::new(4403, format!("Forbidden: {reason}"))
    }

    pub(super) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    pub(super) fn subscriber_exists(id: &str) -> Self {
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    pub(super) fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }

    pub(super) fn internal() -> Self {
        Self::new(4500, "Internal server error")
    }

    pub(super) fn into_frame(self) -> CloseFrame {
        CloseFrame { code: self.code, reason: self.reason.into() }
    }
}

impl From<Fault> for Close {
    fn from(fault: Fault) -> Self {
        let message = fault.errors.into_iter().next().map(|error| error.message);
        Self::bad_request(message.unwrap_or_default())
    }
}

impl Incoming {
    /// Reads a message; whatever is not one closes the socket with 4400.
    pub(super) fn read(text: &str, limits: &Limits) -> Result<Self, Close> {
        let Value::Object(mut message) = params::json(text.as_bytes(), ENVELOPE_LEVELS, limits)? else {
            return Err(Close::bad_request("a message is a JSON object"));
        };
        let Some(Value::String(kind)) = message.remove("type") else {
            return Err(Close::bad_request("a message needs a `type`"));
        };
        let payload = message.remove("payload");
        match (kind.as_str(), payload) {
            ("connection_init", None | Some(Value::Null)) => Ok(Self::Init(Map::new())),
            ("connection_init", Some(Value::Object(payload))) => Ok(Self::Init(payload)),
            ("ping", payload @ (None | Some(Value::Object(_) | Value::Null))) => Ok(Self::Ping(payload)),
            ("pong", None | Some(Value::Object(_) | Value::Null)) => Ok(Self::Pong),
            ("subscribe", Some(payload)) => {
                Ok(Self::Subscribe { id: id(&mut message)?, params: Params::from_json(payload)? })
            }
            ("complete", _) => Ok(Self::Complete { id: id(&mut message)? }),
            ("subscribe", None) => Err(Close::bad_request("`subscribe` needs a payload")),
            ("connection_init" | "ping" | "pong", Some(_)) => {
                Err(Close::bad_request("the payload is not an object"))
            }
            _ => Err(Close::bad_request("the message has an unknown `type`")),
        }
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Ok(id),
        _ => {
            Err(Close::bad_request(format!("a message needs an `id`, a string of 1 to {ID_BYTES_MAX} bytes")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_a_control_frame_and_stays_text() {
        let reason = Close::bad_request("é".repeat(200)).into_frame().reason;
        assert_eq!(reason.len(), 122);
        assert!(reason.chars().all(|character| character == 'é'));
    }
}
