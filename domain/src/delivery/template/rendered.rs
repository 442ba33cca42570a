//! A rendered payload: as JSON, or as the pairs of a form.

use std::borrow::Cow;

use serde_json::Value;

use super::field::Json;

/// A rendered value: JSON text that keeps every digit of a decimal.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendered {
    /// A scalar as JSON text.
    Json(String),
    /// An object, in the template's order.
    Object(Vec<(String, Rendered)>),
    /// A list.
    Array(Vec<Rendered>),
}

impl Rendered {
    /// As JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(512);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Json(json) => out.push_str(json),
            Self::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    value.write(out);
                }
                out.push(']');
            }
        }
    }

    /// As pairs of a form: nested names are written `outer[inner]`, lists `name[]`.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        self.collect_pairs("", &mut pairs);
        pairs
    }

    fn collect_pairs(&self, name: &str, pairs: &mut Vec<(String, String)>) {
        match self {
            Self::Json(json) => pairs.push((name.to_owned(), Json(Cow::Borrowed(json)).into_text())),
            Self::Object(members) => {
                for (key, value) in members {
                    let inner = if name.is_empty() { key.clone() } else { format!("{name}[{key}]") };
                    value.collect_pairs(&inner, pairs);
                }
            }
            Self::Array(items) => {
                for value in items {
                    value.collect_pairs(&format!("{name}[]"), pairs);
                }
            }
        }
    }
}
