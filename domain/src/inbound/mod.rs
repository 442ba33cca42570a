//! Reports of a destination about its leads (S003-26): what a body says, in the journey's own words.
//!
//! A report names a lead by whatever its sender knows of it, and says where the lead stands, or that its person wants no more contact. The
//! words of each service are mapped to steps; what is not mapped changes nothing and is kept.

use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::Value;

use crate::journey::Step;

mod bonzo;
mod confirm;
mod links;
mod words;

pub use confirm::{Confirmed, confirm};
pub use links::{Links, Named, owner};
use words::Words;
pub use words::{StatusMap, StatusMapError};

/// The largest report that is taken, in bytes. Standard Webhooks asks for less than 20 kB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bonzo's event hooks, known by a static code.
    Bonzo,
    /// Any service that signs by Standard Webhooks 1.0.0.
    Standard,
    /// NPA's status of a lead, known by a static code.
    Npa,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Bonzo, Self::Standard, Self::Npa];

    /// As it is stored and written on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bonzo => "bonzo",
            Self::Standard => "standard",
            Self::Npa => "npa",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The header that carries the static code; none where a signature does.
    pub const fn code_header(self) -> Option<&'static str> {
        match self {
            Self::Bonzo => Some("x-bonzo-code"),
            Self::Npa => Some("x-webhook-code"),
            Self::Standard => None,
        }
    }
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What the sender knows the lead by.
    pub about: About,
    /// When it happened, by the sender's clock; none when the report does not say.
    pub at: Option<DateTime<Utc>>,
    /// Where the lead stands.
    pub steps: Vec<Step>,
    /// The person wants no more contact.
    pub opted_out: bool,
    /// In the sender's own words, for people; never a lead's data.
    pub said: String,
    /// Whose the lead is there, and in which campaigns, where the report says so.
    pub links: Links,
}

/// By what a lead is looked for, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The destination's own id of it.
    pub remote_id: Option<String>,
    /// Baton's id, when the sender gives it back.
    pub lead_id: Option<String>,
    /// The source's id.
    pub external_id: Option<String>,
    /// As it was sent.
    pub phone: Option<String>,
    /// As it was sent.
    pub email: Option<String>,
}

/// Why a body is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No JSON object.
    #[error("the body must be a JSON object")]
    NoObject,
    /// Nothing names a lead.
    #[error("the report names no lead: no id, no phone, no e-mail")]
    NoLead,
}

/// What that body says; the sender's own words mean what the map says, beside the usual ones.
pub fn read(kind: Kind, body: &str, map: &StatusMap) -> Result<Report, Unreadable> {
    let words = Words(map);
    let value: Value = serde_json::from_str(body).map_err(|_| Unreadable::NoObject)?;
    if !value.is_object() {
        return Err(Unreadable::NoObject);
    }
    let report = match kind {
        Kind::Bonzo => bonzo::read(&value, words),
        Kind::Standard => standard(&value, words),
        Kind::Npa => npa(&value, words),
    };
    if report.about == About::default() { Err(Unreadable::NoLead) } else { Ok(report) }
}

/// What tells two messages of a sender that gives them no id apart: Bonzo's event, prospect and time of change; else nothing, and the body
/// itself decides.
pub fn message_id(kind: Kind, body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    match kind {
        Kind::Bonzo => bonzo::message_id(&value),
        Kind::Standard | Kind::Npa => None,
    }
}

/// `{"type": "lead.contacted", "timestamp": …, "data": {"id", "lead_id", "external_id", "phone", "email", "status"}}`.
fn standard(value: &Value, words: Words<'_>) -> Report {
    let data = value.get("data").unwrap_or(value);
    let event = text(value, "type").unwrap_or_default();
    let status =
        text(data, "status").unwrap_or_else(|| event.rsplit('.').next().unwrap_or_default().to_owned());
    let mut report = Report {
        about: about(data, &["id", "remote_id"]),
        at: time(value.get("timestamp")).or_else(|| time(data.get("at"))),
        said: said(&[&event, &status]),
        ..Report::default()
    };
    words.apply(&mut report, &status);
    report
}

