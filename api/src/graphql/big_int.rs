//! Whole numbers beyond 32 bits.
//!
//! GraphQL's `Int` ends at 2³¹ − 1, and a strict client refuses more. So whatever counts bytes or rows, or sums such counts, is a
//! `BigInt`; `Int` is for what is small by its nature: an attempt's number, an HTTP status, the size of a page.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// The scalar `BigInt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BigInt(pub i64);

impl From<i64> for BigInt {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// A whole number of bytes or rows, which may pass 32 bits. It is a JSON number, so a reader that keeps numbers as doubles has it
/// exact up to 2^53.
#[Scalar(name = "BigInt")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) if number.is_i64() => Ok(Self(number.as_i64().unwrap_or_default())),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_32_bits_goes_out_and_comes_in() {
        let five_terabytes = BigInt(5_000_000_000_000);
        assert_eq!(five_terabytes.to_value().to_string(), "5000000000000");
        assert_eq!(BigInt::parse(five_terabytes.to_value()).ok(), Some(five_terabytes));
        assert!(BigInt::parse(Value::String("5".to_owned())).is_err());
        assert!(BigInt::parse(Value::from(1.5)).is_err());
    }
}
