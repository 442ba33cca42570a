//! GraphQL over HTTP, web sockets and event streams: everything between the wire and the schema.
//!
//! It knows the schema by its SDL and by two functions ([`Engine`]), so the schema is compiled once, where it is built.
//!
//! One request, in order: the media type that it accepts, its method, its content type; who calls ([`Authenticate`]); its body,
//! within limits of size, time and nesting; its document, measured before it is parsed, parsed, measured again with its fragments
//! expanded, validated; its variables; its execution, within a limit of time and with panics caught. Each step refuses before
//! the next one costs anything, and each refusal has an `extensions.code` and names the limit that was passed.
//!
//! What holds always:
//! - The engine never parses: it gets documents that were parsed and validated here.
//! - Nothing that was not executed has `data`; whatever an error says, it has a code; an internal one has a request id and no text.
//! - Only POST with `content-type: application/json` executes a mutation over HTTP.
//!
//! How to build the schema that stands behind an [`Engine`]:
//! - `disable_suggestions()`: the edge cuts suggestions from error texts, but they need not be computed.
//! - `validation_mode(ValidationMode::Fast)`: documents arrive valid, and the strict rules do not look at directives of `__typename`,
//!   so they call a variable unused that is used there. What stays the engine's own are custom scalars: in this mode a wrong one is
//!   an error of its field.
//! - `limit_complexity(…)`.
//! - A nullable field that may fail returns `Option<Result<T, E>>`. With `Result<Option<T>, E>` the framework lets the error null the
//!   parent, and with it the whole answer.

mod accept;
mod answer;
mod auth;
mod convert;
mod document;
mod edge;
mod event_stream;
mod exact;
mod exchange;
mod expansion;
mod inputs;
mod limits;
mod nesting;
mod params;
mod socket;

use std::sync::Arc;

use async_graphql::{ObjectType, Request, Response, Schema, SubscriptionType};
use axum::Router;
use axum::routing::any;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

pub use answer::{RequestId, to_json};
pub use auth::{Authenticate, Caller, Refusal};
pub use document::InvalidSchema;
pub use limits::Limits;

/// A schema, seen from the edge.
///
/// Requests arrive with their document parsed and validated, with the caller's data and a [`RequestId`] in `Request::data`.
pub trait Engine: Send + Sync + 'static {
    /// The schema in the schema definition language, read once.
    fn sdl(&self) -> String;

    /// The text of the trusted document with that SHA-256 (hexadecimal), if there is one. It passes the same checks as any other.
    fn trusted_document(&self, hash: &str) -> Option<String> {
        let _ = hash;
        None
    }

    /// Executes a query or a mutation.
    fn execute(&self, request: Request) -> BoxFuture<'_, Response>;

    /// Executes a subscription.
    fn subscribe(&self, request: Request) -> BoxStream<'static, Response>;
}

impl<Q, M, S> Engine for Schema<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn sdl(&self) -> String {
        Schema::sdl(self)
    }

    fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        Schema::execute(self, request).boxed()
    }

    fn subscribe(&self, request: Request) -> BoxStream<'static, Response> {
        self.execute_stream(request)
    }
}

/// The route `/graphql`: POST and GET, web sockets (graphql-transport-ws), event streams.
///
/// Fails when the engine's SDL is not a valid schema.
pub fn router(
    engine: Arc<dyn Engine>,
    auth: Arc<dyn Authenticate>,
    limits: Limits,
) -> Result<Router, InvalidSchema> {
    let edge = Arc::new(edge::Edge::new(engine, auth, limits)?);
    Ok(Router::new().route("/graphql", any(exchange::serve)).with_state(edge))
}