/// `{"recordID": …, "status": …, "refNumber": …, "updatedAt": …}`: the names of NPA's own reply (formats: NPA). Not documented by NPA;
/// hence both spellings of each.
fn npa(value: &Value, words: Words<'_>) -> Report {
    let status = text(value, "status").or_else(|| text(value, "leadStatus")).unwrap_or_default();
    let mut about = about(value, &["recordID", "recordId", "record_id"]);
    about.external_id =
        about.external_id.or_else(|| text(value, "refNumber")).or_else(|| text(value, "ref_number"));
    let at = ["updatedAt", "timestamp", "updated_at"].iter().find_map(|name| time(value.get(*name)));
    let mut report = Report { about, at, said: said(&[&status]), ..Report::default() };
    words.apply(&mut report, &status);
    report
}

fn about(value: &Value, ids: &[&str]) -> About {
    About {
        remote_id: ids.iter().find_map(|name| text(value, name)),
        lead_id: text(value, "lead_id"),
        external_id: text(value, "external_id"),
        phone: text(value, "phone"),
        email: text(value, "email"),
    }
}

/// Text, or a number as text: ids come as either.
fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) if !text.trim().is_empty() && text.chars().count() <= 320 => {
            Some(text.trim().to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// RFC 3339, `2026-11-20 12:00:00` in UTC, or Unix seconds or milliseconds.
fn time(value: Option<&Value>) -> Option<DateTime<Utc>> {
    match value? {
        Value::String(text) => {
            DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc)).ok().or_else(|| {
                chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|at| at.and_utc())
            })
        }
        Value::Number(number) => {
            let number = number.as_i64()?;
            // Seconds until the year 5138, milliseconds beyond.
            let at = if number < 100_000_000_000 {
                Utc.timestamp_opt(number, 0)
            } else {
                Utc.timestamp_millis_opt(number)
            };
            at.single()
        }
        _ => None,
    }
}

fn said(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Option<DateTime<Utc>> {
        text.parse().ok()
    }

    #[test]
    fn a_standard_report() {
        let body = json!({"type": "lead.contacted", "timestamp": "2026-11-20T12:00:00Z",
                          "data": {"id": "p-7", "lead_id": "lead_01", "email": "ada@example.com"}});
        let report = read(Kind::Standard, &body.to_string(), &StatusMap::default()).expect("a report");
        assert_eq!(report.about.remote_id.as_deref(), Some("p-7"));
        assert_eq!((report.at, &report.steps[..]), (at("2026-11-20T12:00:00Z"), &[Step::Contacted][..]));
        assert_eq!(report.said, "lead.contacted contacted");
        let body = json!({"type": "lead.status", "data": {"id": 7, "status": "Opted-Out"}});
        let report = read(Kind::Standard, &body.to_string(), &StatusMap::default()).expect("a report");
        assert!(report.opted_out && report.steps.is_empty() && report.at.is_none());
    }

    #[test]
    fn a_status_of_npa() {
        let body = json!({"recordID": "88001", "status": "Sold", "updatedAt": 1_795_176_000});
        let report = read(Kind::Npa, &body.to_string(), &StatusMap::default()).expect("a report");
        assert_eq!(report.about.remote_id.as_deref(), Some("88001"));
        assert_eq!((report.at, &report.steps[..]), (at("2026-11-20T12:00:00Z"), &[Step::Sold][..]));
        let unknown = read(Kind::Npa, r#"{"refNumber":"901","status":"Pondering"}"#, &StatusMap::default())
            .expect("a report");
        assert_eq!(unknown.about.external_id.as_deref(), Some("901"));
        assert!(unknown.steps.is_empty() && !unknown.opted_out);
    }

    #[test]
    fn what_is_no_report_says_so() {
        for (body, why) in [
            ("", Unreadable::NoObject),
            ("[]", Unreadable::NoObject),
            ("{}", Unreadable::NoLead),
            (r#"{"status":"sold"}"#, Unreadable::NoLead),
        ] {
            for kind in Kind::ALL {
                assert_eq!(read(kind, body, &StatusMap::default()), Err(why), "{kind:?} {body}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_much(body in ".{0,200}", status in ".{0,30}") {
            for kind in Kind::ALL {
                let _ = read(kind, &body, &StatusMap::default());
                let _ = message_id(kind, &body);
                let record = json!({"id": "x", "recordID": "x", "status": status, "prospect": {"id": 1, "status": status}});
                let _ = read(kind, &record.to_string(), &StatusMap::default());
            }
        }
    }
}
