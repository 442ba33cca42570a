//! `POST /hooks/{destination}`: a destination reports about its leads.
//!
//! 202 when the report is stored, 200 when it was before, 401 for a wrong code, signature or time, 404 for a destination that takes none.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use domain::ids::DestinationId;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use service::{App, inbound};

use super::problem::Problem;

/// Receives one report.
pub async fn receive(
    State(app): State<Arc<App>>,
    Path(destination): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|_| Problem::too_large("a report has at most 64 KiB; or its body broke off"))?;
    // An id that is none is as unknown as one of nobody.
    let destination: DestinationId = destination.parse().map_err(|_| {
        Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such address for reports")
    })?;
    let received = inbound::receive(&app, destination, &headers, &body).await?;
    let status = if received.new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(json!({ "id": received.id, "new": received.new }))).into_response())
}
