//! A mapping as data: target field ← columns or JSON paths, with transforms and identity.
//!
//! The JSON is written by people, so its short forms are accepted (`"city": "Town"`), unknown keys and
//! repeated fields are refused, and each refusal names what is known.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize};

use super::PlanError;

/// Which columns or JSON paths fill which fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSpec {
    /// Target field → where its text comes from.
    #[serde(deserialize_with = "fields")]
    pub fields: BTreeMap<String, FieldSpec>,
    /// Columns or JSON paths (and what is below them) that are dropped instead of kept as extra.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// What makes two records the same lead, beside the source's own id.
    #[serde(default)]
    pub identity: Identity,
}

/// What makes two records the same lead, beside the source's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Among which leads the same phone or e-mail is looked for.
    pub contact_identity: ContactIdentity,
    /// Whether the same phone makes a duplicate.
    pub phone: bool,
    /// Whether the same e-mail makes a duplicate.
    pub email: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self { contact_identity: ContactIdentity::Source, phone: true, email: true }
    }
}

/// Among which leads the same phone or e-mail makes a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContactIdentity {
    /// Those of the same source.
    #[default]
    Source,
    /// Those of every source of the tenant.
    Tenant,
    /// None: one person may have several leads, as an owner who sells two vehicles.
    None,
}

/// Where one field's text comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FieldSpec {
    /// The columns in order of preference. The first that is not blank wins; a phone or e-mail takes all of
    /// them, the first valid one as primary.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<ColumnRef>,
    /// Columns whose texts are joined by a blank, instead of `from`: house number and street.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<ColumnRef>,
    /// Columns that are looked at only when the others give nothing valid: a caller's number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<ColumnRef>,
    /// How the text is read, instead of the field's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// Whether a record is refused when the field is blank or unreadable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// A column of a header, or a JSON path such as `lead_data.phone`. Case and outer blanks do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnRef {
    /// The name in the header, or the path.
    pub column: String,
    /// Which of the columns of that name, from 1.
    pub occurrence: u16,
}

/// A mapping that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The text is not JSON, or has an unknown or repeated key.
    #[error("the mapping is not valid JSON of the expected form")]
    Json(#[source] serde_json::Error),
    /// A field or transform is unknown.
    #[error("the mapping cannot be used")]
    Plan(#[source] PlanError),
}

impl MappingSpec {
    /// Reads and checks a mapping.
    pub fn parse(json: &str) -> Result<Self, MappingError> {
        let spec: Self = serde_json::from_str(json).map_err(MappingError::Json)?;
        spec.check().map_err(MappingError::Plan)?;
        Ok(spec)
    }

    /// Refuses unknown fields and transforms, with the known ones in the error.
    pub fn check(&self) -> Result<(), PlanError> {
        super::plan::check(self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullFieldSpec {
    #[serde(default)]
    from: OneOrMany,
    #[serde(default)]
    join: OneOrMany,
    #[serde(default)]
    fallback: OneOrMany,
    #[serde(default)]
    transform: Option<String>,
    #[serde(default)]
    required: bool,
}

#[derive(Default)]
struct OneOrMany(Vec<ColumnRef>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name or a list of columns")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![ColumnRef::from(name)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<OneOrMany, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = sequence.next_element()? {
                    columns.push(column);
                }
                Ok(OneOrMany(columns))
            }
        }
        deserializer.deserialize_any(Columns)
    }
}

impl From<&str> for ColumnRef {
    fn from(name: &str) -> Self {
        Self { column: name.to_owned(), occurrence: 1 }
    }
}

impl<'de> Deserialize<'de> for ColumnRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            column: String,
            #[serde(default = "first")]
            occurrence: u16,
        }
        const fn first() -> u16 {
            1
        }
        struct Column;
        impl<'de> Visitor<'de> for Column {
            type Value = ColumnRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a column name or {"column": name, "occurrence": number from 1}"#)
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ColumnRef, E> {
                Ok(ColumnRef::from(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnRef, A::Error> {
                let full = Full::deserialize(value::MapAccessDeserializer::new(map))?;
                if full.occurrence == 0 {
                    return Err(A::Error::custom("`occurrence` counts from 1"));
                }
                Ok(ColumnRef { column: full.column, occurrence: full.occurrence })
            }
        }
        deserializer.deserialize_any(Column)
    }
}

impl<'de> Deserialize<'de> for FieldSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Field;
        impl<'de> Visitor<'de> for Field {
            type Value = FieldSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name, a list of columns, or an object with `from` or `join`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<FieldSpec, E> {
                Ok(FieldSpec { from: vec![ColumnRef::from(name)], ..FieldSpec::default() })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<FieldSpec, A::Error> {
                let from = Vec::deserialize(value::SeqAccessDeserializer::new(sequence))?;
                Ok(FieldSpec { from, ..FieldSpec::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldSpec, A::Error> {
                let full = FullFieldSpec::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(FieldSpec {
                    from: full.from.0,
                    join: full.join.0,
                    fallback: full.fallback.0,
                    transform: full.transform,
                    required: full.required,
                })
            }
        }
        deserializer.deserialize_any(Field)
    }
}

/// The fields, each at most once: JSON itself would let the last of two silently win.
fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, FieldSpec>, D::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = BTreeMap<String, FieldSpec>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object: target field → column")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = BTreeMap::new();
            while let Some((name, spec)) = map.next_entry::<String, FieldSpec>()? {
                if fields.contains_key(&name) {
                    return Err(A::Error::custom(format_args!(
                        "the field `{name}` stands twice in the mapping"
                    )));
                }
                fields.insert(name, spec);
            }
            Ok(fields)
        }
    }
    deserializer.deserialize_map(Fields)
}
