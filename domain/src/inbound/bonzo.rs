//! Bonzo's event hooks: `{event, prospect, additional, resource}`. No signature, time or id of the message: the code is all.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::words::Words;
use super::{Links, Report, about, links, said, text, time};
use crate::journey::Step;

pub(super) fn read(value: &Value, words: Words<'_>) -> Report {
    let event = text(value, "event").unwrap_or_default();
    let Some(prospect) = value.get("prospect").filter(|prospect| prospect.is_object()) else {
        return Report::default();
    };
    let mut report = Report {
        about: about(prospect, &["id"]),
        at: time(prospect.get("updated_at")).or_else(|| time(prospect.get("created_at"))),
        said: said(&[&event]),
        links: links::read(prospect),
        ..Report::default()
    };
    match event.as_str() {
        "prospects.created" => {
            report.steps.push(Step::Submitted);
            report.at = time(prospect.get("created_at")).or(report.at);
        }
        // A message that the team has sent, or a call that it made.
        sent if sent.starts_with("messages.outgoing") || sent.starts_with("calls.outgoing") => {
            report.steps.push(Step::Contacted);
            report.at = time(prospect.get("last_contact")).or(report.at);
        }
        _ => {}
    }
    if let Some(status) = text(prospect, "status") {
        words.apply(&mut report, &status);
    }
    report.opted_out |= prospect.get("dnc").is_some_and(is_true);
    report
}

/// What the API's prospect says, in the same terms: where it stands, whether and when somebody was in touch, what its person wants.
pub(super) struct Prospect {
    pub about: super::About,
    /// Where it stands, when its status is a word that is known.
    pub step: Option<Step>,
    /// Its status, as it is written.
    pub status: Option<String>,
    /// The last time that somebody was in touch.
    pub contact: Contact,
    /// Whether its person wants no more contact; none: the API does not say.
    pub opted_out: Option<bool>,
    pub links: Links,
}

/// What is said of somebody being in touch.
#[derive(Clone, Copy)]
pub(super) enum Contact {
    /// Nothing.
    Unsaid,
    /// There was no contact.
    Never,
    /// The last one.
    Last(DateTime<Utc>),
}

pub(super) fn prospect(value: &Value, words: Words<'_>) -> Prospect {
    let status = text(value, "status");
    let mut said = Report::default();
    if let Some(status) = &status {
        words.apply(&mut said, status);
    }
    let dnc = value.get("dnc").filter(|dnc| !dnc.is_null()).map(is_true);
    Prospect {
        about: about(value, &["id"]),
        step: said.steps.first().copied(),
        status,
        contact: match value.get("last_contact") {
            None => Contact::Unsaid,
            Some(at) => time(Some(at)).map_or(Contact::Never, Contact::Last),
        },
        opted_out: if said.opted_out { Some(true) } else { dnc },
        links: links::read(value),
    }
}

pub(super) fn message_id(value: &Value) -> Option<String> {
    let prospect = value.get("prospect")?;
    Some(format!("{}:{}:{}", text(value, "event")?, text(prospect, "id")?, text(prospect, "updated_at")?))
}

/// Bonzo writes booleans as such, as 0 and 1, and as text.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => matches!(text.trim(), "1" | "true" | "yes"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Kind, StatusMap, message_id, read};
    use super::*;

    #[test]
    fn events_become_steps() {
        let hook = |event: &str, more: Value| {
            let mut prospect =
                json!({"id": 4711, "phone": "+19705550101", "updated_at": "2026-11-20T12:00:00Z"});
            prospect.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let body = json!({"event": event, "prospect": prospect}).to_string();
            read(Kind::Bonzo, &body, &StatusMap::default()).expect("a report")
        };
        assert_eq!(hook("prospects.created", json!({})).steps, [Step::Submitted]);
        let sent = hook("messages.outgoing.updated", json!({"last_contact": "2026-11-20T11:58:00Z"}));
        assert_eq!(sent.steps, [Step::Contacted]);
        assert_eq!(sent.at.map(|at| at.to_rfc3339()), Some("2026-11-20T11:58:00+00:00".to_owned()));
        assert_eq!(hook("prospects.updated", json!({"status": "Closed Won"})).steps, [Step::Sold]);
        for dnc in [json!(true), json!(1), json!("1")] {
            assert!(hook("prospects.updated", json!({"dnc": dnc})).opted_out);
        }
        assert!(!hook("prospects.updated", json!({"dnc": 0})).opted_out);
    }

    #[test]
    fn the_same_change_has_the_same_id() {
        let body = |at: &str| json!({"event": "e", "prospect": {"id": 1, "updated_at": at}}).to_string();
        assert_eq!(message_id(Kind::Bonzo, &body("a")).as_deref(), Some("e:1:a"));
        assert_ne!(message_id(Kind::Bonzo, &body("a")), message_id(Kind::Bonzo, &body("b")));
        assert_eq!(message_id(Kind::Bonzo, r#"{"event":"e","prospect":{"id":1}}"#), None);
    }
}
