//! The dashboard's files, embedded in the binary.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` made; a build without it still serves a page that says so.
#[derive(RustEmbed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Files;

/// Everything of its own origin, nothing inline. Who may frame it comes last.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'";

const NOT_BUILT: &str = "<!doctype html><html lang=en><title>Baton</title><body><h1>Baton is running</h1>\
     <p>This binary was built without the dashboard. Build it with <code>make dashboard</code>, then build again. \
     GraphQL is at <a href=/graphiql>/graphiql</a>.</p>";

/// The dashboard's operations by the SHA-256 of their text: it sends the hash instead of the text.
static TRUSTED: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let file = Files::get("persisted-documents.json");
    file.and_then(|file| serde_json::from_slice(&file.data).ok()).unwrap_or_default()
});

/// The text of the dashboard's operation with that hash.
pub fn trusted_document(hash: &str) -> Option<String> {
    TRUSTED.get(hash).cloned()
}

/// A file, or the page itself for any address that its router knows.
pub async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (name, file) = match Files::get(path).filter(|_| !path.is_empty()) {
        Some(file) => (path, Some(file)),
        None if path.starts_with("assets/") => return StatusCode::NOT_FOUND.into_response(),
        None => ("index.html", Files::get("index.html")),
    };
    secured(name, file, "'none'")
}

/// The page itself, for those origins to show in a frame.
pub fn framed(ancestors: &str) -> Response {
    secured("index.html", Files::get("index.html"), ancestors)
}

fn secured(name: &str, file: Option<EmbeddedFile>, ancestors: &str) -> Response {
    let mut response = match file {
        Some(file) => found(name, file),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    };
    let policy = format!("{CONTENT_SECURITY_POLICY}; frame-ancestors {ancestors}");
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("frame-ancestors 'none'"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn found(name: &str, file: EmbeddedFile) -> Response {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    // Names under assets/ carry a hash of their content.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers =
        [(header::CONTENT_TYPE, kind.as_ref().to_owned()), (header::CACHE_CONTROL, cache.to_owned())];
    (headers, file.data).into_response()
}
