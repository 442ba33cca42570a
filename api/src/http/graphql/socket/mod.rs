//! GraphQL over web sockets: the graphql-transport-ws protocol.
//!
//! The library's own implementation sends validation errors as results and knows one close code, so this is ours. One task serves a
//! socket: it reads messages, polls the running operations, and writes, one thing at a time. So a client that does not read stops
//! its own operations, and nothing queues.

mod connection;
mod protocol;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::Media;
use super::answer::{BAD_USER_INPUT, Fault, RequestId};
use super::edge::Edge;
use super::exchange::render;
use connection::Connection;

/// The one subprotocol that is spoken; `graphql-ws`, its predecessor, is not.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Whether a GET asks for a web socket.
pub(super) fn is_handshake(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|protocols| {
        protocols.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket"))
    })
}

/// Answers a handshake, and serves the socket afterwards.
pub(super) async fn upgrade(edge: Arc<Edge>, mut parts: Parts, id: RequestId) -> Response {
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if !offers_subprotocol(&parts.headers) {
        let message = format!("the web socket has to offer the subprotocol {SUBPROTOCOL}");
        return render(Media::Json, &Fault::http(StatusCode::BAD_REQUEST, BAD_USER_INPUT, message).into());
    }
    if let Err(refusal) = edge.auth.handshake(&parts) {
        return render(Media::Json, &Fault::from(refusal).into());
    }
    let bytes_max = edge.limits.socket_message_bytes_max;
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .on_upgrade(move |socket| Connection::new(edge, parts, id, socket).serve())
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|offers| offers.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}
