//! A JSON record taken apart for its correction: what nobody corrects goes in again as it was.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::intake::{MappingSpec, Plan, Regions, Scratch, Settings, Verdict, codes};
use proptest::prelude::*;
use serde_json::{Value, json};

const MAPPING: &str = r#"{"fields": {"external_id": "id", "phone": ["contact.phones", "phone"], "email": "people.0.mail"},
    "ignore": ["debug"]}"#;

fn plan() -> Plan {
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    let settings = Settings { today, phone_regions: Regions::default() };
    Plan::for_json(&MappingSpec::parse(MAPPING).expect("a mapping"), &settings).expect("a plan")
}

fn put_together(plan: &Plan, cells: Vec<(String, String)>) -> Verdict {
    let cells: BTreeMap<String, String> = cells.into_iter().collect();
    plan.read_values(&cells, &mut Scratch::default())
}

#[test]
fn a_record_is_taken_apart_as_the_rules_read_it() {
    let plan = plan();
    let text = r#"{"tags": ["x", "y"], "ID": 12345678901234567890123, "contact": {"phones": ["3035550101", null, 7205550102]},
        "people": [{"mail": null, "age": 30}], "debug": {"a": 1}, " note ": " hi ", "rate": 4.10}"#;
    let cells = plan.cells_of(text).expect("an object");
    let found: Vec<(&str, &str)> = cells.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        found,
        [
            ("id", "12345678901234567890123"),
            ("contact.phones", "3035550101; 7205550102"),
            ("phone", ""),
            ("people.0.mail", ""),
            (" note ", "hi"),
            ("people.0.age", "30"),
            ("rate", "4.10"),
            ("tags", "x; y"),
        ]
    );
    let read = plan.read_json(text, &mut Scratch::default());
    assert!(matches!(read, Verdict::Accept { .. }), "{read:?}");
    assert_eq!(put_together(&plan, cells), read, "one fingerprint, too");
}

#[test]
fn what_a_reason_speaks_of_is_there_to_be_filled_in() {
    let plan = plan();
    let text = r#"{"id": 7}"#;
    let Verdict::Reject(reasons) = plan.read_json(text, &mut Scratch::default()) else { panic!("refused") };
    assert_eq!(reasons[0].code, codes::MISSING_CONTACT);
    let mut cells = plan.cells_of(text).expect("an object");
    let named: Vec<&str> = plan.labels_of(&reasons[0]).collect();
    assert_eq!(named, ["contact.phones", "phone", "people.0.mail"]);
    for name in named {
        let given = cells.iter_mut().find(|(label, _)| label == name).expect("it has an input");
        assert_eq!(given.1, "");
        "3035550101".clone_into(&mut given.1);
    }
    assert!(matches!(put_together(&plan, cells), Verdict::Accept { .. }));
}

#[test]
fn blank_cells_are_no_values_and_a_text_that_is_no_record_has_none() {
    let plan = plan();
    for blank in ["{}", r#"{"id": null, "phone": "", "contact": {"phones": []}}"#] {
        let cells = plan.cells_of(blank).expect("an object");
        assert_eq!(cells.len(), plan.labels().len());
        assert_eq!(put_together(&plan, cells), Verdict::Skip, "{blank}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    for text in ["", "[1]", "7", "null", "{\"id\":", "{} {}", deep.as_str()] {
        assert_eq!(plan.cells_of(text), None, "{text}");
    }
}

/// Objects of so few keys that those of the mapping, and equal ones in other letters, are frequent.
fn record() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(7),
        json!(4.5),
        json!("3035550101"),
        json!("fay@example.com"),
        json!("12"),
        json!(" a;b "),
        json!(""),
    ]);
    let key = || {
        let keys = vec![
            "id", "ID", "phone", " Phone", "phones", "contact", "people", "mail", "debug", "b", " b", "",
        ];
        prop::sample::select(keys).prop_map(str::to_owned)
    };
    let object = move |value: BoxedStrategy<Value>| {
        let pairs = prop::collection::vec((key(), value), 0..5);
        pairs.prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
    };
    let any = leaf.prop_recursive(4, 16, 4, move |inner| {
        let array = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array);
        prop_oneof![array, object(inner)]
    });
    prop::collection::vec((key(), any), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_record_comes_to_the_same_verdict(object in record()) {
        let plan = plan();
        let text = object.to_string();
        let cells = plan.cells_of(&text).expect("an object");
        prop_assert_eq!(put_together(&plan, cells), plan.read_json(&text, &mut Scratch::default()));
    }
}
