//! Where a value stands in a lead, and the value itself as JSON text.

use std::borrow::Cow;

use serde_json::Value;

use crate::delivery::payload::LeadFacts;

/// Where a value stands in a lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Field(String);

const FIELDS: [&str; 19] = [
    "address",
    "alt_emails",
    "alt_phones",
    "channel",
    "city",
    "email",
    "external_id",
    "first_name",
    "full_name",
    "last_name",
    "lead_id",
    "lead_type",
    "phone",
    "phone_ext",
    "received_at",
    "source",
    "state",
    "zip",
    "zip4",
];

impl Field {
    /// Reads a field's name: a column of the lead, or `details.NAME`.
    pub fn parse(name: &str) -> Result<Self, String> {
        let detail = name.strip_prefix("details.").is_some_and(|detail| !detail.is_empty());
        if detail || FIELDS.contains(&name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!("a lead has no field `{name}`; further fields are written `details.NAME`"))
        }
    }
}

/// A scalar as JSON text.
pub(super) struct Json<'a>(pub(super) Cow<'a, str>);

impl Json<'_> {
    pub(super) fn of_text(text: &str) -> Json<'static> {
        Json(Cow::Owned(Value::from(text).to_string()))
    }

    pub(super) fn into_text(self) -> String {
        if self.0.starts_with('"') {
            serde_json::from_str(&self.0).unwrap_or_default()
        } else {
            self.0.into_owned()
        }
    }
}

/// The value of a field; none when the lead does not have it.
pub(super) fn json_of<'a>(lead: &'a LeadFacts, field: &Field) -> Option<Json<'a>> {
    if let Some(name) = field.0.strip_prefix("details.") {
        let json = lead.details.get(name)?.get();
        return (json != "null" && json != "\"\"").then_some(Json(Cow::Borrowed(json)));
    }
    column(lead, &field.0).filter(|text| !text.is_empty()).map(|text| Json::of_text(&text))
}

/// The text of a field; none when the lead does not have it.
pub(in crate::delivery) fn text_of(lead: &LeadFacts, field: &Field) -> Option<String> {
    json_of(lead, field).map(Json::into_text)
}

fn column<'a>(lead: &'a LeadFacts, name: &str) -> Option<Cow<'a, str>> {
    let borrowed = match name {
        "address" => &lead.address,
        "city" => &lead.city,
        "email" => &lead.email,
        "external_id" => &lead.external_id,
        "first_name" => &lead.first_name,
        "last_name" => &lead.last_name,
        "lead_type" => &lead.lead_type,
        "phone" => &lead.phone,
        "phone_ext" => &lead.phone_ext,
        "state" => &lead.state,
        "zip" => &lead.zip,
        "zip4" => &lead.zip4,
        "channel" => return Some(Cow::Borrowed(&lead.channel)),
        "source" => return Some(Cow::Borrowed(&lead.source)),
        "lead_id" => return Some(Cow::Owned(lead.id.to_string())),
        "received_at" => {
            return Some(Cow::Owned(lead.received_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
        }
        "full_name" => {
            let names = [lead.first_name.as_deref(), lead.last_name.as_deref()];
            return Some(Cow::Owned(names.into_iter().flatten().collect::<Vec<_>>().join(" ")));
        }
        "alt_phones" => return Some(Cow::Owned(lead.alt_phones.join(", "))),
        "alt_emails" => return Some(Cow::Owned(lead.alt_emails.join(", "))),
        _ => return None,
    };
    borrowed.as_deref().map(Cow::Borrowed)
}
