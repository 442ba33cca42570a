//! The dashboard's files and those of `GraphiQL`, embedded in the binary: neither page loads anything from another host.

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

const GRAPHIQL: &str = "graphiql.html";

/// Everything of its own origin, nothing inline. Who may frame it comes last.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'";

/// The same for `GraphiQL`, whose editor makes style sheets while it runs and carries its fonts inside them.
const GRAPHIQL_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=en><title>Baton</title><body><h1>Baton is running</h1>\
     <p>This binary was built without the dashboard. Build it with <code>make dashboard</code>, then build again. \
     GraphQL is at <code>/graphql</code>.</p>";

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
    // Served at its own address, under its own policy, where it is switched on.
    let is_file = !path.is_empty() && path != GRAPHIQL;
    let (name, file) = match Files::get(path).filter(|_| is_file) {
        Some(file) => (path, Some(file)),
        None if path.starts_with("assets/") => return StatusCode::NOT_FOUND.into_response(),
        None => ("index.html", Files::get("index.html")),
    };
    page(name, file, CONTENT_SECURITY_POLICY, "'none'")
}

/// The page of `GraphiQL`; it talks to `/graphql` as whoever is signed in, or with the token that is given there.
pub async fn graphiql() -> Response {
    page(GRAPHIQL, Files::get(GRAPHIQL), GRAPHIQL_POLICY, "'none'")
}

/// The page itself, for those origins to show in a frame.
pub fn framed(ancestors: &str) -> Response {
    page("index.html", Files::get("index.html"), CONTENT_SECURITY_POLICY, ancestors)
}

fn page(name: &str, file: Option<EmbeddedFile>, policy: &str, ancestors: &str) -> Response {
    let mut response = match file {
        Some(file) => found(name, file),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    };
    let policy = format!("{policy}; frame-ancestors {ancestors}");
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// Whatever a page loads stands in this binary, and its policy lets it load nothing else.
    #[tokio::test]
    async fn the_pages_load_from_here_alone() {
        for response in [serve(Uri::from_static("/")).await, graphiql().await] {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'self'") && !policy.contains("http"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
            let page = response.into_body().collect().await.unwrap().to_bytes();
            let page = String::from_utf8(page.to_vec()).unwrap();
            assert!(!page.contains("://"), "{page}");
            for loaded in ["src=\"", "href=\""].iter().flat_map(|by| page.split(by).skip(1)) {
                let path = loaded.split('"').next().unwrap_or_default();
                let answer = serve(path.parse().unwrap()).await;
                let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
                assert!(!kind.starts_with("text/html"), "{path} is not there");
            }
        }
        // The page of GraphiQL is at its own address only, with its own policy.
        let by_file = serve(Uri::from_static("/graphiql.html")).await;
        assert!(!by_file.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("unsafe"));
    }
}
