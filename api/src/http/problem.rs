//! Errors as HTTP problem documents (RFC 9457). The one place where a service error becomes a status.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use service::Error;

/// What a client gets when something went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Short and the same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A stable code for programs.
    pub code: String,
    /// What is wrong this time and what to do.
    pub detail: String,
    /// The field at fault, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Of an internal error: what to tell the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of the edge itself.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            field: None,
            request_id: None,
        }
    }

    /// 401.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED", detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Error::Forbidden(_) => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"),
            Error::Conflict(_) => (StatusCode::CONFLICT, "CONFLICT"),
            Error::Limit(_) => (StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED"),
            Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        };
        let mut problem = Self::new(status, code, error.to_string());
        match &error {
            Error::Invalid { field, code, .. } => {
                problem.field = field.as_ref().map(ToString::to_string);
                problem.code = code.to_string();
            }
            Error::Internal { .. } | Error::Unavailable { .. } => {
                let id = format!("{:016x}", rand::random::<u64>());
                tracing::error!(request.id = %id, error = &error as &dyn std::error::Error, "request failed");
                "the request failed; tell the operator this request id".clone_into(&mut problem.detail);
                if matches!(error, Error::Unavailable { .. }) {
                    problem.detail = error.to_string();
                }
                problem.request_id = Some(id);
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
