//! The body for kind `bonzo`: one flat JSON object in the names that Bonzo's own parsers recognise.
//!
//! Source: formats.md §1. Bonzo drops an unknown key silently and refuses a prospect without a first
//! name. It wants some numbers bare and some as text; what it has no name for goes as `custom_<name>`,
//! where a user's mapping can pick it up. `lead_id` is Baton's own id, so that reconciliation finds the
//! prospect again; `external_id` is the source's.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::payload::{Hold, LeadFacts, ten_digits};

/// How Bonzo wants a value written.
#[derive(Clone, Copy)]
enum Form {
    /// As JSON text, `"725"`.
    Text,
    /// As it is: a bare number, a boolean, or text.
    Bare,
}

/// Our name of a detail, Bonzo's name, and the form that it wants.
const NAMES: [(&str, &str, Form); 35] = [
    ("application_date", "application_date", Form::Text),
    ("bankruptcy", "bankruptcy_details", Form::Text),
    ("bankruptcy_details", "bankruptcy_details", Form::Text),
    ("birthday", "birthday", Form::Text),
    ("cash_out_amount", "cash_out_amount", Form::Bare),
    ("credit_score", "credit_score", Form::Text),
    ("date_of_birth", "birthday", Form::Text),
    ("down_payment", "down_payment", Form::Bare),
    ("foreclosure", "foreclosure_details", Form::Text),
    ("foreclosure_details", "foreclosure_details", Form::Text),
    ("found_home", "found_home", Form::Bare),
    ("home_phone", "home_phone", Form::Text),
    ("household_income", "household_income", Form::Bare),
    ("interest_rate", "interest_rate", Form::Bare),
    ("loan_amount", "loan_amount", Form::Bare),
    ("loan_balance", "loan_balance", Form::Text),
    ("loan_program", "loan_program", Form::Text),
    ("loan_purpose", "loan_purpose", Form::Text),
    ("loan_term", "loan_term", Form::Text),
    ("loan_type", "loan_type", Form::Text),
    ("marital_status", "marital_status", Form::Text),
    ("mortgage_balance", "loan_balance", Form::Text),
    ("mortgage_rate", "interest_rate", Form::Bare),
    ("notes", "notes", Form::Text),
    ("property_address", "property_address", Form::Text),
    ("property_city", "property_city", Form::Text),
    ("property_county", "property_county", Form::Text),
    ("property_state", "property_state", Form::Text),
    ("property_type", "property_type", Form::Text),
    ("property_use", "property_use", Form::Text),
    ("property_value", "property_value", Form::Bare),
    ("property_zip", "property_zip", Form::Text),
    ("purchase_price", "purchase_price", Form::Text),
    ("va_eligible", "veteran", Form::Bare),
    ("work_phone", "work_phone", Form::Text),
];

/// The body for that lead, or why it cannot be sent.
///
/// `first_name_fallback` is the destination's; a blank one is none.
pub fn body(lead: &LeadFacts, first_name_fallback: Option<&str>) -> Result<String, Hold> {
    let named = |text: &Option<String>| text.as_deref().map(str::trim).is_some_and(|name| !name.is_empty());
    let fallback = first_name_fallback.map(str::trim).filter(|name| !name.is_empty());
    let first_name = if named(&lead.first_name) { lead.first_name.as_deref() } else { fallback };
    let first_name = first_name.ok_or(Hold::FirstNameMissing)?;

    let mut flat = Flat(Vec::with_capacity(24));
    flat.text("first_name", Some(first_name));
    flat.text("last_name", lead.last_name.as_deref());
    flat.text("email", lead.email.as_deref());
    flat.text("phone", lead.phone.as_deref().map(ten_digits));
    flat.text("address", lead.address.as_deref());
    flat.text("city", lead.city.as_deref());
    flat.text("state", lead.state.as_deref());
    flat.text("zip", lead.zip.as_deref());
    flat.text("external_id", lead.external_id.as_deref());
    flat.text("lead_id", Some(&lead.id.to_string()));
    flat.text("lead_source", Some(&lead.source));
    for (name, value) in &lead.details {
        flat.detail(name, value);
    }
    flat.text("custom_lead_type", lead.lead_type.as_deref());
    flat.text("custom_phone_ext", lead.phone_ext.as_deref());
    flat.text("custom_zip4", lead.zip4.as_deref());
    let alternates = lead.alt_phones.iter().map(|phone| ten_digits(phone)).collect::<Vec<_>>().join(", ");
    flat.text("custom_alt_phones", Some(&alternates));
    flat.text("custom_alt_emails", Some(&lead.alt_emails.join(", ")));
    Ok(flat.finish())
}

/// The members of the object, values already JSON text.
struct Flat(Vec<(String, String)>);

