//! What a new revision of a lead says otherwise.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use compact_str::{CompactString, format_compact};
use rust_decimal::Decimal;

use super::catalogue::is_content;
use crate::lead::{Lead, Value};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The field; of an unmapped column, `extra.<name>`.
    pub field: CompactString,
    /// What the older lead says; `None` is nothing.
    pub from: Option<Value>,
    /// What the newer lead says.
    pub to: Option<Value>,
}

/// The fields in which two leads differ, in the order of [`Lead`].
///
/// What belongs to the occasion and not to the lead (the trigger date, a caller's number, a session's key, the time of
/// sending) does not count. Numbers count by their value and dates by their day, so that a lead that was
/// stored as JSON and read back differs in nothing.
pub fn difference(from: &Lead, to: &Lead) -> Vec<Change> {
    let mut changes = Vec::new();
    let texts = [
        ("external_id", &from.external_id, &to.external_id),
        ("lead_type", &from.lead_type, &to.lead_type),
        ("channel", &from.channel, &to.channel),
        ("first_name", &from.first_name, &to.first_name),
        ("last_name", &from.last_name, &to.last_name),
        ("phone", &from.phone, &to.phone),
        ("phone_ext", &from.phone_ext, &to.phone_ext),
        ("email", &from.email, &to.email),
        ("address", &from.address, &to.address),
        ("city", &from.city, &to.city),
        ("state", &from.state, &to.state),
        ("zip", &from.zip, &to.zip),
        ("zip4", &from.zip4, &to.zip4),
    ];
    for (field, from, to) in texts {
        if from != to {
            let value = |text: &Option<CompactString>| text.clone().map(Value::Text);
            changes.push(Change { field: CompactString::const_new(field), from: value(from), to: value(to) });
        }
    }
    let lists =
        [("alt_phones", &from.alt_phones, &to.alt_phones), ("alt_emails", &from.alt_emails, &to.alt_emails)];
    for (field, from, to) in lists {
        if from != to {
            changes.push(Change {
                field: CompactString::const_new(field),
                from: joined(from),
                to: joined(to),
            });
        }
    }
    details(from, to, &mut changes);
    extras(from, to, &mut changes);
    changes
}

fn joined(values: &[CompactString]) -> Option<Value> {
    if values.is_empty() { None } else { Some(Value::Text(values.join(", ").into())) }
}

fn details(from: &Lead, to: &Lead, changes: &mut Vec<Change>) {
    let mut both: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
    for (name, value) in &from.details {
        both.entry(name).or_default().0 = Some(value);
    }
    for (name, value) in &to.details {
        both.entry(name).or_default().1 = Some(value);
    }
    for (name, (from, to)) in both {
        let same = match (from, to) {
            (Some(from), Some(to)) => is_same(from, to),
            _ => false,
        };
        if !same && is_content(name) {
            changes.push(Change { field: name.into(), from: from.cloned(), to: to.cloned() });
        }
    }
}

fn extras(from: &Lead, to: &Lead, changes: &mut Vec<Change>) {
    let mut both: BTreeMap<&str, (Option<&CompactString>, Option<&CompactString>)> = BTreeMap::new();
    for (name, value) in &from.extra {
        both.entry(name).or_default().0 = Some(value);
    }
    for (name, value) in &to.extra {
        both.entry(name).or_default().1 = Some(value);
    }
    for (name, (from, to)) in both {
        if from != to {
            let value = |text: Option<&CompactString>| text.cloned().map(Value::Text);
            changes.push(Change { field: format_compact!("extra.{name}"), from: value(from), to: value(to) });
        }
    }
}

fn is_same(left: &Value, right: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    };
    let date = |value: &Value| match value {
        Value::Date(date) => Some(*date),
        Value::Text(text) => text.parse::<NaiveDate>().ok(),
        _ => None,
    };
    if left == right {
        return true;
    }
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => date(left).is_some_and(|day| date(right) == Some(day)),
        _ => false,
    }
}
