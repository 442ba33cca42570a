//! Which leads a policy is about.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most values of one list, and the most lists of fields.
const VALUES_MAX: usize = 200;
const FIELDS_MAX: usize = 20;

/// All of these must hold; an empty list holds for every lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Ids of sources.
    pub sources: Vec<Uuid>,
    /// The tenant's labels, as the lead has them; case does not matter.
    pub lead_types: Vec<String>,
    /// Two letters.
    pub states: Vec<String>,
    /// Campaigns, by the lead's field `campaign` or `custom.campaign`.
    pub campaigns: Vec<String>,
    /// How they arrived: `file`, `api`, `web`, `sms`, `voice`.
    pub channels: Vec<String>,
    /// Further fields of the lead.
    pub fields: Vec<FieldIs>,
}

/// A further field that must have one of these values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldIs {
    /// The field of the catalogue, or `custom.<name>`.
    pub field: String,
    /// One of these, as text; case does not matter.
    pub is: Vec<String>,
}

/// What of a lead conditions look at.
pub struct Facts<'a> {
    /// The source's id.
    pub source: Uuid,
    /// The tenant's label.
    pub lead_type: Option<&'a str>,
    /// Two letters.
    pub state: Option<&'a str>,
    /// The campaign.
    pub campaign: Option<&'a str>,
    /// How it arrived.
    pub channel: &'a str,
    /// A further field as text.
    pub field: &'a dyn Fn(&str) -> Option<String>,
}

/// A list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionsError {
    /// Which list.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Conditions {
    /// Refuses what is too long to be meant, or can never hold.
    pub fn check(&self) -> Result<(), ConditionsError> {
        let wrong = |field, message: String| Err(ConditionsError { field, message });
        let lists = [
            ("lead_types", &self.lead_types),
            ("states", &self.states),
            ("campaigns", &self.campaigns),
            ("channels", &self.channels),
        ];
        for (field, list) in lists {
            if list.len() > VALUES_MAX {
                return wrong(field, format!("a condition has at most {VALUES_MAX} values"));
            }
            if list.iter().any(|value| value.trim().is_empty() || value.len() > 200) {
                return wrong(field, "a value has 1 to 200 characters".to_owned());
            }
        }
        if self.sources.len() > VALUES_MAX {
            return wrong("sources", format!("a condition has at most {VALUES_MAX} values"));
        }
        if self.fields.len() > FIELDS_MAX
            || self
                .fields
                .iter()
                .any(|one| one.field.is_empty() || one.is.is_empty() || one.is.len() > VALUES_MAX)
        {
            return wrong(
                "fields",
                format!("at most {FIELDS_MAX} fields, each with a name and 1 to {VALUES_MAX} values"),
            );
        }
        Ok(())
    }

    /// Whether the policy is about that lead.
    pub fn hold(&self, lead: &Facts<'_>) -> bool {
        (self.sources.is_empty() || self.sources.contains(&lead.source))
            && one_of(&self.lead_types, lead.lead_type)
            && one_of(&self.states, lead.state)
            && one_of(&self.campaigns, lead.campaign)
            && one_of(&self.channels, Some(lead.channel))
            && self.fields.iter().all(|one| one_of(&one.is, (lead.field)(&one.field).as_deref()))
    }
}

fn one_of(wanted: &[String], value: Option<&str>) -> bool {
    wanted.is_empty()
        || value.is_some_and(|value| {
            wanted.iter().any(|one| one.trim().to_lowercase() == value.trim().to_lowercase())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_must_hold_and_an_empty_one_does() {
        let source = Uuid::from_u128(7);
        let vehicle = |name: &str| (name == "vehicle_make").then(|| "Ford".to_owned());
        let lead = Facts {
            source,
            lead_type: Some("Refi"),
            state: Some("CO"),
            campaign: None,
            channel: "api",
            field: &vehicle,
        };
        let list = |value: &str| vec![value.to_owned()];
        assert!(Conditions::default().hold(&lead));
        let all = Conditions {
            sources: vec![source],
            lead_types: list("refi"),
            states: list("CO"),
            channels: list("api"),
            fields: vec![FieldIs { field: "vehicle_make".to_owned(), is: list("ford") }],
            ..Conditions::default()
        };
        assert!(all.hold(&lead));
        for broken in [
            Conditions { sources: vec![Uuid::nil()], ..all.clone() },
            Conditions { lead_types: list("Purchase"), ..all.clone() },
            Conditions { states: list("UT"), ..all.clone() },
            Conditions { campaigns: list("spring"), ..all.clone() },
            Conditions { channels: list("file"), ..all.clone() },
            Conditions {
                fields: vec![FieldIs { field: "vehicle_year".to_owned(), is: list("2020") }],
                ..all.clone()
            },
        ] {
            assert!(!broken.hold(&lead), "{broken:?}");
        }
    }

    #[test]
    fn what_can_never_hold_is_refused() {
        let blank = Conditions { states: vec![" ".to_owned()], ..Conditions::default() };
        assert_eq!(blank.check().unwrap_err().field, "states");
        let empty = FieldIs { field: "vehicle_make".to_owned(), is: Vec::new() };
        assert!(Conditions { fields: vec![empty], ..Conditions::default() }.check().is_err());
        assert!(Conditions::default().check().is_ok());
    }
}
