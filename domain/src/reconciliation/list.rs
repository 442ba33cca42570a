//! Their list: which column says what, and a row of it normalised.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::intake::Regions;
use crate::intake::rules::{email, phone, state, text};

/// What a column of their list can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Their own id.
    RemoteId,
    /// Our source's id, as we sent it.
    ExternalId,
    /// Given names.
    FirstName,
    /// Family name.
    LastName,
    /// E-mail.
    Email,
    /// Phone.
    Phone,
    /// State, by its letters or its name.
    State,
    /// Where they say it came from.
    Source,
    /// Whether it is active, deleted, opted out.
    Status,
    /// When it was made there.
    CreatedAt,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 10] = [
        Self::RemoteId,
        Self::ExternalId,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::State,
        Self::Source,
        Self::Status,
        Self::CreatedAt,
    ];

    /// Its name in mappings and differences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RemoteId => "remote_id",
            Self::ExternalId => "external_id",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::State => "state",
            Self::Source => "source",
            Self::Status => "status",
            Self::CreatedAt => "created_at",
        }
    }

    /// The columns that services call it by.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::RemoteId => &["id", "remote_id", "prospect_id", "contact_id", "record_id", "recordid"],
            Self::ExternalId => &["external_id", "externalid", "reference", "ref_number", "lead_id"],
            Self::FirstName => &["first_name", "firstname", "given_name"],
            Self::LastName => &["last_name", "lastname", "surname", "family_name"],
            Self::Email => &["email", "e-mail", "email_address"],
            Self::Phone => &["phone", "phone_number", "mobile", "mobile_phone", "cell_phone"],
            Self::State => &["state", "state_code", "province"],
            Self::Source => &["source", "lead_source"],
            Self::Status => &["status", "contact_status"],
            Self::CreatedAt => &["created_at", "created", "date_created", "created_on"],
        }
    }
}

/// How a service's list is read: data, kept with the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Field → its column. Fields that are not named are looked for by their usual names.
    pub columns: BTreeMap<Field, String>,
    /// Words of the status column, in any case, that mean it is gone there; `deleted`, `archived`, `removed` when empty.
    pub deleted: Vec<String>,
    /// Words that mean the person wants no more contact; `opted_out`, `opt_out`, `unsubscribed`, `dnc` when empty.
    pub opted_out: Vec<String>,
    /// What their source column says of records that came from us. When empty, it is what most matched records say.
    pub our_sources: Vec<String>,
}

const DELETED: [&str; 3] = ["deleted", "archived", "removed"];
const OPTED_OUT: [&str; 6] = ["opted_out", "opted out", "opt_out", "unsubscribed", "dnc", "do not contact"];

/// A list that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The mapping names a column that is not there.
    #[error("the list has no column `{column}` (mapped to {field}); it has: {found}")]
    NoSuchColumn {
        /// The field.
        field: &'static str,
        /// The column.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// No column by which a record could be recognised.
    #[error(
        "the list has no column with an id, an external id, a phone or an e-mail; it has: {found}. Name them in the mapping"
    )]
    NoKey {
        /// The columns that are there.
        found: String,
    },
}

/// Whether it still counts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    #[default]
    Active,
    /// It was deleted.
    Deleted,
    /// The person wants no more contact.
    OptedOut,
}

/// A row of their list, normalised. As JSON it is the evidence of what they said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Their id, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// As they have it, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Tidied; may be a word for no value, which only a lead's own name tells from a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Tidied, as the given names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// E.164, when it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// As they wrote it, when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_unread: Option<String>,
    /// Lower case, when it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// As they wrote it, when it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_unread: Option<String>,
    /// Two letters; as they wrote it when it is no state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Trimmed, as they wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Trimmed, as they wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the status means.
    pub standing: Standing,
    /// When it was made there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
}

impl Record {
    /// The external id as it is matched.
    pub fn external_key(&self) -> Option<String> {
        self.external_id.as_deref().map(external_key)
    }

    /// The phone, readable or not.
    pub fn shown_phone(&self) -> Option<&str> {
        self.phone.as_deref().or(self.phone_unread.as_deref())
    }

    /// The e-mail, readable or not.
    pub fn shown_email(&self) -> Option<&str> {
        self.email.as_deref().or(self.email_unread.as_deref())
    }

    fn is_record(&self) -> bool {
        let further =
            [&self.external_id, &self.first_name, &self.last_name, &self.state, &self.source, &self.status];
        // An id with nothing beside it is a footer: `Exported 24 records`.
        self.shown_phone().is_some()
            || self.shown_email().is_some()
            || further.into_iter().flatten().any(|text| !text::is_placeholder(text))
            || self.created_at.is_some()
    }
}

/// An external id as it is matched: outer blanks and the case of ASCII letters do not count.
pub fn external_key(id: &str) -> String {
    id.trim().to_ascii_lowercase()
}

/// A name as it is compared.
pub fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(|one| match one {
            '’' | '‘' | '`' => '\''.to_lowercase(),
            other => other.to_lowercase(),
        }));
    }
    folded
}

/// A mapping found in the columns of one list.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(Field, usize)>,
    regions: Regions,
    deleted: Vec<String>,
    opted_out: Vec<String>,
}

