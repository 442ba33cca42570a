//! The results of one operation as server-sent events (the graphql-sse protocol, distinct connections mode).
//!
//! A refusal before the operation is known to be well-formed has an HTTP status. What is wrong with the operation itself arrives
//! as the one `next` event of a stream, because an `EventSource` shows its user nothing of a status.

use std::convert::Infallible;

use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

use super::answer::{Answer, Fault, RequestId};
use super::auth::Caller;
use super::edge::Edge;
use super::exchange::check_method;
use super::params::Params;

/// Begins the stream of an operation.
pub(super) fn respond(
    edge: &Edge,
    parts: &Parts,
    params: Params,
    caller: &Caller,
    id: &RequestId,
) -> Result<Response, Fault> {
    let answers = match edge.prepare(params) {
        Ok(ready) => {
            check_method(ready.kind, &parts.method)?;
            edge.stream(ready, caller, id)
        }
        Err(fault) => stream::once(async { Answer::from(fault) }).boxed(),
    };
    let events = within(caller, answers)
        .map(|answer| Event::default().event("next").data(answer.body().to_json()))
        // Browsers dispatch no event without data, and the library writes no empty line; two of them it does.
        .chain(stream::once(async { Event::default().event("complete").data("\n") }))
        .map(Ok::<_, Infallible>);
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(edge.limits.idle_time)).into_response();
    // Buffering proxies hold small events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The answers as long as the caller's credentials are valid.
fn within(caller: &Caller, answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
    match caller.rest() {
        Some(rest) => answers.take_until(tokio::time::sleep(rest).boxed()).boxed(),
        None => answers,
    }
}
