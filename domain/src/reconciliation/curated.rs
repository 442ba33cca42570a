//! The service's own tables – users, campaigns – as they are kept here, and what changed of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The longest text that is kept of a field, in characters.
const TEXT_MAX: usize = 200;
/// Fields that say nothing of the record itself.
const PASSING: [&str; 3] = ["updated_at", "last_login", "last_seen"];

/// A user or campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The service's id.
    pub remote_id: String,
    /// As people see it.
    pub name: String,
    /// Of a user.
    pub email: Option<String>,
    /// Whether the service calls it active.
    pub active: bool,
    /// What else it says, scalars only.
    pub data: Map<String, Value>,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It was not known.
    Added(Entry),
    /// It says something else: field → [was, is].
    Changed(Entry, Map<String, Value>),
    /// The service does not have it any more.
    Removed(String),
}

impl Entry {
    /// From the service's record; none when it has no id.
    pub fn read(record: &Value) -> Option<Self> {
        let record = record.as_object()?;
        let text = |name: &str| match record.get(name)? {
            Value::String(text) if !text.trim().is_empty() => Some(shortened(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let remote_id = text("id")?;
        let full = || match (text("first_name"), text("last_name")) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (first, last) => first.or(last),
        };
        let email = text("email").map(|email| email.to_lowercase());
        let name = text("name").or_else(full).or_else(|| text("title")).or_else(|| email.clone());
        let known = ["id", "name", "first_name", "last_name", "title", "email"];
        let data = record
            .iter()
            .filter(|(name, value)| {
                let scalar = !value.is_null() && !value.is_object() && !value.is_array();
                scalar && !known.contains(&name.as_str()) && !PASSING.contains(&name.as_str())
            })
            .map(|(name, value)| match value {
                Value::String(text) => (name.clone(), Value::String(shortened(text))),
                other => (name.clone(), other.clone()),
            })
            .collect();
        Some(Self {
            name: name.unwrap_or_else(|| remote_id.clone()),
            remote_id,
            email,
            active: active(record),
            data,
        })
    }

    fn fields(&self) -> BTreeMap<&str, Value> {
        let mut fields: BTreeMap<&str, Value> =
            self.data.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        fields.insert("name", self.name.clone().into());
        fields.insert("email", self.email.clone().into());
        fields.insert("active", self.active.into());
        fields
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(TEXT_MAX).collect()
}

/// Services say it in one of these ways; one that says nothing has active records only.
fn active(record: &Map<String, Value>) -> bool {
    let flag = |name: &str| match record.get(name) {
        Some(Value::Bool(value)) => Some(*value),
        Some(Value::Number(number)) => Some(number.as_i64() != Some(0)),
        _ => None,
    };
    let word = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_lowercase);
    let gone = ["deleted", "archived", "inactive", "disabled", "suspended", "removed"];
    !(flag("active") == Some(false)
        || flag("is_active") == Some(false)
        || flag("archived") == Some(true)
        || flag("disabled") == Some(true)
        || record.get("deleted_at").is_some_and(|at| !at.is_null())
        || word("status").is_some_and(|status| gone.contains(&status.as_str())))
}

/// What changed from what is known to what the service lists now. Records that are known as removed and still are not
/// listed have not changed.
pub fn changes(known: &[Entry], listed: &[Entry]) -> Vec<Change> {
    let before: BTreeMap<&str, &Entry> =
        known.iter().map(|entry| (entry.remote_id.as_str(), entry)).collect();
    let mut now: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in listed {
        now.entry(&entry.remote_id).or_insert(entry);
    }
    let mut changes = Vec::new();
    for (id, entry) in &now {
        match before.get(id) {
            None => changes.push(Change::Added((*entry).clone())),
            Some(was) => {
                let (was, is) = (was.fields(), entry.fields());
                let names: std::collections::BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
                let pair = |name: &str| [was.get(name).cloned(), is.get(name).cloned()];
                let fields: Map<String, Value> = names
                    .into_iter()
                    .map(|name| (name, pair(name)))
                    .filter(|(_, [was, is])| was != is)
                    .map(|(name, pair)| (name.to_owned(), Value::from(pair.map(Value::from).to_vec())))
                    .collect();
                if !fields.is_empty() {
                    changes.push(Change::Changed((*entry).clone(), fields));
                }
            }
        }
    }
    let gone = before.iter().filter(|(id, entry)| entry.active && !now.contains_key(*id));
    changes.extend(gone.map(|(id, _)| Change::Removed((*id).to_owned())));
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(record: &Value) -> Entry {
        Entry::read(record).unwrap()
    }

    #[test]
    fn a_record_is_read_whatever_it_calls_its_name_and_state() {
        let ada = entry(
            &json!({"id": 7, "first_name": "Ada", "last_name": "Cole", "email": "ADA@example.com", "team": {"id": 1}}),
        );
        assert_eq!((ada.remote_id.as_str(), ada.name.as_str(), ada.active), ("7", "Ada Cole", true));
        assert_eq!((ada.email.as_deref(), ada.data.len()), (Some("ada@example.com"), 0));
        for gone in [json!({"active": 0}), json!({"status": "Archived"}), json!({"deleted_at": "2026-01-01"})]
        {
            let mut record = json!({"id": "c1", "title": "Spring"});
            record.as_object_mut().unwrap().extend(gone.as_object().unwrap().clone());
            assert!(!entry(&record).active, "{record}");
        }
        assert_eq!(Entry::read(&json!({"name": "no id"})), None);
    }

    #[test]
    fn what_changed_is_said_once_and_the_same_list_changes_nothing() {
        let known = [
            entry(&json!({"id": 1, "name": "Ada"})),
            entry(&json!({"id": 2, "name": "Bea", "role": "agent"})),
        ];
        let listed = [
            entry(&json!({"id": 2, "name": "Bea Cole", "updated_at": "now"})),
            entry(&json!({"id": 3, "name": "Cleo"})),
        ];
        let found = changes(&known, &listed);
        let Change::Changed(_, fields) = &found[0] else { panic!("{found:?}") };
        assert_eq!(
            Value::from(fields.clone()),
            json!({"name": ["Bea", "Bea Cole"], "role": ["agent", null]})
        );
        assert!(matches!(&found[1], Change::Added(entry) if entry.remote_id == "3"));
        assert_eq!(found[2], Change::Removed("1".to_owned()));
        assert_eq!(changes(&listed, &listed), []);
        let removed = [Entry { active: false, ..known[0].clone() }];
        assert_eq!(changes(&removed, &[]), []);
    }
}
