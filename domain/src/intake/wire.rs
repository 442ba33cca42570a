//! Details, extras and warnings as compact JSON text, and details back from it.
//!
//! The text is written straight into the buffer of a COPY or an insert: no tree of values on the way, decimals as exact JSON
//! numbers, days in ISO 8601.

use std::fmt::Write as _;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::catalogue::{self, Transform};
use crate::lead::{Issue, Lead, Value};

/// Appends the details as a JSON object: `{"credit_score":712,"mortgage_rate":4.25}`.
pub fn write_details_json(lead: &Lead, out: &mut String) {
    object(&lead.details, out, |value, out| match value {
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Value::Integer(value) => _ = write!(out, "{value}"),
        Value::Decimal(value) => _ = write!(out, "{value}"),
        Value::Date(value) => drop(write!(out, "\"{value}\"")),
        Value::Text(value) => string(value, out),
    });
}

/// Appends the extras as a JSON object of texts.
pub fn write_extra_json(lead: &Lead, out: &mut String) {
    object(&lead.extra, out, |value, out| string(value, out));
}

/// Appends warnings or reasons as a JSON array of objects with `field`, `code`, `message` and perhaps `value`.
pub fn write_warnings_json(issues: &[Issue], out: &mut String) {
    out.push('[');
    for (index, issue) in issues.iter().enumerate() {
        out.push_str(if index == 0 { "{\"field\":" } else { ",{\"field\":" });
        string(&issue.field, out);
        out.push_str(",\"code\":");
        string(&issue.code, out);
        out.push_str(",\"message\":");
        string(&issue.message, out);
        if let Some(value) = &issue.value {
            out.push_str(",\"value\":");
            string(value, out);
        }
        out.push('}');
    }
    out.push(']');
}

fn object<V>(pairs: &[(CompactString, V)], out: &mut String, write: impl Fn(&V, &mut String)) {
    out.push('{');
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(name, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

/// A JSON string. Postgres has no NUL in `jsonb`, and the rules leave none; one from elsewhere is shown as U+FFFD.
fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut start = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0 => "\u{fffd}",
            1..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[start..index]);
        start = index + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

/// A stored text of details that is not what [`write_details_json`] writes.
#[derive(Debug, thiserror::Error)]
#[error("the details are not a JSON object of plain values")]
pub struct CorruptDetails(#[source] Option<serde_json::Error>);

/// Reads details back. Each field of the catalogue gets its own kind of value again; of a tenant's own fields, a whole number
/// is an integer and a day is a text. `null` is absent.
pub fn details_from_json(json: &str) -> Result<Vec<(CompactString, Value)>, CorruptDetails> {
    struct Details;
    impl<'de> Visitor<'de> for Details {
        type Value = Option<Vec<(CompactString, Value)>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of plain values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut details = Vec::new();
            while let Some((name, text)) = map.next_entry::<CompactString, &RawValue>()? {
                if text.get() == "null" {
                    continue;
                }
                let Some(value) = value(&name, text.get()) else { return Ok(None) };
                details.push((name, value));
            }
            details.sort_by(|left, right| left.0.cmp(&right.0));
            Ok(Some(details))
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let details = reader.deserialize_map(Details).map_err(|error| CorruptDetails(Some(error)))?;
    reader.end().map_err(|error| CorruptDetails(Some(error)))?;
    details.ok_or(CorruptDetails(None))
}

fn value(name: &str, json: &str) -> Option<Value> {
    let transform = catalogue::field(name).map(|field| field.transforms[0]);
    match json.as_bytes().first()? {
        b't' => Some(Value::Boolean(true)),
        b'f' => Some(Value::Boolean(false)),
        b'"' => {
            let text: CompactString = serde_json::from_str(json).ok()?;
            match transform {
                Some(Transform::Date) => text.parse().ok().map(Value::Date),
                _ => Some(Value::Text(text)),
            }
        }
        b'-' | b'0'..=b'9' => {
            let decimal = matches!(transform, Some(Transform::Money | Transform::Rate | Transform::Ltv));
            match json.parse::<i64>() {
                Ok(number) if !decimal => Some(Value::Integer(number)),
                _ => Decimal::from_str_exact(json)
                    .or_else(|_| Decimal::from_scientific(json))
                    .ok()
                    .map(Value::Decimal),
            }
        }
        _ => None,
    }
}
