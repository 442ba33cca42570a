//! From an answer, or the way a connection failed, to an [`Outcome`].
//!
//! Sources: formats.md §1 (Bonzo) and §7 (Standard Webhooks 1.0.0); RFC 9110 for the statuses.
//! Both kinds are judged by the status alone, so an answer whose body was cut off or too large is
//! still an answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{Kind, Outcome, retry};

/// How long to leave a destination alone that says 429 without saying how long.
pub const RATE_LIMIT_PAUSE: TimeDelta = TimeDelta::seconds(60);

/// Longest reason in characters; a destination's own words are cut to fit.
const REASON_CHARS_MAX: usize = 300;

/// What a destination answered.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After` as it was sent: seconds, or an HTTP date.
    pub retry_after: Option<&'a str>,
    /// As much of the body as was kept, secrets redacted.
    pub body: &'a str,
}

/// How a request failed that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The deadline passed after the connection stood.
    Timeout,
    /// No connection: refused, unreachable, or none in time.
    Connect,
    /// The name has no address.
    Dns,
    /// The certificate or the handshake is wrong.
    Tls,
    /// The name or the URL leads to an address that Baton must not reach.
    PrivateAddress,
    /// The answer is longer than Baton reads. Recorded beside a status; the status decides.
    BodyTooLarge,
    /// The connection broke, or what came is not HTTP.
    Protocol,
}

impl Failure {
    /// The word in the column `delivery_attempt.error_kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::PrivateAddress => "private_address",
            Self::BodyTooLarge => "body_too_large",
            Self::Protocol => "protocol",
        }
    }
}

/// What a request without an answer came to.
pub fn judge_failure(failure: Failure) -> Outcome {
    let again = |reason: &str| Outcome::Retryable { not_before: None, reason: reason.to_owned() };
    let unknown = |reason: &str| Outcome::Unknown { reason: reason.to_owned() };
    match failure {
        Failure::Timeout => unknown("the destination did not answer in time; it may have taken the lead"),
        Failure::Protocol | Failure::BodyTooLarge => {
            unknown("the connection broke before the destination answered; it may have taken the lead")
        }
        Failure::Connect => again("no connection to the destination"),
        Failure::Dns => again("the destination's host name could not be resolved"),
        Failure::Tls => {
            again("no secure connection: the destination's certificate or handshake is not valid")
        }
        Failure::PrivateAddress => Outcome::Refused {
            reason: "the destination's URL leads to a private or special address, which is not allowed here"
                .to_owned(),
        },
    }
}

/// What an answer means for a destination of that kind.
pub fn judge_reply(kind: Kind, reply: &Reply<'_>, now: DateTime<Utc>) -> Outcome {
    let status = reply.status;
    let asked = reply.retry_after.and_then(|text| retry::read_retry_after(text, now));
    let refused = |words: &str| Outcome::Refused { reason: reason(status, words) };
    match status {
        200..=299 => Outcome::Delivered { remote_id: remote_id(kind, reply.body) },
        300..=399 => {
            refused("the destination redirects, and redirects are not followed; give it the final URL")
        }
        401 | 403 => refused("the destination does not accept us; check its URL and credentials"),
        404 => refused("there is no such address at the destination; check its URL"),
        410 => refused("the destination is gone for good; give it a new URL"),
        429 => Outcome::Retryable {
            not_before: Some(asked.unwrap_or(now + RATE_LIMIT_PAUSE)),
            reason: reason(status, "the destination asks for fewer requests"),
        },
        408 | 425 => Outcome::Retryable { not_before: asked, reason: reason(status, "") },
        400..=499 => refused(&own_words(reply.body)),
        // 1xx never reaches us as an answer, 5xx is the destination's trouble, anything else is nobody's standard.
        _ => Outcome::Retryable { not_before: asked, reason: reason(status, "the destination has an error") },
    }
}

fn reason(status: u16, words: &str) -> String {
    if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") }
}

