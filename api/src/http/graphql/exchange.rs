//! Queries and mutations over HTTP (the GraphQL over HTTP specification, draft).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use tower_http::request_id::RequestId as HeaderRequestId;

use super::accept::Media;
use super::answer::{Answer, BAD_USER_INPUT, Fault, LIMIT_EXCEEDED, RequestId};
use super::auth::Caller;
use super::edge::{Edge, Kind, Ready, internal};
use super::params::{Batch, Params};
use super::{event_stream, socket};

const METHODS: &str = "GET, POST";

/// Serves `/graphql`, whatever the method and the transport.
pub(super) async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = request_id(&parts);
    if parts.method == Method::GET && socket::is_handshake(&parts.headers) {
        return socket::upgrade(edge, parts, id).await;
    }
    let media = Media::negotiate(&parts.headers);
    // What panics here is a fault of the edge or of the parser; it must not take the connection with it.
    let answered = AssertUnwindSafe(answer(&edge, &parts, body, media, &id)).catch_unwind().await;
    answered
        .unwrap_or_else(|_panic| Err(internal(&id)))
        .unwrap_or_else(|fault| render(media.unwrap_or(Media::Json), &fault.into()))
}

async fn answer(
    edge: &Edge,
    parts: &Parts,
    body: Body,
    media: Option<Media>,
    id: &RequestId,
) -> Result<Response, Fault> {
    if !matches!(parts.method, Method::GET | Method::POST) {
        return Err(Fault::method(METHODS, "GraphQL is served by GET and POST"));
    }
    let Some(media) = media else {
        return Err(Fault::http(
            StatusCode::NOT_ACCEPTABLE,
            BAD_USER_INPUT,
            "answers are application/graphql-response+json, application/json or text/event-stream",
        ));
    };
    if parts.method == Method::POST {
        check_content(&parts.headers)?;
    }
    let caller = edge.auth.http(parts).await?;
    let batch = if parts.method == Method::GET {
        Batch::Single(Params::from_uri(&parts.uri, &edge.limits)?)
    } else {
        Batch::from_body(&read(&parts.headers, body, edge).await?, &edge.limits)?
    };
    match batch {
        Batch::Single(params) if media == Media::EventStream => {
            event_stream::respond(edge, parts, params, &caller, id)
        }
        Batch::Single(params) => single(edge, parts, params, media, &caller, id).await,
        Batch::Several(_) if media == Media::EventStream => {
            Err(Fault::http(StatusCode::BAD_REQUEST, BAD_USER_INPUT, "an event stream carries one operation"))
        }
        Batch::Several(params) => several(edge, params, media, &caller, id).await,
    }
}

/// Only a mutation sent by POST may change something: links, images and forms of other sites can send anything else.
pub(super) fn check_method(kind: Kind, method: &Method) -> Result<(), Fault> {
    if kind == Kind::Mutation && method != Method::POST {
        return Err(Fault::method("POST", "a mutation has to be sent by POST"));
    }
    Ok(())
}

async fn single(
    edge: &Edge,
    parts: &Parts,
    params: Params,
    media: Media,
    caller: &Caller,
    id: &RequestId,
) -> Result<Response, Fault> {
    let ready = edge.prepare(params)?;
    check_method(ready.kind, &parts.method)?;
    no_subscription(&ready)?;
    Ok(render(media, &edge.execute(ready, caller, id).await))
}

