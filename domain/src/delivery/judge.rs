//! From an answer, or the way a connection failed, to an [`Outcome`].
//!
//! Sources: formats.md §1 (Bonzo), §2 (NPA), §3 (boberdoo) and §7 (Standard Webhooks 1.0.0); RFC 9110 for the statuses.
//! The status decides, unless the destination's [`AnswerRules`] look into the body: some services answer 200 to
//! everything. There an answer that cannot be read, or says neither yes nor no, is an unknown outcome; elsewhere an
//! answer whose body was cut off or too large is still an answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::lookup::{at_path, own_id, plain};
use super::profile::{AnswerRules, Check, Meaning, Profile};
use super::{Outcome, retry};

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
    let again = |reason: &str| Outcome::Retryable {
        not_before: None,
        reason: reason.to_owned(),
        rate_limited: false,
    };
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
        Failure::PrivateAddress => Outcome::Barred {
            reason: "the destination's URL leads to a private or special address, which is not allowed here"
                .to_owned(),
        },
    }
}

/// What an answer means under a destination's rules.
pub fn judge_reply(profile: &Profile, reply: &Reply<'_>, now: DateTime<Utc>) -> Outcome {
    let (rules, status) = (&profile.answer, reply.status);
    let asked = reply.retry_after.and_then(|text| retry::read_retry_after(text, now));
    let refused = |words: &str| Outcome::Refused { reason: reason(status, words) };
    let barred = |words: &str| Outcome::Barred { reason: reason(status, words) };
    let again = |not_before, words: &str| Outcome::Retryable {
        not_before,
        reason: reason(status, words),
        rate_limited: status == 429,
    };
    let body = Body::read(rules, reply.body);
    match rules.statuses.get(&status.to_string()) {
        Some(Meaning::Delivered) => return Outcome::Delivered { remote_id: body.remote_id(rules) },
        Some(Meaning::Refused) => return refused(&body.words(rules)),
        Some(Meaning::Barred) => return barred(&body.words(rules)),
        Some(Meaning::Retryable) => return again(asked, &body.words(rules)),
        None => {}
    }
    match status {
        200..=299 => body.judge(rules, reply, asked),
        300..=399 => {
            barred("the destination redirects, and redirects are not followed; give it the final URL")
        }
        401 | 403 => barred("the destination does not accept us; check its URL and credentials"),
        404 => barred("there is no such address at the destination; check its URL"),
        410 => barred("the destination is gone for good; give it a new URL"),
        429 => {
            again(Some(asked.unwrap_or(now + RATE_LIMIT_PAUSE)), "the destination asks for fewer requests")
        }
        408 | 425 => again(asked, ""),
        400..=499 => refused(&body.words(rules)),
        // A gateway's words (the last two are Cloudflare's): what stands behind it may have taken the lead.
        502 | 504 | 520 | 524 if !profile.is_repeatable() => {
            let words = "the destination's gateway got no answer; the destination may have taken the lead";
            Outcome::Unknown { reason: reason(status, words) }
        }
        // 1xx never reaches us as an answer, 5xx is the destination's trouble, anything else is nobody's standard.
        _ => again(asked, "the destination has an error"),
    }
}

fn reason(status: u16, words: &str) -> String {
    if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") }
}

/// A body, read once when a rule asks for it.
struct Body {
    json: Option<Value>,
    /// There is one, and it is not JSON.
    unreadable: bool,
}

impl Body {
    fn read(rules: &AnswerRules, body: &str) -> Self {
        let wanted = !rules.delivered.is_empty()
            || looks_for_no(rules)
            || !rules.words.is_empty()
            || rules.remote_id.is_some();
        let json: Option<Value> = if wanted { serde_json::from_str(body).ok() } else { None };
        Self { unreadable: wanted && json.is_none() && !body.trim().is_empty(), json }
    }

    /// What a status of success means.
    fn judge(&self, rules: &AnswerRules, reply: &Reply<'_>, asked: Option<DateTime<Utc>>) -> Outcome {
        let said = || reason(reply.status, &self.words(rules));
        let any = |checks: &[Check]| checks.iter().any(|check| self.holds(check));
        if any(&rules.barred) {
            Outcome::Barred { reason: said() }
        } else if any(&rules.refused) {
            Outcome::Refused { reason: said() }
        } else if any(&rules.retryable) {
            Outcome::Retryable { not_before: asked, reason: said(), rate_limited: false }
        } else if !(self.unreadable && looks_for_no(rules))
            && rules.delivered.iter().all(|check| self.holds(check))
        {
            Outcome::Delivered { remote_id: self.remote_id(rules) }
        } else {
            let words =
                "the answer says neither that it has the lead nor that it refuses it; it may have taken it";
            Outcome::Unknown { reason: reason(reply.status, words) }
        }
    }

    fn holds(&self, check: &Check) -> bool {
        let Some(body) = &self.json else { return false };
        at_path(body, &check.path).into_iter().any(|found| {
            let equal = check.equals.as_ref().is_none_or(|wanted| match wanted {
                Value::Array(any) => any.contains(found),
                one => one == found,
            });
            let contained = check
                .contains
                .as_ref()
                .is_none_or(|wanted| words_of(found).to_lowercase().contains(wanted.to_lowercase().as_str()));
            let exists = check.equals.is_some() || !words_of(found).is_empty();
            equal && contained && exists
        })
    }

    /// The destination's own id of the record.
    fn remote_id(&self, rules: &AnswerRules) -> Option<String> {
        own_id(self.json.as_ref()?, rules.remote_id.as_deref()?)
    }

    /// What the destination says is wrong.
    fn words(&self, rules: &AnswerRules) -> String {
        let Some(body) = &self.json else { return String::new() };
        let found = rules.words.iter().find_map(|path| {
            let words: Vec<String> =
                at_path(body, path).into_iter().map(words_of).filter(|words| !words.is_empty()).collect();
            (!words.is_empty()).then(|| words.join(" "))
        });
        let words = found.unwrap_or_default();
        words.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
    }
}

/// Whether the body may say of an answer of success that the lead was not taken.
fn looks_for_no(rules: &AnswerRules) -> bool {
    !(rules.barred.is_empty() && rules.refused.is_empty() && rules.retryable.is_empty())
}

/// A scalar; the first of each member with its name, as Bonzo writes errors; the parts of a list.
fn words_of(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let words = object.iter().map(|(name, value)| {
                let value = value.as_array().and_then(|all| all.first()).unwrap_or(value);
                format!("{name}: {}", plain(value).unwrap_or_else(|| value.to_string()))
            });
            words.collect::<Vec<_>>().join(" ")
        }
        Value::Array(array) => array.iter().filter_map(plain).collect::<Vec<_>>().join(" "),
        scalar => plain(scalar).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