impl Table {
    /// Finds the columns in a header.
    pub fn new(
        mapping: &Mapping,
        header: &[impl AsRef<str>],
        regions: &Regions,
    ) -> Result<Self, MappingError> {
        let names: Vec<String> = header.iter().map(|name| key(name.as_ref())).collect();
        let found = || header.iter().take(40).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
        let mut columns = Vec::new();
        for field in Field::ALL {
            let index = match mapping.columns.get(&field) {
                Some(column) => {
                    let index = names.iter().position(|name| *name == key(column));
                    Some(index.ok_or_else(|| MappingError::NoSuchColumn {
                        field: field.name(),
                        column: column.chars().take(80).collect(),
                        found: found(),
                    })?)
                }
                None => field
                    .columns()
                    .iter()
                    .find_map(|column| names.iter().position(|name| *name == key(column))),
            };
            columns.extend(index.map(|index| (field, index)));
        }
        let keys = [Field::RemoteId, Field::ExternalId, Field::Phone, Field::Email];
        if !columns.iter().any(|(field, _)| keys.contains(field)) {
            return Err(MappingError::NoKey { found: found() });
        }
        let words = |own: &[String], usual: &[&str]| -> Vec<String> {
            if own.is_empty() {
                usual.iter().map(|word| (*word).to_owned()).collect()
            } else {
                own.iter().map(|word| word.trim().to_lowercase()).collect()
            }
        };
        Ok(Self {
            columns,
            regions: regions.clone(),
            deleted: words(&mapping.deleted, &DELETED),
            opted_out: words(&mapping.opted_out, &OPTED_OUT),
        })
    }

    /// Whether the list says that.
    pub fn has(&self, field: Field) -> bool {
        self.columns.iter().any(|(known, _)| *known == field)
    }

    /// Reads a row; none when it is no record. `cell` answers the text of a column, blank when the row is shorter.
    pub fn read<'a>(&self, cell: impl Fn(usize) -> &'a str) -> Option<Record> {
        let mut record = Record::default();
        for (field, index) in &self.columns {
            let text = text::trim(cell(*index));
            // People are called Nil, Na and Null: what such a word says in a name, the comparison decides.
            let name = matches!(field, Field::FirstName | Field::LastName);
            if text.is_empty() || (!name && text::is_placeholder(text)) {
                continue;
            }
            self.fill(&mut record, *field, text);
        }
        record.is_record().then_some(record)
    }

    fn fill(&self, record: &mut Record, field: Field, text: &str) {
        let own = || Some(text.to_owned());
        match field {
            Field::RemoteId => record.remote_id = Some(without_fraction(text).to_owned()),
            Field::ExternalId => record.external_id = own(),
            Field::FirstName => record.first_name = Some(text::tidy(text).into()),
            Field::LastName => record.last_name = Some(text::tidy(text).into()),
            Field::Phone => match phone::normalise(text, &self.regions) {
                Ok(phone) => record.phone = Some(phone.number.into()),
                Err(_) => record.phone_unread = own(),
            },
            Field::Email => match email::normalise(text) {
                Ok(email) => record.email = Some(email.into()),
                Err(_) => record.email_unread = own(),
            },
            Field::State => record.state = state::state(text).ok().flatten().map(Into::into).or_else(own),
            Field::Source => record.source = own(),
            Field::Status => {
                let word = text.to_lowercase();
                record.standing = if self.deleted.contains(&word) {
                    Standing::Deleted
                } else if self.opted_out.contains(&word) {
                    Standing::OptedOut
                } else {
                    Standing::Active
                };
                record.status = own();
            }
            Field::CreatedAt => record.created_at = time(text),
        }
    }
}

/// A column's name as it is compared.
fn key(name: &str) -> String {
    name.trim_start_matches('\u{feff}').trim().to_lowercase().replace([' ', '-'], "_")
}

/// A spreadsheet's `61001.0` is the id 61001.
fn without_fraction(id: &str) -> &str {
    match id.strip_suffix(".0") {
        Some(whole) if whole.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        _ => id,
    }
}

/// RFC 3339, or the same without an offset, then UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"];
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|naive| naive.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_any_key_is_refused_with_its_columns() {
        let refused = Table::new(&Mapping::default(), &["Name", "Notes"], &Regions::default()).unwrap_err();
        assert!(refused.to_string().contains("Name, Notes"), "{refused}");
        let mapping: Mapping = serde_json::from_str(r#"{"columns": {"phone": "Tel"}}"#).unwrap();
        let refused = Table::new(&mapping, &["id", "Notes"], &Regions::default()).unwrap_err();
        assert!(refused.to_string().contains("no column `Tel`"), "{refused}");
        assert!(Table::new(&mapping, &["TEL"], &Regions::default()).is_ok());
        assert!(serde_json::from_str::<Mapping>(r#"{"colums": {}}"#).is_err(), "a slip is not a default");
    }

    #[test]
    fn a_footer_is_no_record_and_a_time_needs_no_offset() {
        let header = ["id", "phone", "created_at"];
        let table = Table::new(&Mapping::default(), &header, &Regions::default()).unwrap();
        let read = |row: &[&str]| table.read(|index| row.get(index).copied().unwrap_or_default());
        assert_eq!(read(&["Exported 24 records"]), None);
        assert_eq!(read(&["", " ", ""]), None);
        let record = read(&["61001.0", "n/a", "2026-11-10 16:00:00"]).unwrap();
        assert_eq!(record.remote_id.as_deref(), Some("61001"));
        assert_eq!(record.created_at.unwrap().to_rfc3339(), "2026-11-10T16:00:00+00:00");
        assert_eq!(record.shown_phone(), None);
    }
}
