//! Everything that answers over HTTP.
//!
//! | route | what |
//! | --- | --- |
//! | `/graphql` | the API ([`graphql`]) |
//! | `POST /ingest/{source}` | a lead or a file ([`ingest`]) |
//! | `POST /hooks/{destination}` | a destination's report ([`hooks`]) |
//! | `GET /imports/{import}/failed.csv` | refused records ([`exports`]) |
//! | `/t/{tenant}/.well-known/jwks.json` | a tenant's public keys |
//! | `/healthz`, `/readyz`, `/metrics` | for whoever runs Baton ([`health`]) |
//! | `/`, and any other address | the dashboard ([`dashboard`]) |

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use domain::inbound::BODY_BYTES_MAX;
use metrics_exporter_prometheus::PrometheusHandle;
use service::App;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

pub mod caller;
pub mod dashboard;
pub mod exports;
pub mod graphql;
pub mod health;
pub mod hooks;
pub mod ingest;
pub mod problem;
pub mod upload;

use graphql::{InvalidSchema, Limits};
use problem::Problem;

/// What the operator has set for the HTTP edge.
#[derive(Clone, Default)]
pub struct Options {
    /// Limits of `/graphql`.
    pub limits: Limits,
    /// Serves `/graphiql`.
    pub graphiql: bool,
    /// Answers `/metrics`.
    pub metrics: Option<PrometheusHandle>,
}

/// All routes over one app.
pub fn router(app: Arc<App>, options: Options) -> Result<Router, InvalidSchema> {
    let engine = Arc::new(crate::graphql::schema(Arc::clone(&app)));
    let callers = Arc::new(caller::Callers { app: Arc::clone(&app) });
    let mut router = Router::new()
        .route("/ingest/{source}", post(ingest::ingest).layer(DefaultBodyLimit::disable()))
        .route("/hooks/{destination}", post(hooks::receive).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .route("/imports/{import}/failed.csv", get(exports::failed_records))
        .route("/t/{tenant}/.well-known/jwks.json", get(health::jwks))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(app)
        .fallback(get(dashboard::serve))
        .method_not_allowed_fallback(not_allowed);
    if options.graphiql {
        router = router.merge(graphql::graphiql());
    }
    if let Some(metrics) = options.metrics {
        router = router.route("/metrics", get(async move || metrics.render()));
    }
    Ok(router
        .merge(graphql::router(engine, callers, options.limits)?)
        .layer(axum::middleware::from_fn(caller::cookies))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked)))
}

async fn not_allowed() -> Problem {
    Problem::new(
        http::StatusCode::METHOD_NOT_ALLOWED,
        "BAD_USER_INPUT",
        "this address does not take that method",
    )
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> http::Response<axum::body::Body> {
    use axum::response::IntoResponse;
    Problem::from(service::Error::internal("a request", "a panic")).into_response()
}
