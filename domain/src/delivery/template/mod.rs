//! Payload templates as data: JSON whose texts hold places such as `{first_name}` and `{secret.token}`.
//!
//! A text that is one place and nothing else takes the type of its value (a number stays a number); in a longer text
//! the values are put in as text. `{{` and `}}` are braces. After a bar stand filters: `{phone|ten_digits}`,
//! `{credit_score|text}`. What has no value is left out, so that a blank never overwrites what the receiver knows; an
//! object says more: `{"$value": "{email}", "default": "none@example.com", "required": true, "when": {…}}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::condition::Condition;
use super::payload::{Hold, LeadFacts, ten_digits};

mod field;
mod rendered;

pub use field::Field;
pub(super) use field::text_of;
use field::{Json, json_of};
pub use rendered::Rendered;

/// Deepest nesting of a template.
const DEPTH_MAX: usize = 16;

/// A template, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Constant(Value),
    Text(Text),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Chosen(Box<Chosen>),
}

#[derive(Debug, Clone, PartialEq)]
struct Chosen {
    value: Node,
    default: Option<Value>,
    required: bool,
    when: Option<Condition>,
    /// As the template writes the value, for the person whose lead lacks it.
    written: String,
}

/// A text with places.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Place(Place),
}

#[derive(Debug, Clone, PartialEq)]
struct Place {
    source: Source,
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Field(Field),
    Secret(String),
    /// The value that a lookup asks for.
    Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Text,
    Number,
    TenDigits,
    Digits,
    Upper,
    Lower,
    YesNo,
}

/// What a template's places are filled from.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The lead.
    pub lead: &'a LeadFacts,
    /// The destination's secrets by name.
    pub secrets: &'a BTreeMap<String, String>,
    /// What a lookup asks for.
    pub key: Option<&'a str>,
}

impl Template {
    /// Reads a template; the error names the place in it and what would be right.
    pub fn parse(value: &Value) -> Result<Self, String> {
        Node::parse(value, 0).map(Self)
    }

    /// The names of the secrets that it asks for.
    pub fn secrets(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.0.collect_secrets(&mut names);
        names
    }

    /// Fills it. None when nothing of it has a value.
    pub fn render(&self, values: Values<'_>) -> Result<Option<Rendered>, Hold> {
        self.0.render(values)
    }
}

impl Node {
    fn parse(value: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the template is nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(match value {
            Value::String(text) => {
                let text = Text::parse(text)?;
                match text.0.as_slice() {
                    [] => Self::Constant(Value::from("")),
                    [Piece::Literal(literal)] => Self::Constant(Value::from(literal.as_str())),
                    _ => Self::Text(text),
                }
            }
            Value::Array(items) => {
                Self::Array(items.iter().map(|item| Self::parse(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Value::Object(object) if object.contains_key("$value") => Self::parse_chosen(object, depth)?,
            Value::Object(object) => {
                let member = |(key, value): (&String, &Value)| {
                    let node = Self::parse(value, depth + 1).map_err(|error| format!("{key}: {error}"))?;
                    Ok::<_, String>((key.clone(), node))
                };
                Self::Object(object.iter().map(member).collect::<Result<_, _>>()?)
            }
            constant => Self::Constant(constant.clone()),
        })
    }

    fn parse_chosen(object: &serde_json::Map<String, Value>, depth: usize) -> Result<Self, String> {
        let mut chosen = Chosen {
            value: Self::Constant(Value::Null),
            default: None,
            required: false,
            when: None,
            written: String::new(),
        };
        for (key, value) in object {
            match (key.as_str(), value) {
                ("$value", value) => {
                    chosen.value = Self::parse(value, depth + 1)?;
                    let written = value.as_str().unwrap_or("a value").trim_matches(['{', '}']);
                    written.clone_into(&mut chosen.written);
                }
                ("default", value) => chosen.default = Some(value.clone()),
                ("required", Value::Bool(required)) => chosen.required = *required,
                ("when", value) => {
                    let condition: Condition =
                        serde_json::from_value(value.clone()).map_err(|error| format!("when: {error}"))?;
                    condition.check()?;
                    chosen.when = Some(condition);
                }
                (other, _) => {
                    return Err(format!(
                        "beside `$value` stand `default`, `required` (true or false) and `when`, not `{other}`"
                    ));
                }
            }
        }
        Ok(Self::Chosen(Box::new(chosen)))
    }

    fn collect_secrets(&self, names: &mut Vec<String>) {
        match self {
            Self::Constant(_) => {}
            Self::Text(text) => names.extend(text.secrets().map(str::to_owned)),
            Self::Object(members) => members.iter().for_each(|(_, node)| node.collect_secrets(names)),
            Self::Array(items) => items.iter().for_each(|node| node.collect_secrets(names)),
            Self::Chosen(chosen) => chosen.value.collect_secrets(names),
        }
    }

    fn render(&self, values: Values<'_>) -> Result<Option<Rendered>, Hold> {
        Ok(match self {
            Self::Constant(value) => Some(Rendered::Json(value.to_string())),
            Self::Text(text) => text.render_json(values).map(Rendered::Json),
            Self::Object(members) => {
                let mut object = Vec::with_capacity(members.len());
                for (key, node) in members {
                    if let Some(value) = node.render(values)? {
                        object.push((key.clone(), value));
                    }
                }
                (!object.is_empty()).then_some(Rendered::Object(object))
            }
            Self::Array(items) => {
                let mut array = Vec::with_capacity(items.len());
                for node in items {
                    array.extend(node.render(values)?);
                }
                (!array.is_empty()).then_some(Rendered::Array(array))
            }
            Self::Chosen(chosen) => {
                if chosen.when.as_ref().is_some_and(|condition| !condition.holds(values.lead)) {
                    return Ok(None);
                }
                let default = || chosen.default.as_ref().map(|value| Rendered::Json(value.to_string()));
                let found = chosen.value.render(values)?.or_else(default);
                if chosen.required && found.is_none() {
                    return Err(Hold::FieldMissing(chosen.written.clone()));
                }
                found
            }
        })
    }
}

impl Text {
    /// Reads a text with places.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            if rest[at + 1..].starts_with(brace) {
                literal.push_str(brace);
                rest = &rest[at + 2..];
                continue;
            }
            let end = rest[at..].find('}').filter(|_| brace == "{").ok_or_else(|| {
                format!("`{text}` has a brace without its partner; a brace itself is written twice")
            })?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Place(Place::parse(&rest[at + 1..at + end])?));
            rest = &rest[at + end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The names of the secrets that it asks for.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(Place { source: Source::Secret(name), .. }) => Some(name.as_str()),
            _ => None,
        })
    }

