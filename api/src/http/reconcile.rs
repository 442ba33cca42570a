//! `POST /reconcile/{destination}`: a destination's own list as a file; it is compared in the background.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use chrono::{DateTime, Utc};
use domain::access::Right;
use domain::ids::DestinationId;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use service::App;
use service::database::Mode;
use service::delivery::manage;
use service::reconciliation::background;
use service::reconciliation::run::{List, Request};

use super::problem::Problem;
use super::{caller, upload};

/// Which of our leads the list is compared with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    since: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    channel: Option<String>,
    as_of: Option<DateTime<Utc>>,
}

/// Receives the list and begins the run.
pub async fn receive(
    State(app): State<Arc<App>>,
    Path(slug): Path<String>,
    Query(scope): Query<Scope>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let viewer = caller::viewer(&app, &Method::POST, &headers).await?;
    viewer.require(Right::ReconciliationWrite)?;
    let tx = app.begin_for(&viewer, Mode::ReadOnly).await?;
    let destination = DestinationId(manage::by_slug(&tx, &slug).await?.id);
    drop(tx);
    let upload = upload::receive(&app, viewer.tenant, body.into_data_stream(), Vec::new()).await?;
    let list = List::File {
        path: app.settings.data_dir.join(&upload.stored_as),
        name: upload::file_name(&headers, &slug),
    };
    let request = Request {
        since: scope.since,
        before: scope.before,
        channel: scope.channel,
        as_of: scope.as_of,
        ..Request::whole(destination, list, viewer.actor.to_string())
    };
    let tenant = viewer.tenant;
    // A task of its own: a sender that goes away now must not part the run from its file.
    let beginning = tokio::spawn(async move {
        let id = background::start(&app, tenant, request, Some(&upload.stored_as)).await?;
        // From now on the file is the run's, whoever carries it out.
        upload.keep();
        Ok::<_, service::Error>(id)
    });
    let id =
        beginning.await.map_err(|error| service::Error::internal("beginning a reconciliation", error))??;
    Ok((StatusCode::ACCEPTED, Json(json!({ "reconciliation_id": id }))))
}
