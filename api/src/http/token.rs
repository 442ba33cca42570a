//! `POST /t/{tenant}/oauth/token`: the token endpoint of RFC 6749 for programs.
//!
//! * `grant_type=client_credentials` – an OAuth client's id and secret (HTTP Basic, or in the form) for an access token.
//! * `grant_type=refresh_token` – the next pair of tokens of a program that a person has signed in.
//!
//! A form is taken although forms cross origins: nothing here looks at a cookie.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Form;
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use service::access::{self, keys};
use service::{App, Error};

/// The form of a token request.
#[derive(Deserialize)]
pub struct Grant {
    #[serde(rename = "grant_type")]
    kind: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

/// Answers a token, or an error as RFC 6749, section 5.2, writes it.
pub async fn token(
    State(app): State<Arc<App>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Grant>, FormRejection>,
) -> Response {
    let Ok(Form(grant)) = form else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the body must be a form with grant_type",
        );
    };
    let answer = match grant.kind.as_str() {
        "client_credentials" => client(&app, &slug, &headers, &grant).await,
        "refresh_token" => refresh(&app, &slug, &grant).await,
        _ => {
            let text = "grant_type is client_credentials or refresh_token";
            return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", text);
        }
    };
    answer.unwrap_or_else(|error| failed(&error, &grant))
}

async fn client(app: &App, slug: &str, headers: &HeaderMap, grant: &Grant) -> Result<Response, Error> {
    let wrong = || Error::Unauthenticated("client id or client secret is wrong".into());
    let (id, secret) = match basic(headers) {
        Some(pair) => pair,
        None => match (&grant.client_id, &grant.client_secret) {
            (Some(id), Some(secret)) => (id.clone(), secret.clone()),
            _ => return Err(Error::Unauthenticated("send the client's id and secret".into())),
        },
    };
    let tenant = access::tenant_of_slug(app, slug).await?.ok_or_else(wrong)?;
    let (token, scope) = keys::client_token(app, tenant, &id, &secret, grant.scope.as_deref()).await?;
    Ok(granted(json!({
        "access_token": token.text.expose_secret(),
        "token_type": "Bearer",
        "expires_in": seconds(token.expires_at, app.clock.now()),
        "scope": scope.to_string(),
    })))
}

async fn refresh(app: &App, slug: &str, grant: &Grant) -> Result<Response, Error> {
    let refused = || Error::Unauthenticated("the refresh token is not valid: sign in again".into());
    let tenant = access::tenant_of_slug(app, slug).await?.ok_or_else(refused)?;
    let token = grant.refresh_token.as_deref().ok_or_else(refused)?;
    let (access, refreshed) = keys::refresh(app, tenant, token).await?;
    Ok(granted(json!({
        "access_token": access.text.expose_secret(),
        "token_type": "Bearer",
        "expires_in": seconds(access.expires_at, app.clock.now()),
        "refresh_token": refreshed.token.expose_secret(),
    })))
}

/// RFC 6749, section 2.3.1: id and secret are form-encoded before they are put into Basic.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    Some((plain(id)?, plain(secret)?))
}

fn seconds(end: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (end - now).num_seconds().max(0)
}

fn granted(body: serde_json::Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn failed(error: &Error, grant: &Grant) -> Response {
    let text = error.to_string();
    match error {
        Error::Unauthenticated(_) if grant.kind == "refresh_token" => {
            refusal(StatusCode::BAD_REQUEST, "invalid_grant", &text)
        }
        Error::Unauthenticated(_) => {
            let mut response = refusal(StatusCode::UNAUTHORIZED, "invalid_client", &text);
            let basic = HeaderValue::from_static("Basic realm=\"baton\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
            response
        }
        Error::Invalid { .. } => refusal(StatusCode::BAD_REQUEST, "invalid_scope", &text),
        Error::Forbidden(_) => refusal(StatusCode::BAD_REQUEST, "unauthorized_client", &text),
        Error::Limit(_) | Error::Unavailable { .. } => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &text)
        }
        other => {
            tracing::error!(error = other as &dyn std::error::Error, "a token request failed");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "something went wrong on our side")
        }
    }
}

fn refusal(status: StatusCode, code: &str, text: &str) -> Response {
    let mut response = (status, Json(json!({ "error": code, "error_description": text }))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
