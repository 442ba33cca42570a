//! Who calls over HTTP: an access token or API key (`Authorization: Bearer`), or a browser's session cookie.
//!
//! A cookie alone proves a browser, not a person's intent: whatever is not a plain read also needs the
//! header `x-baton-csrf`, whose value only a page of ours can know.

use std::sync::Arc;
use std::time::Duration;

use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use service::App;
use service::access::{self, Viewer};
use tenants::{COOKIE_NAME, CSRF_HEADER, Session, SessionOrigin};

use super::address::ClientAddress;
use super::graphql::{Authenticate, Caller, Refusal};
use super::problem::Problem;
use super::throttle::Unproven;
use crate::graphql::{CookieSlot, Identity, SessionCookies, SetCookies};

/// The cookie that a page's script reads its CSRF token from after a reload.
pub const CSRF_COOKIE: &str = "baton_csrf";
/// The session of a page inside another site's frame. A name of its own: where that site is a neighbour of ours, the browser
/// sends both.
pub const FRAME_COOKIE: &str = "__Host-baton_frame";
/// The same for the CSRF token of the frame.
pub const FRAME_CSRF_COOKIE: &str = "__Host-baton_frame_csrf";

/// The credential in `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// The caller of a plain route; nobody is an error.
pub async fn viewer(app: &App, method: &Method, headers: &HeaderMap) -> Result<Viewer, Problem> {
    let identity = identify(app, method, headers).await.map_err(Problem::from)?;
    identity
        .0
        .viewer
        .ok_or_else(|| Problem::unauthenticated("sign in, or send a token in the Authorization header"))
}

/// Whoever calls, and for how long that holds; anonymous is a caller too.
async fn identify(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(Identity, Option<Duration>), service::Error> {
    if let Some(credential) = bearer(headers) {
        return by_credential(app, credential).await;
    }
    let jar = CookieJar::from_headers(headers);
    let mut recognised = None;
    for cookie in [COOKIE_NAME, FRAME_COOKIE].into_iter().filter_map(|name| jar.get(name)) {
        let (viewer, session) = match access::by_cookie(app, cookie.value()).await {
            Ok(found) => found,
            // A browser keeps sending a cookie that has ended: it is simply nobody, and may sign in again.
            Err(service::Error::Unauthenticated(_)) => continue,
            Err(error) => return Err(error),
        };
        // Of two sessions, the one whose page asks.
        let asks = sent_csrf(headers).is_some_and(|sent| session.csrf_matches(sent));
        if asks || recognised.is_none() {
            recognised = Some((viewer, session));
        }
    }
    let Some((viewer, session)) = recognised else { return Ok((Identity::default(), None)) };
    require_csrf(method, headers, &session)?;
    let rest = Duration::from_secs(session.seconds_left(app.clock.now()));
    let identity = Identity { session: Some(session.id), ..Identity::of(viewer) };
    Ok((identity, Some(rest)))
}

async fn by_credential(app: &App, credential: &str) -> Result<(Identity, Option<Duration>), service::Error> {
    if credential.starts_with("baton_key_") {
        return Ok((Identity::of(access::by_api_key(app, credential).await?), None));
    }
    let (viewer, until) = access::by_token(app, credential).await?;
    let rest = (until - app.clock.now()).to_std().unwrap_or_default();
    Ok((Identity::of(viewer), Some(rest)))
}

fn sent_csrf(headers: &HeaderMap) -> Option<&str> {
    headers.get(CSRF_HEADER)?.to_str().ok()
}

fn require_csrf(method: &Method, headers: &HeaderMap, session: &Session) -> Result<(), service::Error> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    if sent_csrf(headers).is_some_and(|sent| session.csrf_matches(sent)) {
        Ok(())
    } else {
        Err(service::Error::Forbidden("the header x-baton-csrf is missing or wrong: reload the page".into()))
    }
}

/// Recognises the callers of `/graphql`.
pub struct Callers {
    /// The app.
    pub app: Arc<App>,
}