/// What a receiver that answers JSON says is wrong: `errors` by field as Bonzo writes them, or `message`.
fn own_words(body: &str) -> String {
    #[derive(Deserialize)]
    struct Complaint {
        #[serde(default)]
        errors: serde_json::Map<String, serde_json::Value>,
        message: Option<String>,
    }
    let Ok(complaint) = serde_json::from_str::<Complaint>(body) else { return String::new() };
    let mut words = Vec::new();
    for (field, said) in &complaint.errors {
        let said = said.as_array().and_then(|all| all.first()).unwrap_or(said);
        if let Some(said) = said.as_str() {
            words.push(format!("{field}: {said}"));
        }
    }
    let words = if words.is_empty() { complaint.message.unwrap_or_default() } else { words.join(" ") };
    words.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

/// A webhook's receiver may name its own record by answering `{"id": "…"}`; Bonzo's answer is undocumented.
fn remote_id(kind: Kind, body: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(u64),
    }
    #[derive(Deserialize)]
    struct Named {
        id: Id,
    }
    if kind != Kind::Webhook || !body.starts_with('{') {
        return None;
    }
    let id = match serde_json::from_str::<Named>(body).ok()?.id {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    };
    (!id.is_empty() && id.len() <= 200 && !id.contains(char::is_control)).then_some(id)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).single().expect("a valid time")
    }

    fn judged(kind: Kind, status: u16, retry_after: Option<&str>, body: &str) -> Outcome {
        judge_reply(kind, &Reply { status, retry_after, body }, now())
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        let table = [
            (200, "delivered"),
            (201, "delivered"),
            (204, "delivered"),
            (301, "refused"),
            (307, "refused"),
            (400, "refused"),
            (401, "refused"),
            (403, "refused"),
            (404, "refused"),
            (408, "retryable"),
            (409, "refused"),
            (410, "refused"),
            (422, "refused"),
            (425, "retryable"),
            (429, "retryable"),
            (500, "retryable"),
            (502, "retryable"),
            (503, "retryable"),
            (504, "retryable"),
        ];
        for kind in [Kind::Bonzo, Kind::Webhook] {
            for (status, outcome) in table {
                assert_eq!(judged(kind, status, None, "").as_str(), outcome, "{kind:?} {status}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_the_destination_said() {
        let body = r#"{"errors":{"first_name":["The first name field is required."]}}"#;
        let Outcome::Refused { reason } = judged(Kind::Bonzo, 422, None, body) else { panic!("not refused") };
        assert_eq!(reason, "HTTP 422: first_name: The first name field is required.");
        let Outcome::Refused { reason } = judged(Kind::Bonzo, 401, None, body) else { panic!("not refused") };
        assert!(reason.contains("URL and credentials"), "{reason}");
        let Outcome::Refused { reason } = judged(Kind::Webhook, 400, None, "<html>") else {
            panic!("not refused")
        };
        assert_eq!(reason, "HTTP 400");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_429_has_a_default() {
        let until = |status, text| match judged(Kind::Bonzo, status, text, "") {
            Outcome::Retryable { not_before, .. } => not_before,
            other => panic!("{other:?}"),
        };
        assert_eq!(until(429, Some("120")), Some(now() + TimeDelta::seconds(120)));
        assert_eq!(until(429, Some("Fri, 20 Nov 2026 12:05:00 GMT")), Some(now() + TimeDelta::minutes(5)));
        assert_eq!(until(429, None), Some(now() + TimeDelta::seconds(60)));
        assert_eq!(until(429, Some("soon")), Some(now() + TimeDelta::seconds(60)));
        assert_eq!(until(503, Some("7")), Some(now() + TimeDelta::seconds(7)));
        assert_eq!(until(500, None), None);
    }

    #[test]
    fn failures_before_sending_are_retryable_and_after_it_unknown() {
        for (failure, outcome) in [
            (Failure::Connect, "retryable"),
            (Failure::Dns, "retryable"),
            (Failure::Tls, "retryable"),
            (Failure::Timeout, "unknown"),
            (Failure::Protocol, "unknown"),
            (Failure::PrivateAddress, "refused"),
        ] {
            assert_eq!(judge_failure(failure).as_str(), outcome, "{failure:?}");
        }
    }

    #[test]
    fn a_webhook_receiver_may_name_its_record() {
        let named = |kind, body| match judged(kind, 200, None, body) {
            Outcome::Delivered { remote_id } => remote_id,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(Kind::Webhook, r#"{"id":"p-7"}"#), Some("p-7".to_owned()));
        assert_eq!(named(Kind::Webhook, r#"{"id":7,"more":[]}"#), Some("7".to_owned()));
        assert_eq!(named(Kind::Webhook, r#"{"ok":true}"#), None);
        assert_eq!(named(Kind::Bonzo, r#"{"id":"p-7"}"#), None);
    }

    proptest! {
        #[test]
        fn every_answer_has_an_outcome_and_a_short_reason(
            status in 100_u16..=999,
            retry_after in proptest::option::of(".{0,40}"),
            body in ".{0,600}",
        ) {
            let outcome = judged(Kind::Bonzo, status, retry_after.as_deref(), &body);
            prop_assert_eq!(matches!(outcome, Outcome::Delivered { .. }), (200..300).contains(&status));
            if let Outcome::Refused { reason } | Outcome::Retryable { reason, .. } | Outcome::Unknown { reason } = outcome {
                prop_assert!(reason.chars().count() <= REASON_CHARS_MAX + 20);
            }
        }
    }
}
