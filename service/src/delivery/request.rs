//! From a lead to the request that hands it over, and to the requests that ask whether it arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::delivery::profile::Format;
use domain::delivery::template::{Rendered, Values};
use domain::delivery::{Hold, Kind, LeadFacts, bonzo, payload};
use domain::ids::DeliveryId;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::client::Outgoing;
use super::destinations::Destination;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The request that hands a lead over, or why it cannot be made.
pub(super) fn build(
    destination: &Destination,
    lead: &LeadFacts,
    id: DeliveryId,
    now: DateTime<Utc>,
) -> Result<Outgoing, Hold> {
    let values = Values { lead, secrets: &destination.secrets, key: None };
    let body = body(destination, values)?;
    let mut headers = own_headers(destination, values)?;
    let content_type = destination.plan.profile.request.format.content_type();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id = id.to_string();
    let timestamp = now.timestamp();
    if !destination.signers.is_empty() {
        // During a rotation both secrets sign, and the receiver takes whichever it knows.
        let sign = |signer: &standardwebhooks::Webhook| {
            signer.sign(&id, timestamp, body.as_bytes()).expect("the body is UTF-8")
        };
        let signatures = destination.signers.iter().map(sign).collect::<Vec<_>>().join(" ");
        let value = HeaderValue::try_from(signatures).expect("base64 is a header's text");
        headers.insert(WEBHOOK_SIGNATURE, value);
    }
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
    // The delivery's id on every attempt, by which a receiver recognises a second copy.
    headers.insert(WEBHOOK_ID, HeaderValue::try_from(id).expect("an id is a header's text"));
    Ok(Outgoing { body: Some(Bytes::from(body)), url: None, headers, deadline: deadline(destination) })
}

/// The body as text.
fn body(destination: &Destination, values: Values<'_>) -> Result<String, Hold> {
    let Some(template) = &destination.plan.body else {
        return match destination.kind {
            Kind::Webhook => Ok(payload::webhook(values.lead)),
            _ => bonzo::body(values.lead, destination.first_name_fallback.as_deref()),
        };
    };
    let rendered = template.render(values)?.unwrap_or_else(|| Rendered::Object(Vec::new()));
    Ok(match destination.plan.profile.request.format {
        Format::Json | Format::JsonPatch => rendered.to_json(),
        Format::Form => {
            let pairs = rendered.to_pairs();
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        }
    })
}

fn own_headers(destination: &Destination, values: Values<'_>) -> Result<HeaderMap, Hold> {
    let mut headers = HeaderMap::with_capacity(destination.plan.headers.len() + 4);
    for (name, text) in &destination.plan.headers {
        let Some(value) = text.render(values) else { continue };
        let refused = || Hold::FieldMissing(format!("a value that fits the header {name}"));
        let name = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn deadline(destination: &Destination) -> Duration {
    destination.plan.profile.request.deadline_ms.map_or(Duration::MAX, Duration::from_millis)
}

/// One question whether a destination has a lead.
pub(super) struct Question {
    /// What is sent.
    pub outgoing: Outgoing,
    /// Where a record has what is asked for.
    pub field: String,
    /// What is asked for.
    pub value: String,
}

/// The questions of a lookup that the lead has values for, in their order; empty when nothing can be asked.
pub(super) fn questions(destination: &Destination, lead: &LeadFacts) -> Vec<Question> {
    let Some(lookup) = &destination.plan.profile.lookup else { return Vec::new() };
    let Some(base) = lookup_url(destination.endpoint.url(), &lookup.url) else { return Vec::new() };
    let secrets = &destination.secrets;
    let question = |(text, field): &(domain::delivery::template::Text, String)| {
        let value = text.render(Values { lead, secrets, key: None }).filter(|value| !value.is_empty())?;
        let values = Values { lead, secrets, key: Some(&value) };
        let mut url = base.clone();
        for (name, text) in &destination.plan.lookup_query {
            url.query_pairs_mut().append_pair(name, &text.render(values).unwrap_or_default());
        }
        let headers = own_headers(destination, values).ok()?;
        let outgoing = Outgoing { body: None, url: Some(url), headers, deadline: deadline(destination) };
        Some(Question { outgoing, field: field.clone(), value })
    };
    destination.plan.lookup_keys.iter().filter_map(question).collect()
}

/// Relative to the destination's URL. Elsewhere would be another party, who must not learn the secrets.
pub(super) fn lookup_url(base: &Url, relative: &str) -> Option<Url> {
    if relative.is_empty() {
        return Some(base.clone());
    }
    base.join(relative).ok().filter(|url| url.origin() == base.origin())
}

/// A request as a person may see it: the URL masked, every secret replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `POST` or `GET`.
    pub method: &'static str,
    /// Host and the end of the path.
    pub url: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, or the query of a lookup.
    pub body: String,
}

impl Shown {
    /// Shows a request that was built with masked secrets.
    pub(super) fn of(outgoing: &Outgoing, url_masked: &str) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let query = || outgoing.url.as_ref().and_then(|url| url.query()).unwrap_or_default().to_owned();
        let body = outgoing.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        Self {
            method: if body.is_some() { "POST" } else { "GET" },
            url: url_masked.to_owned(),
            headers: outgoing.headers.iter().map(header).collect(),
            body: body.unwrap_or_else(query),
        }
    }
}
