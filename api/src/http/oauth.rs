//! Signing in with a tenant's provider: away to it, and back.
//!
//! | route | what |
//! | --- | --- |
//! | `GET /t/{tenant}/oauth/{provider}/start?next=/path` | sends the browser to the provider |
//! | `GET /t/{tenant}/oauth/{provider}/callback` | takes it up again: session cookie, then `next` |
//!
//! Whatever goes wrong ends on the sign-in page with a word in the address (`problem=expired`), never with a detail.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use service::App;
use service::access::oauth::{self, Answer, Refusal};
use tenants::{FLOW_COOKIE_NAME, FLOW_LIFETIME, SessionLimits, SessionOrigin};

use super::address::ClientAddress;
use super::caller::cookie_age;
use crate::graphql::{CookieSlot, SetCookies};

/// What the sign-in page adds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Start {
    next: String,
}

/// Sends a browser to a provider.
pub async fn start(
    State(app): State<Arc<App>>,
    Path((tenant, provider)): Path<(String, String)>,
    Query(query): Query<Start>,
    headers: HeaderMap,
) -> Response {
    let jar = CookieJar::from_headers(&headers);
    let kept = jar.get(FLOW_COOKIE_NAME).map(Cookie::value);
    match oauth::start(&app, &tenant, &provider, &query.next, kept).await {
        Ok(started) => {
            let cookie = flow_cookie(started.cookie.expose_secret().to_owned());
            let mut response = redirect(&started.url);
            if let Ok(value) = cookie.to_string().parse() {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            response
        }
        Err(refusal) => refused(&tenant, refusal),
    }
}

/// Takes up a browser that comes back.
pub async fn callback(
    State(app): State<Arc<App>>,
    Path((tenant, provider)): Path<(String, String)>,
    Query(answer): Query<Answer>,
    Extension(cookies): Extension<CookieSlot>,
    from: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
) -> Response {
    let jar = CookieJar::from_headers(&headers);
    let kept = jar.get(FLOW_COOKIE_NAME).map(Cookie::value);
    let signed_in = match oauth::finish(&app, &tenant, &provider, answer, kept).await {
        Ok(signed_in) => signed_in,
        Err(refusal) => return refused(&tenant, refusal),
    };
    let now = app.clock.now();
    let origin = SessionOrigin {
        method: signed_in.provider,
        address: from.map(|Extension(ClientAddress(address))| address.to_string()),
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned),
    };
    let limits = SessionLimits::default();
    match signed_in.tenant.start_session_from(signed_in.user.id, origin, limits, now).await {
        Ok(started) => {
            cookies.put(SetCookies::start(started, now));
            redirect(&signed_in.next)
        }
        Err(error) => {
            let error = service::Error::from(error);
            tracing::error!(error = &error as &dyn std::error::Error, "a session could not be begun");
            refused(&tenant, Refusal::Failed)
        }
    }
}

fn refused(tenant: &str, refusal: Refusal) -> Response {
    let tenant = utf8_percent_encode(tenant, NON_ALPHANUMERIC);
    redirect(&format!("/sign-in?tenant={tenant}&problem={}", refusal.as_str()))
}

/// Sent along when the provider sends the browser back, which is a navigation from another site: hence Lax.
fn flow_cookie(value: String) -> Cookie<'static> {
    Cookie::build((FLOW_COOKIE_NAME, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(cookie_age(i64::try_from(FLOW_LIFETIME.as_secs()).unwrap_or(i64::MAX)))
        .build()
}

/// 303, so that whatever was posted is not posted again (RFC 9700, 4.12); kept by nobody, told to nobody.
pub(super) fn redirect(to: &str) -> Response {
    let headers = [
        (header::LOCATION, to),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}