/// Executes a batch's requests one after the other: they share the cost of one request, not the right to several at once.
async fn several(
    edge: &Edge,
    params: Vec<Params>,
    media: Media,
    caller: &Caller,
    id: &RequestId,
) -> Result<Response, Fault> {
    let prepared: Vec<_> = params.into_iter().map(|params| edge.prepare(params)).collect();
    let ready = || prepared.iter().filter_map(|prepared| prepared.as_ref().ok());
    if prepared.len() > 1 && ready().any(|ready| ready.kind == Kind::Mutation) {
        return Err(Fault::http(StatusCode::BAD_REQUEST, BAD_USER_INPUT, "a mutation has to be sent alone"));
    }
    let fields_max = edge.limits.expanded_fields_max;
    if ready().fold(0, |sum: u64, ready| sum.saturating_add(ready.fields)) > fields_max {
        let message = format!("the batch has more than {fields_max} fields once its fragments are expanded");
        return Err(Fault::http(StatusCode::BAD_REQUEST, LIMIT_EXCEEDED, message));
    }
    let answers: Vec<Answer> = stream::iter(prepared)
        .then(|prepared| async {
            match prepared.and_then(|ready| no_subscription(&ready).map(|()| ready)) {
                Ok(ready) => edge.execute(ready, caller, id).await,
                Err(fault) => fault.into(),
            }
        })
        .collect()
        .await;
    let bodies: Vec<String> = answers.iter().map(|answer| answer.body().to_json()).collect();
    let headers = answers.iter().map(|answer| &answer.headers);
    Ok(json_response(StatusCode::OK, media, format!("[{}]", bodies.join(",")), headers))
}

fn no_subscription(ready: &Ready) -> Result<(), Fault> {
    if ready.kind == Kind::Subscription {
        return Err(Fault::invalid("a subscription needs a web socket, or `accept: text/event-stream`"));
    }
    Ok(())
}

/// A body has to be declared as JSON: no form of another site can do that without asking us first.
fn check_content(headers: &HeaderMap) -> Result<(), Fault> {
    let unsupported =
        |message: &str| Fault::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, BAD_USER_INPUT, message);
    let declared =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut declared = declared.split(';').map(str::trim);
    if !declared.next().unwrap_or_default().eq_ignore_ascii_case("application/json") {
        return Err(unsupported("a request has to come with `content-type: application/json`"));
    }
    let charset = declared
        .find_map(|part| part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset")));
    if charset.is_some_and(|(_, name)| !name.trim_matches('"').eq_ignore_ascii_case("utf-8")) {
        return Err(unsupported("a request has to be UTF-8"));
    }
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("a request must not be compressed"));
    }
    Ok(())
}

/// Reads a body within its limits of size and time.
async fn read(headers: &HeaderMap, body: Body, edge: &Edge) -> Result<Bytes, Fault> {
    let bytes_max = edge.limits.body_bytes_max;
    let too_large = || {
        let message = format!("the request has more than {bytes_max} bytes");
        Fault::http(StatusCode::PAYLOAD_TOO_LARGE, LIMIT_EXCEEDED, message)
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > bytes_max as u64)
    {
        return Err(too_large());
    }
    let limited = http_body_util::Limited::new(body, bytes_max);
    match tokio::time::timeout(edge.limits.body_time_max, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Fault::http(
            StatusCode::BAD_REQUEST,
            BAD_USER_INPUT,
            "the request ended before it was complete",
        )),
        Err(_elapsed) => {
            let seconds = edge.limits.body_time_max.as_secs();
            let message = format!("the request took more than {seconds} seconds to arrive");
            Err(Fault::http(StatusCode::REQUEST_TIMEOUT, LIMIT_EXCEEDED, message))
        }
    }
}

/// One answer as an HTTP response.
pub(super) fn render(media: Media, answer: &Answer) -> Response {
    let status = if media == Media::Json { answer.status_json } else { answer.status };
    let mut response = json_response(status, media, answer.body().to_json(), [&answer.headers]);
    if let Some(allow) = answer.allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

fn json_response<'a>(
    status: StatusCode,
    media: Media,
    body: String,
    headers: impl IntoIterator<Item = &'a HeaderMap>,
) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let ours = response.headers_mut();
    // Answers are a caller's own, also those to GET.
    ours.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ours.insert(header::VARY, HeaderValue::from_static("accept"));
    for (name, value) in headers.into_iter().flatten() {
        ours.append(name, value.clone());
    }
    ours.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    response
}

/// The id that an outer layer has given to the request, or else a number of this process.
fn request_id(parts: &Parts) -> RequestId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let given = parts.extensions.get::<HeaderRequestId>().and_then(|id| id.header_value().to_str().ok());
    RequestId(
        given.map_or_else(|| format!("graphql-{}", NEXT.fetch_add(1, Ordering::Relaxed)), str::to_owned),
    )
}
