//! Section `http`: the server.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Error, within};
use crate::http::throttle;

/// The server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port.
    pub listen: String,
    /// How it is reached from outside; empty: the address that it listens on.
    pub public_url: String,
    /// Requests a minute of one token, key or session; 0: any number.
    pub requests_per_minute_per_credential: u32,
    /// Requests a minute of one network address that prove nobody; 0: any number.
    pub requests_per_minute_per_address: u32,
    /// Networks of the proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Open connections at a time.
    pub connections_max: usize,
    /// To the end of a request's headers, milliseconds.
    pub header_timeout_ms: u64,
    /// For requests under way when the server stops, milliseconds.
    pub stop_limit_ms: u64,
}

impl Http {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.address()?;
        let url = self.public_url.as_str();
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Error::value("http.public_url", "must begin with https:// or http://"));
        }
        within("http.connections_max", self.connections_max, 1, 1_000_000)?;
        within("http.header_timeout_ms", self.header_timeout_ms, 100, 600_000)?;
        within("http.stop_limit_ms", self.stop_limit_ms, 0, 600_000)
    }

    /// Where to listen.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.listen
            .parse()
            .map_err(|_| Error::value("http.listen", "must be an address and a port such as 127.0.0.1:8080"))
    }

    /// How it is reached from outside, without a slash at the end.
    pub fn public_url(&self) -> String {
        if self.public_url.is_empty() {
            format!("http://{}", self.listen)
        } else {
            self.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// How often somebody may ask.
    pub fn throttle(&self) -> throttle::Settings {
        throttle::Settings {
            per_credential: self.requests_per_minute_per_credential,
            per_address: self.requests_per_minute_per_address,
            proxies: self.trusted_proxies.clone().into(),
            https_only: self.public_url.starts_with("https://"),
        }
    }

    /// To the end of a request's headers.
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    /// For requests under way when the server stops.
    pub fn stop_limit(&self) -> Duration {
        Duration::from_millis(self.stop_limit_ms)
    }
}
