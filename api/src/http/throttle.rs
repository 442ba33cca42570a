//! How often somebody may ask, and what every answer carries.
//!
//! Two quotas. A credential's is spent by each of its requests. An address's is spent by what proves nobody: requests
//! without a credential to the routes that ask for one, those that were answered 401, and those whose credential turned
//! out to be nobody's ([`Unproven`]); so guessing is slow while an office behind one address works at full speed. Both are
//! told as the IETF draft says (`RateLimit-Policy`, `RateLimit`, draft-ietf-httpapi-ratelimit-headers-10). Counts are of
//! this process alone.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::{Quota, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use lru::LruCache;
use service::runtime::Clock;

use super::address::{self, ClientAddress, Proxies};
use super::problem::Problem;

/// Callers that are remembered at a time; whoever falls out begins anew.
const CALLERS_MAX: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
/// The window of both quotas, seconds.
pub const WINDOW_S: u32 = 60;

/// What the operator has set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Requests a minute of one credential; 0: any number.
    pub per_credential: u32,
    /// Requests a minute of one address that prove nobody; 0: any number.
    pub per_address: u32,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    /// Tells browsers to come over https only.
    pub https_only: bool,
}

/// The callers of this process.
pub struct Throttle {
    settings: Settings,
    clock: Clock,
    hasher: RandomState,
    empty_at_us: Mutex<LruCache<u64, i64>>,
}

impl Throttle {
    /// Nobody has asked yet.
    pub fn new(settings: Settings, clock: Clock) -> Arc<Self> {
        let empty_at_us = Mutex::new(LruCache::new(CALLERS_MAX));
        Arc::new(Self { settings, clock, hasher: RandomState::new(), empty_at_us })
    }

    fn address_quota(&self) -> Quota {
        Quota { requests: self.settings.per_address, window_s: WINDOW_S }
    }

    fn judge(&self, quota: Quota, key: u64, spend: bool) -> Verdict {
        let now = self.clock.now().timestamp_micros();
        let mut kept = self.empty_at_us.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = quota.judge(kept.get(&key).copied().unwrap_or(0), now);
        if spend && verdict.allowed {
            kept.put(key, verdict.empty_at_us);
        }
        verdict
    }
}

/// Goes with a request that has not spent its address's quota, for whoever finds that it proves nobody.
#[derive(Clone)]
pub struct Unproven {
    throttle: Arc<Throttle>,
    address: u64,
}

impl Unproven {
    /// Spends one request of the address. False: none was left.
    pub fn spend(&self) -> bool {
        self.throttle.judge(self.throttle.address_quota(), self.address, true).allowed
    }
}

/// Refuses whoever asks too often; tells everybody else how much is left. Every answer, a refusal too, has the headers that
/// browsers protect people by.
pub async fn throttle(State(throttle): State<Arc<Throttle>>, request: Request, next: Next) -> Response {
    let https_only = throttle.settings.https_only;
    let mut response = judged(&throttle, request, next).await;
    secure(response.headers_mut(), https_only);
    response
}

async fn judged(throttle: &Arc<Throttle>, mut request: Request, next: Next) -> Response {
    let settings = &throttle.settings;
    let from = address::of(request.extensions(), request.headers(), &settings.proxies);
    if let Some(from) = from {
        request.extensions_mut().insert(from);
    }
    let credential = credential(request.headers()).map(|text| throttle.hasher.hash_one(text));
    let path = request.uri().path();
    let anonymous = asks_for_proof(path) && (credential.is_none() || begins_access(path));
    let of_address = from.map(|ClientAddress(address)| throttle.hasher.hash_one(address));
    let address_quota = throttle.address_quota();
    let address_verdict = of_address.map(|key| throttle.judge(address_quota, key, anonymous));
    if let Some(verdict) = address_verdict.filter(|verdict| !verdict.allowed) {
        return refused("address", address_quota, verdict);
    }
    let credential_quota = Quota { requests: settings.per_credential, window_s: WINDOW_S };
    let verdict = credential.map(|key| throttle.judge(credential_quota, key, true));
    if let Some(verdict) = verdict.filter(|verdict| !verdict.allowed) {
        return refused("credential", credential_quota, verdict);
    }
    let unproven =
        of_address.filter(|_| !anonymous).map(|address| Unproven { throttle: Arc::clone(throttle), address });
    if let Some(unproven) = &unproven {
        request.extensions_mut().insert(unproven.clone());
    }
    let mut response = next.run(request).await;
    if let (Some(unproven), StatusCode::UNAUTHORIZED) = (unproven, response.status()) {
        unproven.spend();
    }
    if let Some(verdict) = verdict.filter(|_| settings.per_credential > 0) {
        tell(response.headers_mut(), "credential", credential_quota, verdict);
    } else if let Some(verdict) = address_verdict.filter(|_| anonymous && settings.per_address > 0) {
        tell(response.headers_mut(), "address", address_quota, verdict);
    }
    response
}

/// What identifies a caller before it is proven: its header or cookie as it stands.
fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return Some(value.as_bytes());
    }
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let sessions = [tenants::COOKIE_NAME, super::caller::FRAME_COOKIE];
    let session = |cookie: &&str| sessions.iter().any(|name| cookie.starts_with(name));
    cookies.split("; ").find(session).map(str::as_bytes)
}

/// The dashboard's files and the probes ask nobody for proof; a CRM's webhook brings its proof in headers of its own, and
/// spends the address only when it is refused.
fn asks_for_proof(path: &str) -> bool {
    ["/graphql", "/ingest/", "/imports/", "/reports/", "/t/", "/r/"]
        .iter()
        .any(|route| path.starts_with(route))
}

/// Signing in with a provider and asking for tokens: no cookie and no header that comes along proves anybody beforehand.
fn begins_access(path: &str) -> bool {
    path.starts_with("/t/")
}

fn refused(name: &str, quota: Quota, verdict: Verdict) -> Response {
    let detail = format!("too many requests: try again in {} seconds", verdict.seconds);
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", detail).into_response();
    tell(response.headers_mut(), name, quota, verdict);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(verdict.seconds));
    response
}

fn tell(headers: &mut HeaderMap, name: &str, quota: Quota, verdict: Verdict) {
    let (requests, window) = (quota.requests, quota.window_s);
    let policy = format!("\"{name}\";q={requests};w={window}");
    let state = format!("\"{name}\";r={};t={}", verdict.remaining, verdict.seconds);
    for (header, text) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(header), value);
        }
    }
}

/// What every answer carries that does not say otherwise. No answer carries a CORS header: a page of another origin reads
/// nothing here.
fn secure(headers: &mut HeaderMap, https_only: bool) {
    // A page says for itself what it loads.
    let page =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::REFERRER_POLICY, "no-referrer");
    default(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    default(header::CACHE_CONTROL, "no-store");
    if !page {
        default(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    }
    if https_only {
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
