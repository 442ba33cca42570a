//! `GraphiQL`, for people who explore the schema.
//!
//! The page loads its program from a public host, so it is behind a switch, and its content security policy names that host, this
//! one, and nothing else.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// Where the page loads scripts, styles and fonts from.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    connect-src 'self' https://esm.sh; img-src 'self' data: https://esm.sh; font-src https://esm.sh data:; \
    style-src 'unsafe-inline' https://esm.sh; worker-src blob: https://esm.sh; \
    script-src 'unsafe-inline' https://esm.sh data: blob:";

/// The route `GET /graphiql`: a page that talks to `/graphql` on the same host. Serve it where its users may reach the public
/// network; it needs nothing of ours but `/graphql`.
pub fn graphiql() -> Router {
    Router::new().route("/graphiql", get(page))
}

async fn page() -> Response {
    let page = async_graphql::http::GraphiQLSource::build()
        .endpoint("/graphql")
        .subscription_endpoint("/graphql")
        .title("Baton")
        .finish();
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")], Html(page))
        .into_response()
}
