//! Reading what a destination answers when it is asked whether it has a lead.

use serde_json::Value;

use super::profile::Lookup;

/// Most records of an answer that are looked at.
const RECORDS_MAX: usize = 200;

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

/// The destination's own id of the record that has `value` at `field`; empty when it has no id.
///
/// None when no record has it: a search may be fuzzy, so what was found is compared.
pub fn find(lookup: &Lookup, answer: &Value, field: &str, value: &str) -> Option<String> {
    let records = at_path(answer, &lookup.records);
    let records = records.into_iter().flat_map(|one| match one {
        Value::Array(many) => many.iter().collect::<Vec<_>>(),
        one => vec![one],
    });
    for record in records.take(RECORDS_MAX) {
        let same = at_path(record, field).into_iter().filter_map(plain).any(|found| is_same(&found, value));
        if same {
            return Some(at_path(record, &lookup.id).into_iter().find_map(plain).unwrap_or_default());
        }
    }
    None
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

    #[test]
    fn a_hit_is_verified() {
        let lookup = Plan::new(Kind::BonzoApi, &json!({})).expect("a plan").profile.lookup.expect("a lookup");
        let answer = json!({ "data": [
            { "id": 7, "phone": "+13035550199", "email": "kara@example.org" },
            { "id": 8, "phone": "(303) 555-0101", "email": "Kara@Example.com" },
        ]});
        assert_eq!(find(&lookup, &answer, "phone", "3035550101"), Some("8".to_owned()));
        assert_eq!(find(&lookup, &answer, "email", "kara@example.com"), Some("8".to_owned()));
        assert_eq!(find(&lookup, &answer, "phone", "3035550100"), None);
        assert_eq!(find(&lookup, &json!({ "data": [] }), "phone", "3035550101"), None);
        assert_eq!(find(&lookup, &json!("<html>"), "phone", "3035550101"), None);
        let one = json!({ "data": { "id": "p-9", "external_id": " ls-1 " } });
        assert_eq!(find(&lookup, &one, "external_id", "LS-1"), Some("p-9".to_owned()));
    }
}
