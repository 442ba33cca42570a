//! `POST /ingest/actions/{partner}`: a file of actions – CSV, JSON, one object a line, gzipped or not.
//!
//! It is streamed to disk and then recorded batch by batch; the answer counts what became of its entries and says of each refused
//! one why. The same file again changes nothing.

use std::fs::File;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::access::Right;
use domain::ids::PartnerId;
use http::{HeaderMap, Method, StatusCode};
use service::App;
use service::billing::{ingest, partners};
use service::database::Mode;

use super::problem::Problem;
use super::{caller, upload};

/// Receives a file of actions.
pub async fn receive(
    State(app): State<Arc<App>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let viewer = caller::viewer(&app, &Method::POST, &headers).await?;
    viewer.require(Right::BillingRecord)?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    let partner = partners::partner_by_slug(&tx, &slug).await?;
    drop(tx);
    let upload = upload::receive(&app, viewer.tenant, body.into_data_stream(), Vec::new()).await?;
    if upload.bytes == 0 {
        let text = "the body is empty: send a file with a header and actions";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "EMPTY_FILE", text));
    }
    let path = app.settings.data_dir.join(&upload.stored_as);
    let file = tokio::task::spawn_blocking(move || File::open(path))
        .await
        .map_err(std::io::Error::other)
        .and_then(|opened| opened)
        .map_err(|error| service::Error::internal("opening a file of actions", error))?;
    let sum = ingest::ingest(&app, viewer.tenant, PartnerId(partner.id), file).await?;
    drop(upload);
    Ok((StatusCode::OK, Json(sum)).into_response())
}
