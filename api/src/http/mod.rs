//! Everything that answers over HTTP.
//!
//! | route | what |
//! | --- | --- |
//! | `/graphql` | the API ([`graphql`]) |
//! | `POST /ingest/{source}` | a lead or a file ([`ingest`]) |
//! | `POST /hooks/{destination}` | a destination's report ([`hooks`]) |
//! | `GET /imports/{import}/failed.csv` | refused records ([`exports`]) |
//! | `POST /ingest/actions/{partner}` | a file of billed actions ([`actions`]) |
//! | `GET /reports/{report}/{file}` | a closed billing report's file ([`reports`]) |
//! | `GET /exports/sla/{report}` | service levels as CSV ([`sla`]) |
//! | `GET /exports/billing/{read}` | the reads of billing as CSV ([`billing`]) |
//! | `/t/{tenant}/oauth/{provider}/…` | signing in with a provider ([`oauth`]) |
//! | `/r/{link}` | a page inside a CRM's frame ([`frames`]) |
//! | `POST /reconcile/{destination}` | a destination's list, to compare ([`reconcile`]) |
//! | `/t/{tenant}/.well-known/jwks.json` | a tenant's public keys |
//! | `POST /t/{tenant}/oauth/token` | access tokens for programs ([`token`]) |
//! | `/healthz`, `/readyz` | for whoever runs Baton ([`health`]) |
//! | `/metrics` | the same, and for nobody else ([`metrics`]) |
//! | `/graphiql` | for people who explore the API, where it is switched on ([`dashboard`]) |
//! | `/`, and any other address | the dashboard ([`dashboard`]) |

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use domain::inbound::BODY_BYTES_MAX;
use service::App;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

pub mod actions;
pub mod address;
pub mod billing;
pub mod caller;
pub mod dashboard;
pub mod exports;
pub mod frames;
pub mod graphql;
pub mod health;
pub mod hooks;
pub mod ingest;
pub mod metrics;
pub mod oauth;
pub mod problem;
pub mod reconcile;
pub mod reports;
pub mod sla;
pub mod throttle;
pub mod token;
pub mod upload;

use graphql::{InvalidSchema, Limits};
use metrics::Metrics;
use problem::Problem;

/// The largest signed frame that is read, in bytes.
const FRAME_BODY_BYTES_MAX: usize = 64 * 1024;

/// What the operator has set for the HTTP edge.
#[derive(Clone, Default)]
pub struct Options {
    /// Limits of `/graphql`.
    pub limits: Limits,
    /// Serves `/graphiql`.
    pub graphiql: bool,
    /// How often somebody may ask.
    pub throttle: throttle::Settings,
    /// Answers `/metrics`.
    pub metrics: Option<Metrics>,
}

/// All routes over one app.
pub fn router(app: Arc<App>, options: Options) -> Result<Router, InvalidSchema> {
    let engine = Arc::new(crate::graphql::schema(Arc::clone(&app)));
    let throttle = throttle::Throttle::new(options.throttle, app.clock.clone());
    let callers = Arc::new(caller::Callers { app: Arc::clone(&app) });
    let mut router = Router::new()
        .route("/ingest/{source}", post(ingest::ingest).layer(DefaultBodyLimit::disable()))
        .route("/hooks/{destination}", post(hooks::receive).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .route("/ingest/actions/{partner}", post(actions::receive).layer(DefaultBodyLimit::disable()))
        .route("/reports/{report}/{file}", get(reports::download))
        .route("/reconcile/{destination}", post(reconcile::receive).layer(DefaultBodyLimit::disable()))
        .route("/imports/{import}/failed.csv", get(exports::failed_records))
        .route("/exports/sla/{report}", get(sla::report))
        .route("/exports/billing/{read}", get(billing::csv))
        .route("/t/{tenant}/.well-known/jwks.json", get(health::jwks))
        .route("/t/{tenant}/oauth/{provider}/start", get(oauth::start))
        .route("/t/{tenant}/oauth/{provider}/callback", get(oauth::callback))
        .route(
            "/r/{link}",
            get(frames::page).post(frames::posted).layer(DefaultBodyLimit::max(FRAME_BODY_BYTES_MAX)),
        )
        .route("/r/{link}/{*below}", get(frames::page_below))
        .route("/t/{tenant}/oauth/token", post(token::token))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(app)
        .fallback(get(dashboard::serve))
        .method_not_allowed_fallback(not_allowed);
    if options.graphiql {
        router = router.route("/graphiql", get(dashboard::graphiql));
    }
    if let Some(metrics) = options.metrics {
        router = router.merge(Router::new().route("/metrics", get(metrics::read)).with_state(metrics));
    }
    Ok(router
        .merge(graphql::router(engine, callers, options.limits)?)
        .layer(axum::middleware::from_fn(caller::cookies))
        .layer(axum::middleware::from_fn_with_state(throttle, throttle::throttle))
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