impl Flat {
    /// Blank is absent: an empty text would overwrite what the destination knows.
    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.put(key.to_owned(), Value::from(value).to_string());
        }
    }

    fn detail(&mut self, name: &str, value: &RawValue) {
        let json = value.get();
        if json == "null" || json == "\"\"" {
            return;
        }
        let (key, form) = match NAMES.binary_search_by(|(ours, _, _)| (*ours).cmp(name)) {
            Ok(index) => (NAMES[index].1.to_owned(), NAMES[index].2),
            Err(_) => (format!("custom_{}", name.strip_prefix("custom.").unwrap_or(name)), Form::Bare),
        };
        let text = match form {
            Form::Text if !json.starts_with('"') => Value::from(json).to_string(),
            _ => json.to_owned(),
        };
        self.put(key, text);
    }

    /// The first of two values for one key stays: a doubled key in JSON means whatever the reader likes.
    fn put(&mut self, key: String, json: String) {
        if !self.0.iter().any(|(known, _)| *known == key) {
            self.0.push((key, json));
        }
    }

    fn finish(self) -> String {
        let mut out = String::with_capacity(640);
        for (index, (key, json)) in self.0.iter().enumerate() {
            out.push(if index == 0 { '{' } else { ',' });
            out.push_str(&Value::from(key.as_str()).to_string());
            out.push(':');
            out.push_str(json);
        }
        out.push('}');
        out
    }
}

/// The refusal that Bonzo answers a prospect without a first name with, for those who imitate it.
pub fn first_name_refusal() -> Value {
    let mut errors = Map::new();
    errors.insert("first_name".to_owned(), Value::from(vec!["The first name field is required."]));
    Value::Object(Map::from_iter([("errors".to_owned(), Value::Object(errors))]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::payload::tests::lead;
    use super::*;

    fn sent(lead: &LeadFacts) -> Value {
        serde_json::from_str(&body(lead, None).expect("sent")).expect("JSON")
    }

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted_by_key(|(ours, _, _)| *ours), "the search needs it");
    }

    #[test]
    fn a_lead_in_bonzos_names() {
        let mut lead = lead(
            r#"{"mortgage_balance":250000.00,"mortgage_rate":6.5,"property_value":450000.0,"credit_score":712,
                "va_eligible":false,"ltv":55.6,"loan_purpose":"Refinance","found_home":null}"#,
        );
        lead.first_name = Some("Kara".to_owned());
        lead.last_name = Some("O’Neil".to_owned());
        lead.phone = Some("+19705550101".to_owned());
        lead.alt_phones = vec!["+19705550102".to_owned()];
        lead.zip = Some("80301".to_owned());
        lead.external_id = Some("LS-1001".to_owned());
        let expected = serde_json::json!({
            "first_name": "Kara", "last_name": "O’Neil", "phone": "9705550101", "zip": "80301",
            "external_id": "LS-1001", "lead_id": "lead_01jd2wq7x8e0hbrvy3k6m9f4tz", "lead_source": "leadsource",
            "loan_balance": "250000.00", "interest_rate": 6.5, "property_value": 450_000.0, "credit_score": "712",
            "veteran": false, "custom_ltv": 55.6, "loan_purpose": "Refinance",
            "custom_alt_phones": "9705550102",
        });
        assert_eq!(sent(&lead), expected);
    }

    #[test]
    fn a_missing_first_name_takes_the_fallback_or_holds_the_lead() {
        let mut lead = lead("{}");
        assert_eq!(body(&lead, None), Err(Hold::FirstNameMissing));
        assert_eq!(body(&lead, Some("  ")), Err(Hold::FirstNameMissing));
        assert!(body(&lead, Some("Friend")).expect("sent").contains(r#""first_name":"Friend""#));
        lead.first_name = Some(" ".to_owned());
        assert_eq!(body(&lead, None), Err(Hold::FirstNameMissing));
        assert!(Hold::FirstNameMissing.to_string().starts_with("Bonzo requires a first name"));
    }

    #[test]
    fn two_details_of_one_name_are_sent_once() {
        let mut lead = lead(r#"{"loan_balance":"1","mortgage_balance":2}"#);
        lead.first_name = Some("A".to_owned());
        assert_eq!(body(&lead, None).expect("sent").matches("loan_balance").count(), 1);
    }

    proptest! {
        #[test]
        fn whatever_a_lead_holds_the_body_is_one_flat_object(
            first in ".{1,20}", last in ".{0,20}", name in ".{0,12}", text in ".{0,40}", number: i64,
        ) {
            let details = serde_json::json!({ name.clone(): text, "credit_score": number }).to_string();
            let mut lead = lead(&details);
            lead.first_name = Some(first.clone());
            lead.last_name = Some(last);
            if first.trim().is_empty() {
                prop_assert_eq!(body(&lead, None), Err(Hold::FirstNameMissing));
            } else {
                let value = sent(&lead);
                let object = value.as_object().expect("an object");
                prop_assert_eq!(object["first_name"].as_str(), Some(first.as_str()));
                prop_assert!(object.values().all(|value| !value.is_object() && !value.is_array()));
            }
        }
    }
}
