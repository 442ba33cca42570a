//! What a destination is, as data: how a lead is written, what an answer means, what is asked before a second sending.
//!
//! Each kind has a profile, compiled in from `../profiles/*.json`. A tenant's settings are a merge patch over it
//! (RFC 7396: a member replaces, `null` removes), so that a setting says only what differs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Kind;
use super::condition::Condition;
use super::template::{Template, Text};

/// Most entries in any list of a profile: a profile is read on every claim's path.
const ENTRIES_MAX: usize = 100;
/// Shortest deadline: what a shorter one cuts off is seldom lost and always in doubt.
const DEADLINE_MS_MIN: u64 = 1_000;

/// A kind's profile with a tenant's settings over it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// How a lead is written.
    pub request: Request,
    /// What an answer means.
    pub answer: AnswerRules,
    /// How the destination is asked whether it has a lead; absent: it cannot be asked.
    pub lookup: Option<Lookup>,
    /// What follows an unknown outcome where nothing can be looked up.
    pub unknown: OnUnknown,
    /// Who tries again.
    pub retry: Retry,
    /// How much at a time.
    pub limits: Limits,
    /// Leads that the client does not want sent, by the first rule that holds.
    pub rejections: Vec<Rejection>,
}

impl Profile {
    /// Whether a second request after an unknown outcome does no harm: the destination can be asked before, or recognises a copy.
    pub fn is_repeatable(&self) -> bool {
        self.lookup.is_some() || self.unknown == OnUnknown::Resend
    }
}

/// How a lead is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The body's form.
    pub format: Format,
    /// Further headers by lower-case name; the values are texts with places.
    pub headers: BTreeMap<String, String>,
    /// The body's template; absent: the kind's own body.
    pub body: Option<Value>,
    /// From connecting to the last byte, milliseconds; never more than the operator allows.
    pub deadline_ms: Option<u64>,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `application/json`.
    #[default]
    Json,
    /// `application/json-patch+json`, which NPA wants for plain JSON.
    JsonPatch,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl Format {
    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonPatch => "application/json-patch+json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// What an answer means: first by status, then, for an answer of success, by its body.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerRules {
    /// Statuses that mean something else than usual: `{"409": "delivered"}`.
    pub statuses: BTreeMap<String, Meaning>,
    /// Checks of the body of which each must hold; none: the status decides.
    pub delivered: Vec<Check>,
    /// One that holds means: credentials are not accepted.
    pub barred: Vec<Check>,
    /// One that holds means: the lead is refused.
    pub refused: Vec<Check>,
    /// One that holds means: again later.
    pub retryable: Vec<Check>,
    /// Where the body names the destination's own record: `data.id`.
    pub remote_id: Option<String>,
    /// A delivered lead whose answer does not name it is flagged.
    pub remote_id_expected: bool,
    /// Where the body says in words what is wrong, first found first told.
    pub words: Vec<String>,
}

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// It has the lead.
    Delivered,
    /// It will not take this lead.
    Refused,
    /// It lets nothing in until a person acts.
    Barred,
    /// Later.
    Retryable,
}

/// A check of one place in a JSON body. With neither `equals` nor `contains` the place must exist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// Names and list positions with dots between: `response.errors.error`. A list in between: any of its elements.
    pub path: String,
    /// The value is this, or one of these when it is a list.
    pub equals: Option<Value>,
    /// The text contains this, whatever the case.
    pub contains: Option<String>,
}

/// What follows an unknown outcome where nothing can be looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// A person decides: a second copy would cost something.
    #[default]
    Ask,
    /// It is sent again under the same id: the destination recognises a copy, or folds it into the first.
    Resend,
}

/// Who tries again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Leads of these channels fail at once and wait for a person; others are tried again by the schedule.
    pub by_person: Vec<String>,
}

/// How much at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests on their way at a time from one worker process; never more than the operator allows.
    pub concurrency: Option<u16>,
    /// Requests a second, of all worker processes together.
    pub per_second: Option<f64>,
    /// Failures in a row after which the destination is left alone; 0: never.
    pub breaker_failures: u16,
    /// For how long at first, seconds; it doubles up to half an hour.
    pub breaker_pause_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: None, per_second: None, breaker_failures: 10, breaker_pause_s: 15 }
    }
}

/// Leads that are not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rejection {
    /// The category, `[a-z0-9_]+`.
    pub code: String,
    /// One sentence for people.
    pub reason: String,
    /// When it holds.
    pub when: Condition,
}

/// How the destination is asked whether it has a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lookup {
    /// Relative to the destination's URL; empty: that URL itself.
    pub url: String,
    /// Parameters of the query; the values are texts with places, `{key}` among them.
    pub query: BTreeMap<String, String>,
    /// What is asked for, in this order.
    pub keys: Vec<LookupKey>,
    /// Where the records stand in the answer; empty: the whole of it. A list or one record.
    pub records: String,
    /// Where a record names itself.
    pub id: String,
    /// Where a record says when it was last changed. One that was not since the delivery came about is another lead's of the same
    /// person, or what a person entered before. Empty: every record counts.
    pub changed: String,
}

/// One thing that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LookupKey {
    /// The lead's value, a text with places; without a value it is not asked for.
    pub value: String,
    /// Where a record has it. A search may be fuzzy, so a hit counts only when this is the same.
    pub field: String,
}

/// What is wrong with a tenant's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ProfileError {
    /// Where, with dots: `request.body`.
    pub field: String,
    /// What, and what would be right.
    pub message: String,
}

/// A profile with its templates read.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The data that it was made from.
    pub profile: Profile,
    /// The body's template; none: the kind's own body.
    pub body: Option<Template>,
    /// Headers by name.
    pub headers: Vec<(String, Text)>,
    /// The query of a lookup.
    pub lookup_query: Vec<(String, Text)>,
    /// What a lookup asks for: the value, and where a record has it.
    pub lookup_keys: Vec<(Text, String)>,
    /// The names of all secrets that are asked for, sorted.
    pub secrets: Vec<String>,
}

