//! What a resolver may answer instead of a value: the one file in which errors become GraphQL errors.

use std::error::Error as _;
use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, ServerError, SimpleObject};
use service::Error;

use crate::http::graphql::RequestId;

/// The error of every resolver.
///
/// It is made of a [`service::Error`] and of nothing else, so that what a database or another part says cannot reach a
/// client: `?` on such an error does not compile.
///
/// ```compile_fail,E0277
/// # use api::graphql::ApiError;
/// fn resolver(row: Result<u32, sea_orm::DbErr>) -> Result<u32, ApiError> {
///     Ok(row?)
/// }
/// ```
///
/// What the service says does:
///
/// ```
/// # use api::graphql::ApiError;
/// # type Known = sea_orm::DbErr;
/// fn resolver(row: Result<u32, service::Error>) -> Result<u32, ApiError> {
///     Ok(row?)
/// }
/// ```
///
/// It does not implement `Display`: whatever displays converts into a GraphQL error by its text.
#[derive(Clone)]
pub struct ApiError(Arc<Error>);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl ApiError {
    /// An argument that cannot be used, with what would be right.
    pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Error::invalid(field, message).into()
    }

    /// Over a limit that the message names.
    pub(super) fn limit(message: String) -> Self {
        Error::Limit(message.into()).into()
    }

    /// Nobody is signed in.
    pub(super) fn unauthenticated() -> Self {
        Error::Unauthenticated("sign in first".into()).into()
    }

    /// A fault of the program: what was attempted and what is wrong.
    pub(super) fn internal(attempted: &'static str, wrong: impl Into<String>) -> Self {
        Error::internal(attempted, wrong.into()).into()
    }

    /// The stable code (`extensions.code`).
    pub fn code(&self) -> &'static str {
        code(&self.0)
    }

    /// The sentence for the caller. Our own faults have a fixed one.
    pub fn message(&self) -> String {
        match &*self.0 {
            Error::Internal { .. } => INTERNAL_TEXT.to_owned(),
            told => told.to_string(),
        }
    }
}

const INTERNAL_TEXT: &str = "something went wrong on our side; the request id finds it in our log";

fn code(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated(_) => "UNAUTHENTICATED",
        Error::Forbidden(_) => "FORBIDDEN",
        Error::NotFound { .. } => "NOT_FOUND",
        Error::Invalid { .. } => "BAD_USER_INPUT",
        Error::Conflict(_) => "CONFLICT",
        Error::Limit(_) => "LIMIT_EXCEEDED",
        Error::Unavailable { .. } => "UNAVAILABLE",
        Error::Internal { .. } => "INTERNAL",
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        if let Error::Invalid { field, code, .. } = &*error.0 {
            if let Some(field) = field {
                extensions.set("field", camel(field));
            }
            if code != "BAD_USER_INPUT" {
                extensions.set("reason", code.as_ref());
            }
        }
        Self { message: error.message(), source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// Logs a resolver's error once, with everything behind it, and gives the caller the id that finds the line.
pub(super) fn report(error: &mut ServerError, request: Option<&RequestId>) {
    let Some(ApiError(cause)) = error.source::<ApiError>().cloned() else { return };
    let id = request.map_or("", |id| &id.0);
    match &*cause {
        Error::Internal { .. } => {
            tracing::error!(request.id = %id, path = ?error.path, error = %chain(&cause), "an operation failed");
        }
        Error::Unavailable { .. } => {
            tracing::warn!(request.id = %id, path = ?error.path, error = %chain(&cause), "a part does not answer");
        }
        _ => return,
    }
    error.extensions.get_or_insert_default().set("request_id", id);
}

/// The error and its causes, outermost first. Their `Display` holds no row's data: a database's detail is not part of it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What a person can mend: the field, a stable code, what to do.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    field: Option<String>,
    code: String,
    message: String,
}

impl UserError {
    pub(super) fn new(field: Option<&str>, code: &str, message: String) -> Self {
        Self { field: field.map(camel), code: code.to_owned(), message }
    }
}

/// Parts what the input caused, which is data of the payload, from what nobody expects.
pub(super) fn expected<T>(result: Result<T, Error>) -> Result<Result<T, UserError>, ApiError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Invalid { field, code, message }) => {
            Ok(Err(UserError::new(field.as_deref(), &code, message)))
        }
        Err(error @ (Error::Conflict(_) | Error::NotFound { .. })) => {
            Ok(Err(UserError::new(None, code(&error), error.to_string())))
        }
        Err(other) => Err(other.into()),
    }
}

/// None for what is not there; not yours is not there.
pub(super) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, ApiError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// A stored word as its enum. A row that holds another one names itself.
pub(super) fn stored<T>(
    column: &'static str,
    id: uuid::Uuid,
    word: &str,
    read: Option<T>,
) -> Result<T, ApiError> {
    read.ok_or_else(|| {
        ApiError::internal("reading a stored word", format!("{column} of {id} holds `{word}`"))
    })
}

/// The other way round: the stored words of enum values in a list that may be absent, by the table of both.
pub(super) fn words<T: PartialEq>(table: &[(T, &str)], values: Option<Vec<T>>) -> Vec<String> {
    let word = |value: T| table.iter().find(|(known, _)| *known == value).map(|(_, word)| (*word).to_owned());
    values.into_iter().flatten().filter_map(word).collect()
}

/// A field's name as the schema writes it: `first_name` and `Idempotency-Key` as `firstName`, `idempotencyKey`.
fn camel(name: &str) -> String {
    let mut upper = false;
    let mut text = String::with_capacity(name.len());
    for (at, character) in name.chars().enumerate() {
        match character {
            '_' | '-' => upper = true,
            first if at == 0 => text.extend(first.to_lowercase()),
            other if std::mem::take(&mut upper) => text.extend(other.to_uppercase()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_in_the_schema() {
        for (name, expected) in [
            ("time_zone", "timeZone"),
            ("Idempotency-Key", "idempotencyKey"),
            ("firstNameFallback", "firstNameFallback"),
        ] {
            assert_eq!(camel(name), expected);
        }
    }

    #[test]
    fn a_database_error_says_nothing_to_the_caller() {
        let secret = "relation \"lead\" of +13035550101";
        let error = async_graphql::Error::from(ApiError::internal("reading", secret));
        assert_eq!(error.message, INTERNAL_TEXT);
        let mut answered = error.into_server_error(async_graphql::Pos::default());
        report(&mut answered, Some(&RequestId("r-1".to_owned())));
        let text = serde_json::to_string(&answered).unwrap();
        assert!(!text.contains("relation") && text.contains("r-1") && text.contains("INTERNAL"), "{text}");
    }

    #[test]
    fn what_the_input_caused_is_data() {
        let outcome = |error: Error| expected::<()>(Err(error)).map_err(|error| error.code());
        assert!(matches!(outcome(Error::invalid("slug", "no")), Ok(Err(_))));
        assert!(matches!(outcome(Error::Conflict("taken".into())), Ok(Err(_))));
        assert!(matches!(outcome(Error::not_found("source", "x")), Ok(Err(_))));
        assert_eq!(outcome(Error::Forbidden("no".into())).unwrap_err(), "FORBIDDEN");
        assert_eq!(outcome(Error::Limit("many".into())).unwrap_err(), "LIMIT_EXCEEDED");
        assert_eq!(outcome(Error::internal("reading", "x")).unwrap_err(), "INTERNAL");
    }
}
