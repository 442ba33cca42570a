//! Typed global ids as arguments: text of another kind is refused before a resolver runs.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};
use domain::ids::InvalidId;

/// An argument of the GraphQL type `ID` that has to be an id of the kind `T`.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<T: FromStr<Err = InvalidId> + Display + Send + Sync> InputType for Id<T> {
    type RawValueType = T;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            Some(Value::String(text)) => text.parse().map(Self).map_err(|error: InvalidId| {
                InputValueError::custom(error).with_extension("code", "BAD_USER_INPUT")
            }),
            other => Err(InputValueError::expected_type(other.unwrap_or_default())),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }

    fn as_raw_value(&self) -> Option<&T> {
        Some(&self.0)
    }
}

/// The ids inside of a list that may be absent.
pub(super) fn each<T: Copy>(ids: Option<&Vec<Id<T>>>) -> Vec<T> {
    ids.into_iter().flatten().map(|id| id.0).collect()
}
