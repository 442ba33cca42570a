//! JSON whose numbers keep their value.
//!
//! A number that is no 64-bit integer becomes a double when it is read, and with more than 15 digits it may become another number:
//! an id of twenty digits, an amount with many decimals. Such a number is kept as its text instead. A scalar that takes any JSON
//! or a decimal finds its digits there; for `Int` and `Float` it is the wrong type and refused, which is better than another value.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// The most digits that a double keeps, whatever they are.
const DIGITS_SAFE: usize = 15;

/// Reads a JSON text whose nesting is bounded.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    if may_lose_digits(text) { value(serde_json::from_str(text)?) } else { serde_json::from_str(text) }
}

/// A number by its text: as a number when that is exact, else as the text.
pub(super) fn number(text: &str) -> Result<Number, String> {
    match serde_json::from_str::<Number>(text) {
        Ok(number) if !number.is_f64() || decimal(&number.to_string()) == decimal(text) => Ok(number),
        _ => Err(text.to_owned()),
    }
}

/// Whether something in the text looks like a number that may not survive. It may stand in a string; then nothing is lost but time.
fn may_lose_digits(text: &str) -> bool {
    let of_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    text.as_bytes().split(|byte| !of_number(byte)).any(|run| {
        run.len() > DIGITS_SAFE
            || run.windows(2).any(|pair| pair[0].is_ascii_digit() && matches!(pair[1], b'e' | b'E'))
    })
}

fn value(raw: &RawValue) -> serde_json::Result<Value> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<HashMap<String, &RawValue>>(text)?
            .into_iter()
            .map(|(name, entry)| Ok((name, value(entry)?)))
            .collect::<serde_json::Result<_>>()?,
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)?
            .into_iter()
            .map(value)
            .collect::<serde_json::Result<_>>()?,
        Some(b'-' | b'0'..=b'9') => number(text).map_or_else(Value::String, Value::Number),
        _ => serde_json::from_str(text)?,
    })
}

/// Sign, digits without zeros around them, and the power of ten that they are multiplied by: equal for equal values.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    let trailing = i64::try_from(digits.len() - digits.trim_end_matches('0').len()).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(trailing)?;
    Some((negative, significant.to_owned(), power))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_are_exact_stay_numbers() {
        let text = r#"{"a":[0,-1,1.50,250000.00,9223372036854775807,18446744073709551615,1e3,1.5E-3,-0.0,0.1],"b":"12345678901234567890"}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn numbers_that_a_double_would_change_stay_text() {
        let text = r#"{"id":12345678901234567890123,"rate":0.12345678901234567890,"huge":1e400,"tiny":-1e-400,"a":[{"b":1234567890123456.789}],"n":1,"n":2}"#;
        let expected = json!({
            "id": "12345678901234567890123", "rate": "0.12345678901234567890", "huge": "1e400", "tiny": "-1e-400",
            "a": [{ "b": "1234567890123456.789" }], "n": 2,
        });
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_json_is_refused_in_both_ways_of_reading() {
        for broken in [
            "",
            "{",
            "[1,]",
            "01",
            "1.",
            "{\"a\":12345678901234567890123",
            "[1e5,]",
            "12345678901234567890123 1",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    proptest! {
        /// Every digit that was sent is there, as a number or as text.
        #[test]
        fn no_value_changes(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
            let read = match read(&text).unwrap() {
                Value::Number(number) => number.to_string(),
                Value::String(kept) => kept,
                other => panic!("{other}"),
            };
            prop_assert_eq!(decimal(&read), decimal(&text));
        }
    }
}
