//! Templates that are filled, and templates that are refused.

use proptest::prelude::*;
use serde_json::json;

use super::super::payload::tests::lead;
use super::*;

fn rendered(template: &Value, lead: &LeadFacts) -> Result<Option<String>, Hold> {
    let secrets = BTreeMap::from([("token".to_owned(), "s3cret".to_owned())]);
    let template = Template::parse(template).expect("a template");
    let found = template.render(Values { lead, secrets: &secrets, key: None })?;
    Ok(found.map(|rendered| rendered.to_json()))
}

#[test]
fn places_take_the_type_of_their_value_and_blanks_are_left_out() {
    let mut lead = lead(r#"{"loan_amount":312450.10,"credit_score":712,"va":true,"year":"2020"}"#);
    lead.first_name = Some("José".to_owned());
    lead.phone = Some("+13035550101".to_owned());
    let template = json!({
        "auth": "Bearer {secret.token}", "name": "{full_name}", "phone": "{phone|ten_digits}",
        "score": "{details.credit_score|text}", "loan": { "amount": "{details.loan_amount}", "none": "{zip}" },
        "year": "{details.year|number}", "va": "{details.va|yes_no}", "email": "{email}",
        "tags": ["baton", "{email}", "{source}"], "empty": { "zip": "{zip}" }, "ok": true, "braces": "{{x}}",
    });
    let found = rendered(&template, &lead).expect("sent").expect("something");
    assert!(found.contains(r#""amount":312450.10"#), "{found}");
    assert_eq!(
        serde_json::from_str::<Value>(&found).expect("JSON"),
        json!({
            "auth": "Bearer s3cret", "name": "José", "phone": "3035550101", "score": "712",
            "loan": { "amount": 312_450.1 }, "year": 2020, "va": "Yes",
            "tags": ["baton", "leadsource"], "ok": true, "braces": "{x}",
        })
    );
}

#[test]
fn a_chosen_value_has_a_default_a_condition_and_may_be_required() {
    let mut lead = lead("{}");
    let email = json!({ "email": { "$value": "{email}", "default": "none@example.com" } });
    assert_eq!(rendered(&email, &lead), Ok(Some(r#"{"email":"none@example.com"}"#.to_owned())));
    let only = json!({ "$value": "yes", "when": { "field": "state", "in": ["CO"] } });
    assert_eq!(rendered(&only, &lead), Ok(None));
    lead.state = Some("CO".to_owned());
    assert_eq!(rendered(&only, &lead), Ok(Some("\"yes\"".to_owned())));
    let required = json!({ "z": { "$value": "{zip}", "required": true } });
    assert_eq!(rendered(&required, &lead), Err(Hold::FieldMissing("zip".to_owned())));
}

#[test]
fn a_template_that_cannot_be_filled_is_refused_with_its_place() {
    for (template, words) in [
        (json!({ "a": { "b": "{fist_name}" } }), "a: b: a lead has no field `fist_name`"),
        (json!("{phone|shout}"), "no filter `shout`"),
        (json!("{phone"), "without its partner"),
        (json!("phone}"), "without its partner"),
        (json!({ "$value": "{phone}", "defualt": 1 }), "not `defualt`"),
        (json!({ "$value": "{phone}", "when": {} }), "empty"),
    ] {
        let error = Template::parse(&template).expect_err("refused");
        assert!(error.contains(words), "{error}");
    }
    let mut deep = json!("x");
    for _ in 0..40 {
        deep = json!([deep]);
    }
    assert!(Template::parse(&deep).expect_err("refused").contains("nested"));
}

#[test]
fn a_form_names_what_is_nested() {
    let template =
        Template::parse(&json!({ "a": "x y", "b": { "c": 1 }, "d": ["e", "f"] })).expect("a template");
    let lead = lead("{}");
    let found = template.render(Values { lead: &lead, secrets: &BTreeMap::new(), key: None });
    let pairs = found.expect("sent").expect("something").to_pairs();
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("a", "x y"), ("b[c]", "1"), ("d[]", "e"), ("d[]", "f")]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_rendered_is_json(text in ".{0,40}", first in ".{0,20}") {
        let mut lead = lead("{}");
        lead.first_name = Some(first);
        for text in [text.clone(), format!("{{first_name}}{text}"), format!("{text} {{first_name|upper}}")] {
            if let Ok(template) = Template::parse(&json!({ "a": text })) {
                let found = template.render(Values { lead: &lead, secrets: &BTreeMap::new(), key: None });
                if let Ok(Some(rendered)) = found {
                    prop_assert!(serde_json::from_str::<Value>(&rendered.to_json()).is_ok());
                }
            }
        }
    }
}
