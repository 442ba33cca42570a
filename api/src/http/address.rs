//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::Extensions;
use http::HeaderMap;
use ipnet::IpNet;

/// The network address of whoever sends: the connection's, or behind a trusted proxy the one that the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The proxies whose `X-Forwarded-For` is believed.
pub type Proxies = Arc<[IpNet]>;

/// The last address that is no trusted proxy: whatever stands before it, the sender may have made up.
pub fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Option<ClientAddress> {
    let trusted = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let mut found = peer.ip().to_canonical();
    let named = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in named.into_iter().rev() {
        if !trusted(&found) {
            break;
        }
        let Ok(address) = text.parse::<IpAddr>() else { break };
        found = address.to_canonical();
    }
    Some(ClientAddress(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("203.0.113.9:1", &[][..], "203.0.113.9"),
            ("203.0.113.9:1", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1:1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.2.3.4, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
            ("10.0.0.1:1", &["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &["198.51.100.1, nonsense"], "10.0.0.1"),
            ("[::ffff:10.0.0.1]:1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &[], "10.0.0.1"),
        ] {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = of(&extensions, &headers, &proxies).unwrap();
            assert_eq!(found.0.to_string(), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(of(&Extensions::new(), &HeaderMap::new(), &proxies), None);
    }
}