    /// As text; none when it is one place without a value.
    pub fn render(&self, values: Values<'_>) -> Option<String> {
        if let [Piece::Place(place)] = self.0.as_slice() {
            return place.value(values).map(Json::into_text);
        }
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Place(place) => {
                    out.push_str(&place.value(values).map(Json::into_text).unwrap_or_default());
                }
            }
        }
        Some(out)
    }

    fn render_json(&self, values: Values<'_>) -> Option<String> {
        match self.0.as_slice() {
            [Piece::Place(place)] => place.value(values).map(|json| json.0.into_owned()),
            _ => self.render(values).map(|text| Value::from(text).to_string()),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('|').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let source = match name.strip_prefix("secret.") {
            Some(secret) if !secret.is_empty() => Source::Secret(secret.to_owned()),
            _ if name == "key" => Source::Key,
            _ => Source::Field(Field::parse(name)?),
        };
        let filter = |word: &str| {
            Ok(match word {
                "text" => Filter::Text,
                "number" => Filter::Number,
                "ten_digits" => Filter::TenDigits,
                "digits" => Filter::Digits,
                "upper" => Filter::Upper,
                "lower" => Filter::Lower,
                "yes_no" => Filter::YesNo,
                other => {
                    return Err(format!(
                        "there is no filter `{other}`; there are text, number, ten_digits, digits, upper, lower and yes_no"
                    ));
                }
            })
        };
        Ok(Self { source, filters: parts.map(filter).collect::<Result<_, _>>()? })
    }

    fn value<'a>(&self, values: Values<'a>) -> Option<Json<'a>> {
        let found = match &self.source {
            Source::Field(field) => json_of(values.lead, field),
            Source::Secret(name) => values.secrets.get(name).map(|secret| Json::of_text(secret)),
            Source::Key => values.key.map(Json::of_text),
        };
        self.filters.iter().try_fold(found?, |value, filter| filter.apply(value))
    }
}

impl Filter {
    fn apply(self, value: Json<'_>) -> Option<Json<'_>> {
        let changed = |change: fn(&str) -> String, value: Json<'_>| {
            let text = change(&value.into_text());
            (!text.is_empty()).then(|| Json::of_text(&text))
        };
        match self {
            Self::Text => changed(str::to_owned, value),
            Self::TenDigits => changed(|text| ten_digits(text).to_owned(), value),
            Self::Digits => changed(|text| text.chars().filter(char::is_ascii_digit).collect(), value),
            Self::Upper => changed(str::to_uppercase, value),
            Self::Lower => changed(str::to_lowercase, value),
            Self::Number => {
                let number: rust_decimal::Decimal = value.into_text().trim().parse().ok()?;
                Some(Json(Cow::Owned(number.to_string())))
            }
            Self::YesNo => match value.into_text().as_str() {
                "true" => Some(Json::of_text("Yes")),
                "false" => Some(Json::of_text("No")),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
