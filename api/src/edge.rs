//! The two things that processes need of the HTTP side: its router and the schema's text.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use service::App;

/// Everything that answers over HTTP.
pub fn router(app: Arc<App>) -> Router {
    let ready = move || {
        let app = Arc::clone(&app);
        async move {
            match sqlx::query("SELECT 1").execute(&app.database.app).await {
                Ok(_) => StatusCode::OK,
                Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
    };
    Router::new().route("/healthz", get(|| async { StatusCode::OK })).route("/readyz", get(ready))
}

/// The schema in the schema definition language.
pub fn schema() -> String {
    include_str!("../../schema.graphql").to_owned()
}
