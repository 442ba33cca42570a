//! `GET /imports/{import}/failed.csv`: refused records as a download, streamed.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::access::Right;
use domain::ids::ImportId;
use http::{HeaderMap, Method, header};
use service::App;
use service::database::Mode;
use service::intake::export::FailedExport;

use super::caller;
use super::problem::Problem;

/// Streams the export; one transaction, so that it agrees with itself.
pub async fn failed_records(
    State(app): State<Arc<App>>,
    Path(import): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let viewer = caller::viewer(&app, &Method::GET, &headers).await?;
    let import: ImportId =
        import.parse().map_err(|_| Problem::from(service::Error::not_found("import", &import)))?;
    viewer.require(Right::LeadsRead)?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    let mut export = FailedExport::new(&app, &tx, import).await?;
    let stream = async_stream::try_stream! {
        while let Some(piece) = export.next(&tx).await? {
            yield Bytes::from(piece);
        }
    };
    let stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, service::Error>> + Send>> =
        Box::pin(stream);
    Ok(csv(&format!("{import}-refused.csv"), Body::from_stream(stream)))
}

/// A CSV file to be saved under that name.
pub(super) fn csv(name: &str, body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body.into()).into_response()
}
