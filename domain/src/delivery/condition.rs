//! Conditions over a lead's fields, as data: rules of rejection and conditional members of a payload.

use serde::{Deserialize, Serialize};

use super::payload::LeadFacts;
use super::template::{self, Field};

/// Holds when everything that it names holds; text is compared without regard to case and outer blanks.
///
/// A comparison with a field that the lead does not have never holds, except `missing`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// All of these hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Condition>,
    /// At least one of these holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Condition>,
    /// This does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Condition>>,
    /// Which field the tests below are about, as a template names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Its text is one of these.
    #[serde(rename = "in", skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// Its text begins with one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    /// Its text contains one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Its number is at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
    /// Its number is at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
    /// The lead does not have it, or (false) has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<bool>,
}

impl Condition {
    /// What is wrong with the condition as it was written; one sentence with the fix.
    pub fn check(&self) -> Result<(), String> {
        let tests = !self.one_of.is_empty()
            || !self.starts_with.is_empty()
            || !self.contains.is_empty()
            || self.at_most.is_some()
            || self.at_least.is_some()
            || self.missing.is_some();
        if let Some(field) = &self.field {
            Field::parse(field)?;
            if !tests {
                return Err(format!(
                    "the condition about `{field}` tests nothing; give it `in`, `starts_with`, `contains`, `at_most`, `at_least` or `missing`"
                ));
            }
        } else if tests {
            return Err("a condition tests something and names no `field`".to_owned());
        } else if self.all.is_empty() && self.any.is_empty() && self.not.is_none() {
            return Err("a condition is empty; an empty one would always hold".to_owned());
        }
        let nested = self.all.iter().chain(&self.any).chain(self.not.as_deref());
        nested.into_iter().try_for_each(Self::check)
    }

    /// Whether it holds for that lead. A condition that [`Condition::check`] refuses never holds.
    pub fn holds(&self, lead: &LeadFacts) -> bool {
        self.all.iter().all(|one| one.holds(lead))
            && (self.any.is_empty() || self.any.iter().any(|one| one.holds(lead)))
            && self.not.as_ref().is_none_or(|one| !one.holds(lead))
            && self.field.as_deref().is_none_or(|field| self.field_holds(lead, field))
    }

    fn field_holds(&self, lead: &LeadFacts, field: &str) -> bool {
        let value = Field::parse(field).ok().and_then(|field| template::text_of(lead, &field));
        if let Some(missing) = self.missing
            && missing != value.is_none()
        {
            return false;
        }
        let Some(value) = value else { return self.missing == Some(true) && self.compares_nothing() };
        let text = value.trim().to_lowercase();
        let among = |words: &[String], holds: fn(&str, &str) -> bool| {
            words.is_empty() || words.iter().any(|word| holds(&text, word.trim().to_lowercase().as_str()))
        };
        let number = text.parse::<i64>().ok();
        among(&self.one_of, |text, word| text == word)
            && among(&self.starts_with, |text, word| text.starts_with(word))
            && among(&self.contains, |text, word| text.contains(word))
            && self.at_most.is_none_or(|limit| number.is_some_and(|number| number <= limit))
            && self.at_least.is_none_or(|limit| number.is_some_and(|number| number >= limit))
    }

    fn compares_nothing(&self) -> bool {
        self.one_of.is_empty()
            && self.starts_with.is_empty()
            && self.contains.is_empty()
            && self.at_most.is_none()
            && self.at_least.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::tests::lead;
    use super::*;

    fn condition(json: &str) -> Condition {
        let condition: Condition = serde_json::from_str(json).expect("a condition");
        condition.check().expect("a sound one");
        condition
    }

    #[test]
    fn each_test_compares_what_it_says() {
        let mut lead = lead(r#"{"vehicle_make":"Harley-Davidson","vehicle_year":1998}"#);
        lead.zip = Some("99501".to_owned());
        for (json, holds) in [
            (r#"{"field":"zip","starts_with":["995","967"]}"#, true),
            (r#"{"field":"zip","starts_with":["10"]}"#, false),
            (r#"{"field":"details.vehicle_make","in":[" harley-davidson "]}"#, true),
            (r#"{"field":"details.vehicle_make","contains":["honda"]}"#, false),
            (r#"{"field":"details.vehicle_year","at_most":1999}"#, true),
            (r#"{"field":"details.vehicle_year","at_least":1999}"#, false),
            (r#"{"field":"zip","at_least":99000,"at_most":99600}"#, true),
            (r#"{"field":"email","missing":true}"#, true),
            (r#"{"field":"email","in":["x"]}"#, false),
            (r#"{"field":"zip","missing":false}"#, true),
            (r#"{"not":{"field":"email","missing":true}}"#, false),
            (r#"{"any":[{"field":"zip","in":["1"]},{"field":"zip","in":["99501"]}]}"#, true),
            (r#"{"all":[{"field":"zip","in":["99501"]},{"field":"state","in":["AK"]}]}"#, false),
        ] {
            assert_eq!(condition(json).holds(&lead), holds, "{json}");
        }
    }

    #[test]
    fn a_condition_that_says_nothing_is_refused() {
        for (json, word) in [
            ("{}", "empty"),
            (r#"{"field":"zip"}"#, "tests nothing"),
            (r#"{"in":["x"]}"#, "names no `field`"),
            (r#"{"field":"zipp","in":["x"]}"#, "zipp"),
            (r#"{"not":{"all":[{}]}}"#, "empty"),
        ] {
            let condition: Condition = serde_json::from_str(json).expect("JSON of the form");
            let error = condition.check().expect_err(json);
            assert!(error.contains(word), "{error}");
        }
    }
}
