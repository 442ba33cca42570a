//! Reading what a destination answers when it is asked whether it has a lead.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

use super::profile::Lookup;

/// How far the destination's clock may be behind ours.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// A time without a zone may be anywhere's.
const ZONE_TOLERANCE: TimeDelta = TimeDelta::hours(14);

/// Most records of an answer that are looked at.
const RECORDS_MAX: usize = 200;
/// Longest id of a record that is kept.
const ID_BYTES_MAX: usize = 200;

/// The values at a path: names and positions with dots between; a list in between means each of its elements.
pub fn at_path<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![value];
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let mut next = Vec::new();
        for value in found {
            match value {
                Value::Object(object) => next.extend(object.get(step)),
                Value::Array(array) => match step.parse::<usize>() {
                    Ok(index) => next.extend(array.get(index)),
                    Err(_) => next.extend(array.iter().take(RECORDS_MAX).filter_map(|item| item.get(step))),
                },
                _ => {}
            }
        }
        found = next;
    }
    found
}

/// The destination's own id at a path, where there is one that can be kept.
pub(super) fn own_id(record: &Value, path: &str) -> Option<String> {
    let id = at_path(record, path).into_iter().find_map(plain)?;
    (!id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains(char::is_control)).then_some(id)
}

/// The destination's own id of the record that has `value` at `field`, and was there before `since` only if it has been changed after it;
/// empty when it has none that can be kept: it is there all the same.
///
/// None when no record has it: a search may be fuzzy, so what was found is compared.
pub fn find(
    lookup: &Lookup,
    answer: &Value,
    (field, value): (&str, &str),
    since: DateTime<Utc>,
) -> Option<String> {
    let records = at_path(answer, &lookup.records);
    let records = records.into_iter().flat_map(|one| match one {
        Value::Array(many) => many.iter().collect::<Vec<_>>(),
        one => vec![one],
    });
    for record in records.take(RECORDS_MAX) {
        let same = at_path(record, field).into_iter().filter_map(plain).any(|found| is_same(&found, value));
        if same && !is_older(lookup, record, since) {
            return Some(own_id(record, &lookup.id).unwrap_or_default());
        }
    }
    None
}

/// Whether the record says that it was last changed before that time. One that says nothing readable is not.
fn is_older(lookup: &Lookup, record: &Value, since: DateTime<Utc>) -> bool {
    if lookup.changed.is_empty() {
        return false;
    }
    at_path(record, &lookup.changed).into_iter().find_map(plain).is_some_and(|text| {
        let text = text.trim();
        match DateTime::parse_from_rfc3339(text) {
            Ok(changed) => changed < since - CLOCK_TOLERANCE,
            Err(_) => ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
                .is_some_and(|changed| changed.and_utc() < since - CLOCK_TOLERANCE - ZONE_TOLERANCE),
        }
    })
}

/// A scalar as text; none for null, lists and objects.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Phones are the same by their digits, without a leading 1; everything else without regard to case and outer blanks.
fn is_same(found: &str, wanted: &str) -> bool {
    if let (Some(found), Some(wanted)) = (phone_digits(found), phone_digits(wanted)) {
        return found == wanted;
    }
    found.trim().to_lowercase() == wanted.trim().to_lowercase()
}

fn phone_digits(text: &str) -> Option<String> {
    if !text.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c)) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&digits);
    (digits.len() >= 7).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Kind, profile::Plan};
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_176_000, 0).expect("a valid time")
    }

    fn of_bonzo() -> Lookup {
        Plan::new(Kind::BonzoApi, &json!({})).expect("a plan").profile.lookup.expect("a lookup")
    }

    #[test]
    fn a_hit_is_verified() {
        let find = |answer: &Value, field, value| find(&of_bonzo(), answer, (field, value), noon());
        let answer = json!({ "data": [
            { "id": 7, "phone": "+13035550199", "email": "kara@example.org" },
            { "id": 8, "phone": "(303) 555-0101", "email": "Kara@Example.com" },
        ]});
        assert_eq!(find(&answer, "phone", "3035550101"), Some("8".to_owned()));
        assert_eq!(find(&answer, "email", "kara@example.com"), Some("8".to_owned()));
        assert_eq!(find(&answer, "phone", "3035550100"), None);
        assert_eq!(find(&json!({ "data": [] }), "phone", "3035550101"), None);
        assert_eq!(find(&json!("<html>"), "phone", "3035550101"), None);
        let one = json!({ "data": { "id": "p-9", "external_id": " ls-1 " } });
        assert_eq!(find(&one, "external_id", "LS-1"), Some("p-9".to_owned()));
    }

    #[test]
    fn an_id_is_kept_as_it_is_or_not_at_all() {
        let longest = "x".repeat(ID_BYTES_MAX);
        let table = [
            (json!("p-7"), Some("p-7")),
            (json!(7), Some("7")),
            (json!(longest), Some(longest.as_str())),
            (json!(format!("{longest}x")), None),
            (json!("é".repeat(ID_BYTES_MAX / 2 + 1)), None),
            (json!("p\u{0}7"), None),
            (json!("p-7\n"), None),
            (json!(""), None),
            (json!(null), None),
            (json!({ "id": "p-7" }), None),
        ];
        for (id, kept) in table {
            let record = json!({ "id": id, "external_id": "LS-1" });
            assert_eq!(own_id(&record, "id").as_deref(), kept, "{record}");
            let found = find(&of_bonzo(), &json!({ "data": [record] }), ("external_id", "LS-1"), noon());
            assert_eq!(found.as_deref(), Some(kept.unwrap_or_default()), "it is there in any case");
        }
    }

    #[test]
    fn what_has_not_changed_since_is_not_what_was_sent() {
        let table = [
            ("2026-11-20T12:00:01Z", true),
            ("2026-11-20T11:55:00Z", true),
            ("2026-11-20T11:54:59Z", false),
            ("2026-11-20T06:54:59-05:00", false),
            ("2026-11-20T11:54:59.000000Z", false),
            // Without a zone it may have been written where it is still yesterday.
            ("2026-11-19 22:00:00", true),
            ("2026-11-19T21:54:59", false),
            ("2026-11-19 21:54:59.5", false),
            ("", true),
            ("yesterday", true),
        ];
        for (changed, counts) in table {
            let answer = json!({ "data": [{ "id": 8, "phone": "3035550101", "updated_at": changed }] });
            let found = find(&of_bonzo(), &answer, ("phone", "3035550101"), noon());
            assert_eq!(found.is_some(), counts, "{changed}");
        }
        let answer = json!({ "data": [
            { "id": 8, "phone": "3035550101", "updated_at": "2024-01-01T00:00:00Z" },
            { "id": 9, "phone": "3035550101", "updated_at": "2026-11-20T12:00:00Z" },
        ]});
        assert_eq!(find(&of_bonzo(), &answer, ("phone", "3035550101"), noon()), Some("9".to_owned()));
        let whenever = Lookup { changed: String::new(), ..of_bonzo() };
        assert_eq!(find(&whenever, &answer, ("phone", "3035550101"), noon()), Some("8".to_owned()));
    }
}
