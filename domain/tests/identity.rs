//! Fingerprints and differences of any two leads.

use chrono::NaiveDate;
use compact_str::CompactString;
use domain::intake::{catalogue, difference, fingerprint};
use domain::lead::{Lead, Value};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Leads of so few values that equal ones, and ones that differ in one place, are frequent.
fn lead() -> impl Strategy<Value = Lead> {
    let word = || {
        prop::option::of(prop::sample::select(vec!["", "a", "ab", "b", "aba"]).prop_map(CompactString::from))
    };
    let words = || {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]).prop_map(CompactString::from), 0..3)
    };
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        (0_i64..2).prop_map(Value::Integer),
        (0_i64..3, 0_u32..2).prop_map(|(units, scale)| Value::Decimal(Decimal::new(units * 10, scale))),
        (0_i32..2)
            .prop_map(|day| Value::Date(NaiveDate::from_num_days_from_ce_opt(700_000 + day).expect("a day"))),
        prop::sample::select(vec!["a", "b", "0"]).prop_map(|text| Value::Text(text.into())),
    ];
    let details = prop::collection::btree_map(
        prop::sample::select(vec!["custom.a", "ltv", "trigger_date"]),
        value,
        0..3,
    );
    let extra = prop::collection::btree_map(
        prop::sample::select(vec!["a", "b", "ab"]),
        prop::sample::select(vec!["a", "b"]),
        0..3,
    );
    (word(), word(), word(), words(), words(), details, extra, any::<bool>()).prop_map(
        |(external_id, first_name, last_name, alt_phones, alt_emails, details, extra, backwards)| {
            let mut lead =
                Lead { external_id, first_name, last_name, alt_phones, alt_emails, ..Lead::default() };
            lead.details = details.into_iter().map(|(name, value)| (name.into(), value)).collect();
            lead.extra = extra.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            if backwards {
                lead.details.reverse();
                lead.extra.reverse();
            }
            lead
        },
    )
}

/// The same content in one order.
fn sorted(mut lead: Lead) -> Lead {
    lead.details.sort_by(|left, right| left.0.cmp(&right.0));
    lead.extra.sort();
    lead
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn fingerprints_are_equal_when_the_content_is_and_only_then(left in lead(), right in lead()) {
        let mut buffer = Vec::new();
        let same_print = fingerprint(&left, &mut buffer) == fingerprint(&right, &mut buffer);
        prop_assert_eq!(same_print, sorted(left) == sorted(right));
    }

    #[test]
    fn a_difference_is_what_changes_one_lead_into_the_other(left in lead(), right in lead()) {
        prop_assert!(difference(&left, &left).is_empty());
        let forth = difference(&left, &right);
        let back = difference(&right, &left);
        prop_assert_eq!(forth.len(), back.len());
        for (forth, back) in forth.iter().zip(&back) {
            prop_assert_eq!((&forth.field, &forth.from, &forth.to), (&back.field, &back.to, &back.from));
            prop_assert!(catalogue::is_content(&forth.field));
        }
        let mut bare = (left, right);
        for lead in [&mut bare.0, &mut bare.1] {
            lead.details.retain(|(name, _)| name != "trigger_date");
            // A number is the same number as an integer and as a decimal.
            for (_, value) in &mut lead.details {
                if let Value::Integer(number) = value {
                    *value = Value::Decimal(Decimal::from(*number));
                }
            }
        }
        prop_assert_eq!(forth.is_empty(), sorted(bare.0) == sorted(bare.1));
    }
}

/// What runs together when texts are only put one after the other, and what differs in kind alone.
#[test]
fn the_encoding_is_unambiguous() {
    let words = |words: &[&str]| words.iter().map(|word| CompactString::from(*word)).collect::<Vec<_>>();
    let phones = |list: &[&str]| Lead { alt_phones: words(list), ..Lead::default() };
    let extra =
        |name: &str, value: &str| Lead { extra: vec![(name.into(), value.into())], ..Lead::default() };
    let detail = |value: Value| Lead { details: vec![("custom.a".into(), value)], ..Lead::default() };
    let leads = [
        Lead::default(),
        Lead { first_name: Some("ab".into()), ..Lead::default() },
        Lead { last_name: Some("ab".into()), ..Lead::default() },
        Lead { first_name: Some("a".into()), last_name: Some("b".into()), ..Lead::default() },
        Lead { first_name: Some("".into()), ..Lead::default() },
        Lead { alt_emails: words(&["ab", "a"]), ..Lead::default() },
        phones(&["ab", "a"]),
        phones(&["a", "ba"]),
        phones(&["aba"]),
        phones(&["a", "ab"]),
        extra("ab", "a"),
        extra("a", "ba"),
        detail(Value::Text("1".into())),
        detail(Value::Integer(1)),
        detail(Value::Decimal(Decimal::ONE)),
        detail(Value::Boolean(true)),
        detail(Value::Date(NaiveDate::from_num_days_from_ce_opt(1).expect("a day"))),
    ];
    let mut buffer = Vec::new();
    let mut encoded = Vec::new();
    for lead in &leads {
        let print = fingerprint(lead, &mut buffer);
        assert!(!encoded.contains(&(print, buffer.clone())), "{lead:?}");
        encoded.push((print, buffer.clone()));
    }
    for (index, (print, bytes)) in encoded.iter().enumerate() {
        assert!(encoded[..index].iter().all(|(other, text)| other != print && text != bytes));
    }
}
