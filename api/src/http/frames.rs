//! `/r/{link}`: pages of Baton inside a CRM's frame.
//!
//! The page is the dashboard itself, which shows its compact form below this address; only who may frame it differs. A CRM
//! that signs its frames posts its word here (Salesforce, Zendesk) or sends it in headers (`HubSpot`): when it holds, the
//! frame's session begins at once. When it does not, the page is still served, and asks to sign in.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, OriginalUri, Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use service::App;
use service::access::frames::{Signed, SignedRequest};
use service::access::{embedding, framed};

use super::problem::Problem;
use super::{dashboard, oauth};
use crate::graphql::{CookieSlot, SetCookies};

const HUBSPOT_SIGNATURE: &str = "x-hubspot-signature-v3";
const HUBSPOT_TIMESTAMP: &str = "x-hubspot-request-timestamp";

/// What a CRM posts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Posted {
    signed_request: Option<String>,
    token: Option<String>,
}

/// The page of a link.
pub async fn page(
    State(app): State<Arc<App>>,
    Path(link): Path<String>,
    OriginalUri(uri): OriginalUri,
    Extension(cookies): Extension<CookieSlot>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(signature), Some(timestamp)) = (text(HUBSPOT_SIGNATURE), text(HUBSPOT_TIMESTAMP)) {
        let uri = format!("{}{uri}", app.settings.issuer);
        let request = SignedRequest { method: "GET", uri: &uri, body: b"", timestamp, signature };
        prove(&app, &link, &Signed::HubSpot(request), &cookies).await;
    }
    shown(&app, &link).await
}

/// A page below a link's, as after a reload in the frame.
pub async fn page_below(
    State(app): State<Arc<App>>,
    Path((link, _)): Path<(String, String)>,
) -> Result<Response, Problem> {
    shown(&app, &link).await
}

/// A CRM's signed frame.
pub async fn posted(
    State(app): State<Arc<App>>,
    Path(link): Path<String>,
    OriginalUri(uri): OriginalUri,
    Extension(cookies): Extension<CookieSlot>,
    Form(posted): Form<Posted>,
) -> Response {
    if let Some(request) = &posted.signed_request {
        prove(&app, &link, &Signed::Salesforce(request), &cookies).await;
    } else if let Some(token) = &posted.token {
        prove(&app, &link, &Signed::Zendesk(token), &cookies).await;
    }
    // Got again by its address, so that a reload in the frame posts nothing.
    oauth::redirect(&uri.to_string())
}

async fn prove(app: &App, link: &str, signed: &Signed<'_>, cookies: &CookieSlot) {
    match framed::prove(app, link, signed).await {
        Ok(started) => cookies.put(SetCookies::start_frame(started, app.clock.now())),
        Err(service::Error::Internal { attempted, source }) => {
            tracing::error!(error = &*source, "{attempted} failed");
        }
        // Told to the log by the service; the page asks to sign in.
        Err(_) => {}
    }
}

async fn shown(app: &App, link: &str) -> Result<Response, Problem> {
    Ok(dashboard::framed(&embedding::frame_ancestors(app, link).await?))
}
