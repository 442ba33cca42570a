//! Whether Baton lives and can work, and its keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use service::{App, access};

use super::problem::Problem;

/// The process answers.
pub async fn live() -> &'static str {
    "ok"
}

/// The database answers too.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let answer = sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&app.database.app).await;
    match answer {
        Ok(_) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "the database does not answer" })))
                .into_response()
        }
    }
}

/// The tenant's public signing keys (RFC 7517), by slug.
pub async fn jwks(State(app): State<Arc<App>>, Path(tenant): Path<String>) -> Result<Response, Problem> {
    let id = access::tenant(&app, &tenant).await?;
    let keys: Value = keys(&app, id).await?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Json(keys)).into_response())
}

async fn keys(app: &App, tenant: domain::ids::TenantId) -> Result<Value, service::Error> {
    Ok(app.tenants.open(tenant).await?.jwks(app.clock.now()).await?)
}
