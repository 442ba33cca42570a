//! `/metrics`: the process's figures for Prometheus, for the operator alone.
//!
//! They tell how much every tenant's traffic comes to, so they are no public page. With a token in the configuration whoever sends
//! it reads them, from anywhere. Without one only a program of this machine does, and only directly: behind a proxy every visitor
//! seems to come from here, so a request is refused that says it was forwarded or that asks for a host of another name.

use std::net::{IpAddr, SocketAddr};

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::caller;
use super::problem::Problem;

/// The figures, and who may read them.
#[derive(Clone)]
pub struct Metrics {
    /// Renders the figures.
    pub handle: PrometheusHandle,
    /// What a reader has to send as a bearer token; none: only this machine reads.
    pub token: Option<SecretString>,
}

/// What a proxy adds to a request that it hands on.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Answers in the text format of Prometheus.
pub async fn read(
    State(metrics): State<Metrics>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<String, Problem> {
    if let Some(token) = &metrics.token {
        // Hashes of one length, so that the time of the comparison tells nothing about the token.
        let sent = caller::bearer(&headers).map(Sha256::digest);
        if sent != Some(Sha256::digest(token.expose_secret())) {
            return Err(Problem::unauthenticated(
                "send the token of http.metrics_token in the Authorization header",
            ));
        }
    } else {
        let local = peer.is_some_and(|Extension(ConnectInfo(peer))| peer.ip().to_canonical().is_loopback());
        let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
        if !local || forwarded || !asks_this_machine(&uri, &headers) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "only programs of this machine read this address; to read it from elsewhere, set http.metrics_token and send it",
            ));
        }
    }
    Ok(metrics.handle.render())
}

/// Whether the host that is asked for is this machine by its own name, not by one that a proxy answers to.
fn asks_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = || headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let Some(authority) = uri.authority().cloned().or_else(host) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(token: Option<&str>, peer: Option<&str>, header: Option<(&str, &str)>) -> u16 {
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let metrics = Metrics { handle, token: token.map(SecretString::from) };
        let router = Router::new().route("/metrics", get(read)).with_state(metrics);
        let mut request = Request::get("/metrics");
        if header.is_none_or(|(name, _)| name != "host") {
            request = request.header("host", "localhost:8080");
        }
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        if let Some(peer) = peer {
            let peer: SocketAddr = peer.parse().expect("an address");
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        router.oneshot(request).await.expect("an answer").status().as_u16()
    }

    #[tokio::test]
    async fn without_a_token_only_this_machine_reads_and_not_through_a_proxy() {
        for here in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(status(None, Some(here), None).await, 200, "{here}");
            for name in FORWARDED {
                assert_eq!(status(None, Some(here), Some((name, "for=192.0.2.1"))).await, 403, "{name}");
            }
        }
        for (host, wanted) in
            [("127.0.0.1:8080", 200), ("[::1]", 200), ("baton.example.com", 403), ("a b", 403)]
        {
            assert_eq!(status(None, Some("127.0.0.1:9"), Some(("host", host))).await, wanted, "{host}");
        }
        assert_eq!(status(None, Some("192.0.2.1:9"), None).await, 403);
        assert_eq!(status(None, None, None).await, 403);
    }

    #[tokio::test]
    async fn with_a_token_it_opens_from_anywhere_and_nothing_else_does() {
        let right = ("authorization", "Bearer open sesame");
        assert_eq!(status(Some("open sesame"), Some("192.0.2.1:9"), Some(right)).await, 200);
        for wrong in ["Bearer open", "Bearer", "Basic open sesame"] {
            let header = Some(("authorization", wrong));
            assert_eq!(status(Some("open sesame"), Some("127.0.0.1:9"), header).await, 401, "{wrong}");
        }
        assert_eq!(status(Some("open sesame"), Some("127.0.0.1:9"), None).await, 401);
    }
}
