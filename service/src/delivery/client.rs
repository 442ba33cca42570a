//! One request to a destination: a deadline over all of it, a capped body, secrets redacted in what is kept.
//!
//! Redirects are not followed and no proxy of the environment is used: both would carry the request to
//! where nobody checked.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::delivery::Failure;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use url::Url;

use super::address::{self, CheckingResolver, LeadsToSpecialAddress, UrlError};

/// How much of an answer is read at most, in bytes; more is left on the wire.
const BODY_READ_MAX: usize = 64 * 1024;
/// The same for the answer to a lookup, which may be a page of records.
const LOOKUP_READ_MAX: usize = 1024 * 1024;
/// How much of an answer is kept, in bytes.
const BODY_KEPT_MAX: usize = 4 * 1024;
/// How much of one header is kept, in characters.
const HEADER_KEPT_MAX: usize = 200;
/// How many rate-limit headers are kept at most.
const RATE_HEADERS_MAX: usize = 12;
/// A part of the URL that is at least so long may be a secret and is redacted wherever it is repeated.
const SECRET_CHARS_MIN: usize = 8;
/// What of a deadline connecting may take: it ends below it, so that "never connected" can be told from "never answered".
const CONNECT_SHARE: f32 = 0.6;
/// How often the longest time to connect is halved at most, for destinations with a deadline of their own.
const HALVINGS: usize = 12;
const REDACTED: &str = "[REDACTED]";
/// Headers that help to understand an answer. `x-ratelimit-…` is kept too.
const HEADERS_OF_INTEREST: [&str; 5] = ["content-type", "date", "retry-after", "server", "x-request-id"];

/// What the operator decides about outgoing requests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From connecting to the last byte of the answer.
    pub deadline: Duration,
    /// Allows plain http and private addresses; for demos and tests.
    pub allow_private_addresses: bool,
    /// Connections to one host that are kept open while idle.
    pub idle_connections_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(15), allow_private_addresses: false, idle_connections_max: 256 }
    }
}

/// Sends requests to destinations.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// The same with ever half the time to connect, each made when it is first needed.
    hurried: Arc<[OnceLock<reqwest::Client>; HALVINGS]>,
    settings: Settings,
}

/// A destination's URL, checked, and what must not be repeated of it.
#[derive(Clone)]
pub struct Endpoint {
    url: Url,
    /// Longest first, so that redacting a part never hides a larger one from view.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&address::mask(&self.url))
    }
}

impl Endpoint {
    /// Checks a destination's URL. `further_secrets` are redacted like the URL's own parts.
    pub fn new(url: &str, further_secrets: &[&str], allow_private: bool) -> Result<Self, UrlError> {
        let url = address::read_url(url, allow_private)?;
        let mut secrets: Vec<String> = vec![url.to_string(), url[url::Position::BeforePath..].to_owned()];
        secrets.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
        secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        secrets.extend(further_secrets.iter().map(|&secret| secret.to_owned()));
        secrets.retain(|secret| secret.chars().count() >= SECRET_CHARS_MIN);
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Ok(Self { url, secrets })
    }

    /// The URL itself.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Takes every secret out of a text.
    pub(super) fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), REDACTED) } else { text }
        })
    }
}

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// From the start to the last byte, or to the failure.
    pub duration: Duration,
    /// The status, when one came.
    pub status: Option<u16>,
    /// What went wrong; beside a status, with its body only.
    pub failure: Option<Failure>,
    /// The headers of interest by lower-case name, secrets redacted.
    pub headers: BTreeMap<String, String>,
    /// At most 4 KiB, decoded as UTF-8 with replacements, secrets redacted, free of NUL.
    pub body: String,
    /// The body as it came, as far as it was read, for the rules that look into it. Never kept.
    pub text: String,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Absent: a GET of `url`; otherwise a POST of this.
    pub body: Option<Bytes>,
    /// Where to, when it is not the endpoint's own URL.
    pub url: Option<Url>,
    /// The headers, the content's type among them.
    pub headers: HeaderMap,
    /// From connecting to the last byte.
    pub deadline: Duration,
}

