//! What a payload is made of, and the body for kind `webhook`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::LeadId;

/// A lead as a payload needs it: the columns of its row, details by name.
///
/// A detail is kept as the JSON text that is stored, so that an exact decimal leaves as it came and
/// never goes through binary floating point.
#[derive(Debug, Clone)]
pub struct LeadFacts {
    /// Baton's id, by which reconciliation finds the lead in the destination.
    pub id: LeadId,
    /// The source's slug.
    pub source: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// The source's own id.
    pub external_id: Option<String>,
    /// The tenant's label.
    pub lead_type: Option<String>,
    /// `file`, `api`, `web`, `sms` or `voice`.
    pub channel: String,
    /// Given names.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Digits.
    pub phone_ext: Option<String>,
    /// E.164 each.
    pub alt_phones: Vec<String>,
    /// Lower case.
    pub email: Option<String>,
    /// Lower case each.
    pub alt_emails: Vec<String>,
    /// Street line.
    pub address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Two upper-case letters.
    pub state: Option<String>,
    /// Five digits.
    pub zip: Option<String>,
    /// The four digits after the dash.
    pub zip4: Option<String>,
    /// Further fields of the catalogue.
    pub details: BTreeMap<String, Box<RawValue>>,
}

/// A lead that cannot be sent to this destination as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// Bonzo refuses a prospect without a first name, and the destination names no fallback.
    #[error(
        "Bonzo requires a first name and this lead has none; \
         give the lead one, or the destination a fallback, and retry"
    )]
    FirstNameMissing,
    /// The destination's template requires a value that the lead does not have.
    #[error("the destination requires `{0}` and this lead has none; give the lead one and retry")]
    FieldMissing(String),
}

/// The type of the one message that kind `webhook` sends.
pub const LEAD_ACCEPTED: &str = "lead.accepted";

/// The body for kind `webhook` (Standard Webhooks 1.0.0: `type`, `timestamp`, `data`).
///
/// The timestamp is that of the event, the lead's receipt, and not of the attempt: while the lead is
/// not revised, every attempt sends the same bytes. What the mapping does not name stays here: it is
/// unbounded, and nobody asked for it.
pub fn webhook(lead: &LeadFacts) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        timestamp: String,
        data: Data<'a>,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        lead_id: LeadId,
        source: &'a str,
        channel: &'a str,
        received_at: String,
        external_id: Option<&'a str>,
        lead_type: Option<&'a str>,
        first_name: Option<&'a str>,
        last_name: Option<&'a str>,
        phone: Option<&'a str>,
        phone_ext: Option<&'a str>,
        alt_phones: &'a [String],
        email: Option<&'a str>,
        alt_emails: &'a [String],
        address: Option<&'a str>,
        city: Option<&'a str>,
        state: Option<&'a str>,
        zip: Option<&'a str>,
        zip4: Option<&'a str>,
        details: &'a BTreeMap<String, Box<RawValue>>,
    }
    let received_at = lead.received_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let message = Message {
        kind: LEAD_ACCEPTED,
        timestamp: received_at.clone(),
        data: Data {
            lead_id: lead.id,
            source: &lead.source,
            channel: &lead.channel,
            received_at,
            external_id: lead.external_id.as_deref(),
            lead_type: lead.lead_type.as_deref(),
            first_name: lead.first_name.as_deref(),
            last_name: lead.last_name.as_deref(),
            phone: lead.phone.as_deref(),
            phone_ext: lead.phone_ext.as_deref(),
            alt_phones: &lead.alt_phones,
            email: lead.email.as_deref(),
            alt_emails: &lead.alt_emails,
            address: lead.address.as_deref(),
            city: lead.city.as_deref(),
            state: lead.state.as_deref(),
            zip: lead.zip.as_deref(),
            zip4: lead.zip4.as_deref(),
            details: &lead.details,
        },
    };
    serde_json::to_string(&message).expect("strings, lists and JSON text always serialise")
}

/// A number of the North American plan as ten digits, any other as it is.
pub fn ten_digits(phone: &str) -> &str {
    match phone.strip_prefix("+1") {
        Some(digits) if digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()) => digits,
        _ => phone,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A lead with the given details and nothing optional.
    pub(crate) fn lead(details: &str) -> LeadFacts {
        LeadFacts {
            id: "lead_01jd2wq7x8e0hbrvy3k6m9f4tz".parse().expect("an id"),
            source: "leadsource".to_owned(),
            received_at: DateTime::from_timestamp(1_795_176_000, 0).expect("a valid time"),
            external_id: None,
            lead_type: None,
            channel: "file".to_owned(),
            first_name: None,
            last_name: None,
            phone: None,
            phone_ext: None,
            alt_phones: Vec::new(),
            email: None,
            alt_emails: Vec::new(),
            address: None,
            city: None,
            state: None,
            zip: None,
            zip4: None,
            details: serde_json::from_str(details).expect("details are an object"),
        }
    }

    #[test]
    fn a_webhook_carries_the_lead_as_it_is_kept() {
        let mut lead = lead(r#"{"mortgage_balance":312450.55,"va_eligible":true}"#);
        lead.first_name = Some("José".to_owned());
        lead.phone = Some("+13035550101".to_owned());
        let body: serde_json::Value = serde_json::from_str(&webhook(&lead)).expect("JSON");
        assert_eq!(body["type"], "lead.accepted");
        assert_eq!(body["timestamp"], "2026-11-20T12:00:00.000Z");
        assert_eq!(body["data"]["lead_id"], "lead_01jd2wq7x8e0hbrvy3k6m9f4tz");
        assert_eq!(body["data"]["phone"], "+13035550101");
        assert_eq!(body["data"]["email"], serde_json::Value::Null);
        assert_eq!(body["data"]["details"]["va_eligible"], true);
        assert_eq!(webhook(&lead), webhook(&lead.clone()), "a retry sends the same bytes");
    }

    #[test]
    fn a_decimal_leaves_with_every_digit() {
        let lead = lead(r#"{"loan_amount":123456789012345678.10}"#);
        assert!(webhook(&lead).contains(r#""loan_amount":123456789012345678.10"#));
    }

    #[test]
    fn only_north_american_numbers_lose_their_prefix() {
        assert_eq!(ten_digits("+13035550101"), "3035550101");
        assert_eq!(ten_digits("+442079460958"), "+442079460958");
        assert_eq!(ten_digits("+1303555"), "+1303555");
    }
}
