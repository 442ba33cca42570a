//! A lead as the rules make it and as everything after them reads it.

use chrono::NaiveDate;
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// A clean lead: every value is normalised, what could not be read is absent.
///
/// Contact data has a field of its own; what a line of business adds (a loan, a vehicle) stands in
/// [`Lead::details`] under the name of the field catalogue, so that a new field needs no migration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lead {
    /// The source's own id of the lead, trimmed; `LS-1001`.
    pub external_id: Option<CompactString>,
    /// The tenant's label: `Refi`, `RDVVQ`, `Referral`.
    pub lead_type: Option<CompactString>,
    /// How it arrived when the record itself says so: `sms`, `voice`.
    pub channel: Option<CompactString>,
    /// Given names, recased when they came in one case only.
    pub first_name: Option<CompactString>,
    /// Family name, recased when it came in one case only.
    pub last_name: Option<CompactString>,
    /// Primary phone, E.164: `+13035550101`.
    pub phone: Option<CompactString>,
    /// Extension of the primary phone, digits.
    pub phone_ext: Option<CompactString>,
    /// Further distinct phones, E.164, in the order of the record.
    pub alt_phones: Vec<CompactString>,
    /// Primary e-mail, trimmed, lower case.
    pub email: Option<CompactString>,
    /// Further distinct e-mails.
    pub alt_emails: Vec<CompactString>,
    /// Street line, USPS Publication 28 abbreviations, title case.
    pub address: Option<CompactString>,
    /// City, title case.
    pub city: Option<CompactString>,
    /// Two upper-case letters.
    pub state: Option<CompactString>,
    /// Five digits.
    pub zip: Option<CompactString>,
    /// The four digits after a ZIP's dash.
    pub zip4: Option<CompactString>,
    /// Further fields of the catalogue, each at most once, in the order of their names; absent when unknown.
    pub details: Vec<(CompactString, Value)>,
    /// What the mapping does not name, and the raw text of what could not be read, under the source's own names and in
    /// their order. Of two equal names in a header, the second is `Name (2)`.
    pub extra: Vec<(CompactString, CompactString)>,
}

impl Lead {
    /// The detail of that name.
    pub fn detail(&self, name: &str) -> Option<&Value> {
        self.details.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A typed value of a field. Money and rates are exact decimals, never binary floating point.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Yes or no; an unknown answer is an absent field, not `false`.
    Boolean(bool),
    /// A whole number, such as a credit score.
    Integer(i64),
    /// An exact decimal, such as a balance in the source's currency or a rate in percent.
    Decimal(Decimal),
    /// A calendar day, ISO 8601 in text.
    Date(NaiveDate),
    /// Anything else.
    Text(CompactString),
}

impl Serialize for Value {
    /// As plain JSON; a decimal is a number with exactly its digits when it is written as text by `serde_json`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Decimal(value) => {
                let digits = RawValue::from_string(value.to_string()).map_err(serde::ser::Error::custom)?;
                digits.serialize(serializer)
            }
            Self::Date(value) => serializer.collect_str(value),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

/// One thing wrong with one field of a record: a reason to refuse it, or a warning beside an accepted lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The target field, as in `credit_score`; `record` when it concerns the whole.
    pub field: CompactString,
    /// A stable code in upper case, as in `MISSING_CONTACT`.
    pub code: CompactString,
    /// One sentence that says what is wrong and what would be right. Never the value itself.
    pub message: CompactString,
    /// The text as it was sent, capped at 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<CompactString>,
}

/// Where a lead stands, derived from its deliveries and stored nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No destination wants it: there is none, or a rule of its own stopped it.
    Accepted,
    /// On its way to at least one destination.
    Pending,
    /// Every destination has it.
    Delivered,
    /// Waits for a person: something that a destination needs is missing, or nobody knows whether it arrived.
    Held,
    /// A destination refused it, or the attempts are used up.
    Failed,
}

impl Status {
    /// From the states of its deliveries: the one that needs a person most decides.
    pub fn of<'a>(states: impl IntoIterator<Item = &'a str>) -> Self {
        states.into_iter().fold(Self::Accepted, |status, state| {
            let next = match state {
                "failed" => Self::Failed,
                "held" | "unknown" => Self::Held,
                "rejected" => Self::Accepted,
                "delivered" => Self::Delivered,
                _ => Self::Pending,
            };
            if next.urgency() > status.urgency() { next } else { status }
        })
    }

    fn urgency(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Delivered => 1,
            Self::Pending => 2,
            Self::Held => 3,
            Self::Failed => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn the_delivery_that_needs_a_person_most_decides() {
        let table: [(&[&str], Status); 9] = [
            (&["rejected"], Status::Accepted),
            (&["rejected", "delivered"], Status::Delivered),
            (&["delivered", "unknown"], Status::Held),
            (&[], Status::Accepted),
            (&["delivered"], Status::Delivered),
            (&["delivered", "pending"], Status::Pending),
            (&["pending", "held", "delivered"], Status::Held),
            (&["failed", "held"], Status::Failed),
            (&["delivered", "failed"], Status::Failed),
        ];
        for (states, status) in table {
            assert_eq!(Status::of(states.iter().copied()), status, "{states:?}");
        }
    }
}