impl Client {
    /// A client with its connection pool.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = make(&settings, settings.deadline.mul_f32(CONNECT_SHARE))?;
        Ok(Self { http, hurried: Arc::new(std::array::from_fn(|_| OnceLock::new())), settings })
    }

    /// The client for a request with that deadline. The library knows one time to connect for all requests of a client, so there are
    /// a few, and this is the first whose time is no more than the deadline's share.
    fn within(&self, deadline: Duration) -> &reqwest::Client {
        let whole = self.settings.deadline;
        let halved = (0..HALVINGS).find(|&times| whole / (1_u32 << times) <= deadline).unwrap_or(HALVINGS);
        let Some(client) = halved.checked_sub(1).and_then(|index| self.hurried.get(index)) else {
            return &self.http;
        };
        client.get_or_init(|| {
            let connecting = (whole / (1_u32 << halved)).mul_f32(CONNECT_SHARE);
            make(&self.settings, connecting).unwrap_or_else(|_| self.http.clone())
        })
    }

    /// The operator's decisions.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Posts JSON and waits for the answer, up to the deadline: for what is no delivery.
    pub async fn post(&self, to: &Endpoint, mut headers: HeaderMap, body: Bytes) -> Answer {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let deadline = self.settings.deadline;
        self.send(to, Outgoing { body: Some(body), url: None, headers, deadline }).await
    }

    /// Sends and waits for the answer, up to the deadline.
    pub(super) async fn send(&self, to: &Endpoint, outgoing: Outgoing) -> Answer {
        let limit = outgoing.deadline.min(self.settings.deadline);
        let url = outgoing.url.unwrap_or_else(|| to.url.clone());
        let (request, read_max) = match outgoing.body {
            Some(body) => (self.within(limit).post(url).body(body), BODY_READ_MAX),
            // A question hands nothing over: how it failed is all the same.
            None => (self.http.get(url), LOOKUP_READ_MAX),
        };
        let request = request.headers(outgoing.headers);
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + limit;
        let mut answer = Answer {
            duration: Duration::ZERO,
            status: None,
            failure: None,
            headers: BTreeMap::new(),
            body: String::new(),
            text: String::new(),
        };
        match tokio::time::timeout_at(deadline, request.send()).await {
            Err(_) => answer.failure = Some(Failure::Timeout),
            Ok(Err(error)) => answer.failure = Some(classify(&error)),
            Ok(Ok(mut response)) => {
                answer.status = Some(response.status().as_u16());
                answer.headers = kept_headers(response.headers(), to);
                let mut bytes = Vec::new();
                answer.failure =
                    tokio::time::timeout_at(deadline, read_body(&mut response, &mut bytes, read_max))
                        .await
                        .unwrap_or(Some(Failure::Timeout));
                answer.body = kept_body(&bytes, to);
                answer.text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        answer.duration = started.elapsed();
        answer
    }
}

/// The library's client, with so much time to connect.
fn make(settings: &Settings, connecting: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Baton/", env!("CARGO_PKG_VERSION"))));
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .default_headers(headers)
        .connect_timeout(connecting)
        .pool_max_idle_per_host(settings.idle_connections_max)
        // Shorter than servers usually keep an idle connection, so that ours is seldom cut while in use.
        .pool_idle_timeout(Duration::from_secs(30))
        .dns_resolver(CheckingResolver { allow_private: settings.allow_private_addresses })
        .build()
}

/// Reads the body up to the cap. What came before a failure is kept.
async fn read_body(
    response: &mut reqwest::Response,
    bytes: &mut Vec<u8>,
    read_max: usize,
) -> Option<Failure> {
    loop {
        match response.chunk().await {
            Ok(None) => return None,
            Ok(Some(chunk)) if bytes.len() + chunk.len() > read_max => {
                bytes.extend_from_slice(&chunk[..read_max - bytes.len()]);
                return Some(Failure::BodyTooLarge);
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(_) => return Some(Failure::Protocol),
        }
    }
}

/// Redacts before cutting: a secret that straddles the cut would otherwise leave its first half.
fn kept_body(bytes: &[u8], to: &Endpoint) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    // Postgres keeps no NUL in text.
    let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    let mut text = to.redact(text);
    text.truncate(text.floor_char_boundary(BODY_KEPT_MAX));
    text
}

fn kept_headers(headers: &HeaderMap, to: &Endpoint) -> BTreeMap<String, String> {
    let rates =
        headers.keys().filter(|name| is_rate_limit(name)).take(RATE_HEADERS_MAX).map(HeaderName::as_str);
    let names = HEADERS_OF_INTEREST.into_iter().chain(rates);
    names
        .filter_map(|name| {
            let value = String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned();
            Some((name.to_owned(), to.redact(value).chars().take(HEADER_KEPT_MAX).collect()))
        })
        .collect()
}

fn is_rate_limit(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-ratelimit-") && name.as_str().len() <= HEADER_KEPT_MAX
}

/// What kind of failure that is. The library's error is not kept: its text holds the URL.
fn classify(error: &reqwest::Error) -> Failure {
    let mut invalid_data = false;
    let mut source = StdError::source(error);
    while let Some(cause) = source {
        if cause.is::<LeadsToSpecialAddress>() {
            return Failure::PrivateAddress;
        }
        // The TLS library reports a wrong certificate or handshake as invalid data of the stream.
        invalid_data |= cause.downcast_ref::<io::Error>().is_some_and(is_invalid_data);
        source = cause.source();
    }
    if error.is_dns() {
        Failure::Dns
    } else if error.is_connect() {
        if invalid_data { Failure::Tls } else { Failure::Connect }
    } else if error.is_timeout() {
        Failure::Timeout
    } else {
        Failure::Protocol
    }
}

/// Whether that, or what it wraps, is invalid data: an error of I/O does not count what it wraps among its sources.
fn is_invalid_data(error: &io::Error) -> bool {
    let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    error.kind() == io::ErrorKind::InvalidData || wrapped.is_some_and(is_invalid_data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint::new(
            "https://crm.example.com/api/webhook/0123456789abcdef?token=letmein99",
            &["whsec_secret"],
            false,
        )
        .unwrap()
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_redacted() {
        let body = b"unknown hook 0123456789abcdef (token letmein99), signed by whsec_secret, at \
            https://crm.example.com/api/webhook/0123456789abcdef?token=letmein99 \0.";
        assert_eq!(
            kept_body(body, &endpoint()),
            "unknown hook [REDACTED] (token [REDACTED]), signed by [REDACTED], at [REDACTED] \u{fffd}."
        );
        assert_eq!(format!("{:?}", endpoint()), "https://crm.example.com/…in99");
    }

    #[test]
    fn a_secret_across_the_cut_leaves_nothing() {
        let body = format!("{}0123456789abcdef", "x".repeat(BODY_KEPT_MAX - 5));
        let kept = kept_body(body.as_bytes(), &endpoint());
        assert!(kept.len() <= BODY_KEPT_MAX && !kept.contains("0123"), "{}", &kept[kept.len() - 20..]);
        assert!(kept_body("é".repeat(5_000).as_bytes(), &endpoint()).len() <= BODY_KEPT_MAX);
    }

    #[test]
    fn only_headers_of_interest_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("7"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        headers.insert("set-cookie", HeaderValue::from_static("session=1"));
        headers.insert("server", HeaderValue::from_static("edge/0123456789abcdef"));
        let kept = kept_headers(&headers, &endpoint());
        let kept: Vec<(&str, &str)> =
            kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            kept,
            [("retry-after", "7"), ("server", "edge/[REDACTED]"), ("x-ratelimit-remaining", "0")]
        );
    }
}