impl Kind {
    /// The kind's own profile as JSON.
    pub fn profile(self) -> Value {
        let text = match self {
            Self::Bonzo => include_str!("../profiles/bonzo.json"),
            Self::BonzoApi => include_str!("../profiles/bonzo_api.json"),
            Self::Npa => include_str!("../profiles/npa.json"),
            Self::Boberdoo => include_str!("../profiles/boberdoo.json"),
            Self::Webhook => include_str!("../profiles/webhook.json"),
        };
        serde_json::from_str(text).expect("a compiled-in profile is JSON")
    }
}

impl Plan {
    /// The kind's profile with those settings over it, checked.
    pub fn new(kind: Kind, settings: &Value) -> Result<Self, ProfileError> {
        let at = |field: &str, message: String| ProfileError { field: field.to_owned(), message };
        if !settings.is_object() {
            return Err(at("settings", "the settings are a JSON object".to_owned()));
        }
        let mut merged = kind.profile();
        merge(&mut merged, settings);
        let profile: Profile =
            serde_json::from_value(merged).map_err(|error| at("settings", error.to_string()))?;
        let body = profile.request.body.as_ref().map(Template::parse).transpose();
        let body = body.map_err(|message| at("request.body", message))?;
        let texts = |texts: &BTreeMap<String, String>, field: &str| {
            let text = |(name, text): (&String, &String)| {
                let text = Text::parse(text).map_err(|message| at(&format!("{field}.{name}"), message))?;
                Ok((name.clone(), text))
            };
            texts.iter().map(text).collect::<Result<Vec<_>, _>>()
        };
        let headers = texts(&profile.request.headers, "request.headers")?;
        let lookup = profile.lookup.clone().unwrap_or_default();
        let lookup_query = texts(&lookup.query, "lookup.query")?;
        let mut lookup_keys = Vec::with_capacity(lookup.keys.len());
        for key in &lookup.keys {
            let text = Text::parse(&key.value).map_err(|message| at("lookup.keys", message))?;
            lookup_keys.push((text, key.field.clone()));
        }
        let mut plan = Self { profile, body, headers, lookup_query, lookup_keys, secrets: Vec::new() };
        plan.check()?;
        plan.secrets = plan.body.as_ref().map(Template::secrets).unwrap_or_default();
        let texts = plan.headers.iter().chain(&plan.lookup_query);
        plan.secrets.extend(texts.flat_map(|(_, text)| text.secrets()).map(str::to_owned));
        plan.secrets.sort_unstable();
        plan.secrets.dedup();
        Ok(plan)
    }

    fn check(&self) -> Result<(), ProfileError> {
        let wrong = |field: &str, message: &str| {
            Err(ProfileError { field: field.to_owned(), message: message.to_owned() })
        };
        let Profile { request, answer, lookup, retry, limits, rejections, .. } = &self.profile;
        for name in request.headers.keys() {
            let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if name.is_empty() || !name.bytes().all(token) {
                return wrong(
                    "request.headers",
                    "a header's name is written in lower case, digits and dashes",
                );
            }
            if ["host", "content-length", "transfer-encoding", "connection", "content-type"]
                .contains(&name.as_str())
                || name.starts_with("webhook-")
            {
                return wrong(
                    "request.headers",
                    "host, content-length, content-type and webhook-… are Baton's own",
                );
            }
        }
        if request.deadline_ms.is_some_and(|deadline| deadline < DEADLINE_MS_MIN) {
            let message = format!("at least {DEADLINE_MS_MIN} milliseconds; without it the operator's holds");
            return wrong("request.deadline_ms", &message);
        }
        if answer.statuses.keys().any(|status| status.len() != 3 || status.parse::<u16>().is_err()) {
            return wrong("answer.statuses", "a status has three digits, as in 409");
        }
        if limits.concurrency == Some(0) {
            return wrong("limits.concurrency", "at least one request at a time");
        }
        if limits.per_second.is_some_and(|rate| !(0.001..=100_000.0).contains(&rate)) {
            return wrong("limits.per_second", "between 0.001 and 100000 requests a second");
        }
        if !(1..=86_400).contains(&limits.breaker_pause_s) {
            return wrong("limits.breaker_pause_s", "between one second and a day");
        }
        if let Some(channel) =
            retry.by_person.iter().find(|one| !["file", "api", "web", "sms", "voice"].contains(&one.as_str()))
        {
            return wrong(
                "retry.by_person",
                &format!("there is no channel `{channel}`; there are file, api, web, sms and voice"),
            );
        }
        for rejection in rejections {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if rejection.code.is_empty() || rejection.code.len() > 40 || !rejection.code.bytes().all(word) {
                return wrong(
                    "rejections",
                    "a rule's `code` is a word of lower case, digits and underscores",
                );
            }
            rejection
                .when
                .check()
                .or_else(|message| wrong(&format!("rejections.{}", rejection.code), &message))?;
        }
        if let Some(lookup) = lookup
            && (lookup.keys.is_empty() || lookup.keys.iter().any(|key| key.field.is_empty()))
        {
            return wrong("lookup.keys", "a lookup names at least one key with its `value` and its `field`");
        }
        let lists =
            [answer.delivered.len(), answer.barred.len(), answer.refused.len(), answer.retryable.len()];
        if lists.into_iter().chain([rejections.len(), request.headers.len()]).any(|len| len > ENTRIES_MAX) {
            return wrong("settings", &format!("a list has at most {ENTRIES_MAX} entries"));
        }
        Ok(())
    }
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests;
