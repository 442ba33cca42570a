//! `POST /ingest/{source}`: one lead as a JSON object, or a file.
//!
//! A JSON object that is sent as `application/json` and fits into memory is one lead and is answered when its row is durable.
//! Everything else is a file: it is streamed to disk, synced, and answered at once with an import to watch.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::access::Right;
use domain::ids::TenantId;
use entity::lead_source;
use http::{HeaderMap, Method, StatusCode, header};
use serde::de::IgnoredAny;
use serde_json::json;
use service::App;
use service::access;
use service::database::Mode;
use service::intake::imports::{self, ReceivedFile};
use service::intake::submit::{self, Outcome, Submission};
use service::intake::{idempotency, sources};

use super::caller;
use super::problem::Problem;
use super::upload::{self, Upload};

/// Receives a lead or a file.
pub async fn ingest(
    State(app): State<Arc<App>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (tenant, source, channel) = sender(&app, &slug, &headers).await?;
    let key = match headers.get("idempotency-key") {
        Some(value) => {
            let text = value.to_str().map_err(|_| bad_key())?;
            idempotency::check(text)?;
            Some(text.to_owned())
        }
        None => None,
    };
    if is_one_lead(&headers) {
        one_lead_or_file(&app, tenant, source, channel, key, &headers, body).await
    } else {
        let upload = upload::receive(&app, tenant, body.into_data_stream(), Vec::new()).await?;
        file(&app, tenant, source, key, &headers, upload).await
    }
}

fn bad_key() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "the Idempotency-Key must be printable ASCII")
}

/// Who sends: the source's own token, or a person of the tenant.
async fn sender(
    app: &App,
    slug: &str,
    headers: &HeaderMap,
) -> Result<(TenantId, lead_source::Model, &'static str), Problem> {
    let token = caller::bearer(headers).filter(|token| token.starts_with("baton_source_"));
    if let Some(token) = token {
        let (tenant, key) = access::by_source_token(app, token).await?;
        let source = source(app, tenant, slug).await?;
        access::may_ingest(&key, &source)?;
        return Ok((tenant, source, "api"));
    }
    let viewer = caller::viewer(app, &Method::POST, headers).await?;
    viewer.require(Right::LeadsWrite)?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    Ok((viewer.tenant, sources::by_slug(&tx, slug).await?, "web"))
}

async fn source(app: &App, tenant: TenantId, slug: &str) -> Result<lead_source::Model, service::Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    sources::by_slug(&tx, slug).await
}

/// JSON without a file name may be one lead; compressed or named content is a file.
fn is_one_lead(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    (essence.eq_ignore_ascii_case("application/json"))
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(upload::FILE_NAME)
}

/// Reads up to the limit of one record; what is longer, no object, or more than one, goes on as a file.
async fn one_lead_or_file(
    app: &Arc<App>,
    tenant: TenantId,
    source: lead_source::Model,
    channel: &'static str,
    key: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut stream = body.into_data_stream();
    let mut start = Vec::new();
    let mut complete = true;
    while let Some(piece) = upload::next_piece(app, &mut stream).await? {
        start.extend_from_slice(&piece);
        if start.len() > app.settings.record_bytes_max {
            complete = false;
            break;
        }
    }
    let is_object = start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !complete || !is_object || another_follows(&start) {
        let upload = upload::receive(app, tenant, stream, start).await?;
        return file(app, tenant, source, key, headers, upload).await;
    }
    let record = String::from_utf8(start).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_ENCODING", "the body must be JSON in UTF-8")
    })?;
    let submission =
        Submission { source: &source, record: &record, channel, idempotency_key: key.as_deref() };
    let submitted = submit::submit(app, tenant, submission).await?;
    let status = match submitted.outcome {
        Outcome::Accepted | Outcome::Warned => StatusCode::CREATED,
        Outcome::Updated | Outcome::Duplicate => StatusCode::OK,
        Outcome::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let answer = json!({
        "outcome": submitted.outcome.as_str(),
        "lead_id": submitted.lead,
        "failed_record_id": submitted.failed,
        "reasons": submitted.reasons,
    });
    Ok((status, Json(answer)).into_response())
}

/// Whether a second object comes after the first: lines of JSON, sent as if they were one.
fn another_follows(body: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    let first = values.next();
    matches!(first, Some(Ok(_))) && body[values.byte_offset()..].trim_ascii_start().starts_with(b"{")
}

async fn file(
    app: &Arc<App>,
    tenant: TenantId,
    source: lead_source::Model,
    key: Option<String>,
    headers: &HeaderMap,
    upload: Upload,
) -> Result<Response, Problem> {
    if upload.bytes == 0 {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "EMPTY_FILE",
            "the body is empty: send a file with a header and records, or one lead as a JSON object",
        ));
    }
    let received = ReceivedFile {
        name: upload::file_name(headers, &source.slug),
        bytes: upload.bytes,
        hash: upload.hash,
        stored_as: Some(upload.stored_as.clone()),
    };
    let app = Arc::clone(app);
    // A task of its own: a sender that goes away now must not part the row from its file.
    let registering = tokio::spawn(async move {
        let receipt = imports::receive(&app, tenant, &source, received, key.as_deref()).await?;
        if receipt.new {
            upload.keep();
        }
        Ok::<_, service::Error>(receipt)
    });
    let registered =
        registering.await.map_err(|error| service::Error::internal("receiving a file", error))?;
    let answer = json!({ "import_id": registered?.import });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

#[cfg(test)]
mod tests {
    use super::another_follows;

    #[test]
    fn another_object_is_found_after_the_first_alone() {
        for several in ["{}\n{}", "{\"a\":{\"b\":\"}\"}}\r\n {\"a\":2}\n", " {} {\"cut"] {
            assert!(another_follows(several.as_bytes()), "{several}");
        }
        for one in ["{}", "{\"a\":\"}\\n{\"}\n", "{\"a\":{\"b\":[{}]}}", "{} tail", "{\"a\":\n{", "{} ]"] {
            assert!(!another_follows(one.as_bytes()), "{one}");
        }
    }
}
