//! The HTTP side as processes need it: its router, with this process's figures, and the schema's text.

use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use service::App;

use crate::cli::Failure;
use crate::config::Http;
use crate::http::{self, Options};

/// Everything that answers over HTTP. Called once a process: it installs the recorder of its figures.
pub fn router(app: Arc<App>, settings: &Http) -> Result<Router, Failure> {
    let throttle = settings.throttle();
    let options = Options { graphiql: true, metrics: recorder(), throttle, ..Options::default() };
    http::router(app, options).map_err(|error| Failure::failed("reading the GraphQL schema", error))
}

/// None when another part of the process records already.
fn recorder() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().ok()
}

/// The schema in the schema definition language.
pub fn schema() -> String {
    crate::graphql::sdl()
}

/// What each role may do, as Markdown.
pub fn roles() -> String {
    crate::graphql::roles_document()
}