impl Authenticate for Callers {
    fn http<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Caller, Refusal>> {
        async move {
            let found = identify(&self.app, &parts.method, &parts.headers).await;
            let (mut identity, rest) = found.map_err(refusal)?;
            if identity.viewer.is_none() && !spend_address(parts) {
                return Err(Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "LIMIT_EXCEEDED",
                    "too many requests of this address prove nobody: try again in a minute",
                ));
            }
            identity.cookies = parts.extensions.get::<CookieSlot>().cloned();
            identity.origin = origin(parts);
            Ok(caller(identity, rest))
        }
        .boxed()
    }

    fn socket<'a>(
        &'a self,
        parts: &'a Parts,
        payload: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Caller, Refusal>> {
        async move {
            // A browser sends its cookie with the handshake, whose origin was checked; a program sends a token.
            let sent = ["authorization", "Authorization", "token"]
                .iter()
                .find_map(|name| payload.get(*name)?.as_str());
            let found = match sent {
                Some(text) => {
                    let credential = text.strip_prefix("Bearer ").unwrap_or(text);
                    by_credential(&self.app, credential).await
                }
                None => identify(&self.app, &Method::GET, &parts.headers).await,
            };
            // One handshake would else buy any number of sign-ins, of which the quotas see nothing.
            let proven = found.map_err(refusal).and_then(|(identity, rest)| {
                if identity.viewer.is_none() {
                    let message = "sign in first: a web socket is for whoever is signed in";
                    return Err(Refusal::unauthenticated(message));
                }
                Ok((identity, rest))
            });
            if proven.as_ref().is_err_and(|refusal| refusal.status == StatusCode::UNAUTHORIZED) {
                spend_address(parts);
            }
            let (mut identity, rest) = proven?;
            identity.origin = origin(parts);
            Ok(caller(identity, rest))
        }
        .boxed()
    }
}

/// Of a request that proves nobody. False: its address has proven nobody too often.
fn spend_address(parts: &Parts) -> bool {
    parts.extensions.get::<Unproven>().is_none_or(Unproven::spend)
}

/// Where a request comes from, as a session that it begins will say.
fn origin(parts: &Parts) -> SessionOrigin {
    let address = parts.extensions.get::<ClientAddress>().map(|ClientAddress(address)| address.to_string());
    let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    SessionOrigin { address, user_agent: agent.map(str::to_owned), ..SessionOrigin::default() }
}

fn caller(identity: Identity, rest: Option<Duration>) -> Caller {
    let caller = Caller::new(identity);
    match rest {
        Some(rest) => caller.valid_for(rest),
        None => caller,
    }
}

fn refusal(error: service::Error) -> Refusal {
    let problem = Problem::from(error);
    let code = match problem.status {
        401 => "UNAUTHENTICATED",
        403 => "FORBIDDEN",
        429 => "LIMIT_EXCEEDED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal::new(status, code, problem.detail)
}

/// Puts a slot for cookies into each request and writes what a sign-in or sign-out left in it.
pub async fn cookies(
    mut request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let slot = CookieSlot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    let set = match slot.take() {
        None => return response,
        Some(SetCookies::Start(session)) => {
            let age = age_of(&session);
            vec![
                cookie(COOKIE_NAME, session.value.expose_secret().to_owned(), age, true),
                cookie(CSRF_COOKIE, session.csrf.expose_secret().to_owned(), age, false),
            ]
        }
        Some(SetCookies::StartFrame(session)) => {
            let age = age_of(&session);
            vec![
                partitioned(cookie(FRAME_COOKIE, session.value.expose_secret().to_owned(), age, true)),
                partitioned(cookie(FRAME_CSRF_COOKIE, session.csrf.expose_secret().to_owned(), age, false)),
            ]
        }
        Some(SetCookies::Clear) => vec![
            cookie(COOKIE_NAME, String::new(), 0, true),
            cookie(CSRF_COOKIE, String::new(), 0, false),
            partitioned(cookie(FRAME_COOKIE, String::new(), 0, true)),
            partitioned(cookie(FRAME_CSRF_COOKIE, String::new(), 0, false)),
        ],
    };
    for cookie in set {
        if let Ok(value) = cookie.to_string().parse() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

fn cookie(name: &'static str, value: String, seconds: i64, http_only: bool) -> Cookie<'static> {
    let age = axum_extra::extract::cookie::Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(http_only)
        .same_site(SameSite::Lax);
    age.max_age(cookie_age(seconds)).build()
}

fn age_of(session: &SessionCookies) -> i64 {
    i64::try_from(session.max_age_seconds).unwrap_or(i64::MAX)
}

/// Sent inside another site's frame, and there for that site's pages alone (CHIPS).
fn partitioned(mut cookie: Cookie<'static>) -> Cookie<'static> {
    cookie.set_same_site(SameSite::None);
    cookie.set_partitioned(true);
    cookie
}

pub(super) fn cookie_age(seconds: i64) -> time::Duration {
    time::Duration::seconds(seconds)
}
