//! A lead's journey: what is stored as an event, and what its own row, its deliveries and their attempts say already.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Enum, ID, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DeliveryId, LeadEventId, LeadId};
use domain::journey::Step;
use serde_json::{Value, json};
use service::intake::leads::{EventRow, LeadRow};
use uuid::Uuid;

use super::delivery::{AttemptOutcome, Delivery, DeliveryAttempt};
use super::error::{ApiError, stored};

/// A kind of step.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum LeadEventKind {
    Received,
    Updated,
    Duplicate,
    Triggered,
    Corrected,
    Delivered,
    Refused,
    Held,
    Retried,
    Exhausted,
    Submitted,
    Contacted,
    Qualified,
    Sold,
    Lost,
    OptedOut,
    Suppressed,
    AtRisk,
    Breached,
    Paused,
    Resumed,
    Escalated,
    Booked,
    Resent,
    Confirmed,
    Unknown,
    Rejected,
}

impl From<Step> for LeadEventKind {
    fn from(step: Step) -> Self {
        match step {
            Step::Updated => Self::Updated,
            Step::Duplicate => Self::Duplicate,
            Step::Triggered => Self::Triggered,
            Step::Corrected => Self::Corrected,
            Step::Retried => Self::Retried,
            Step::Submitted => Self::Submitted,
            Step::Contacted => Self::Contacted,
            Step::Qualified => Self::Qualified,
            Step::Sold => Self::Sold,
            Step::Lost => Self::Lost,
            Step::OptedOut => Self::OptedOut,
            Step::Suppressed => Self::Suppressed,
            Step::AtRisk => Self::AtRisk,
            Step::Breached => Self::Breached,
            Step::Paused => Self::Paused,
            Step::Resumed => Self::Resumed,
            Step::Escalated => Self::Escalated,
            Step::Booked => Self::Booked,
            Step::Resent => Self::Resent,
            Step::Confirmed => Self::Confirmed,
        }
    }
}

/// A step of a lead's journey.
#[derive(Clone, Debug, SimpleObject)]
pub struct LeadEvent {
    id: ID,
    pub(super) kind: LeadEventKind,
    at: DateTime<Utc>,
    pub(super) summary: String,
    data: Option<Value>,
    actor: Option<String>,
}

/// Stored events by their lead.
pub(super) fn by_lead(events: Vec<(LeadId, EventRow)>) -> HashMap<Uuid, Vec<EventRow>> {
    let mut by_lead: HashMap<Uuid, Vec<EventRow>> = HashMap::new();
    for (lead, event) in events {
        by_lead.entry(lead.uuid()).or_default().push(event);
    }
    by_lead
}

/// The journey of a lead, oldest step first.
pub(super) fn events(
    lead: &LeadRow,
    stored: Vec<EventRow>,
    deliveries: &[Arc<Delivery>],
) -> Result<Vec<LeadEvent>, ApiError> {
    let mut events = vec![received(lead)];
    for event in stored {
        events.push(from_row(event, deliveries)?);
    }
    for delivery in deliveries {
        let attempts = delivery.attempts.as_deref().unwrap_or_default();
        events.extend(attempts.iter().filter_map(|attempt| attempted(delivery, attempt)));
        events.extend(ended(delivery, attempts));
    }
    // Stable: of two steps at one moment, the receipt and the stored one come first.
    events.sort_by_key(|event| event.at);
    Ok(events)
}

fn received(lead: &LeadRow) -> LeadEvent {
    let summary = match lead.channel.as_str() {
        "file" => "Received with a file",
        "api" => "Received over the API",
        "web" => "Received from the dashboard",
        "sms" => "Received from a text conversation",
        "voice" => "Received from a phone call",
        _ => "Received",
    };
    LeadEvent {
        id: ID(LeadEventId(lead.id).to_string()),
        kind: LeadEventKind::Received,
        at: lead.received_at,
        summary: summary.to_owned(),
        data: None,
        actor: None,
    }
}

fn from_row(row: EventRow, deliveries: &[Arc<Delivery>]) -> Result<LeadEvent, ApiError> {
    let step = stored("lead_event.kind", row.id, &row.kind, Step::parse(&row.kind))?;
    let summary = summary(step, &row, deliveries);
    let id = ID(LeadEventId(row.id).to_string());
    Ok(LeadEvent { id, kind: step.into(), at: row.at, summary, data: row.data, actor: row.actor })
}

/// One sentence without a person's data; a capability that knows more puts it into `data.summary`.
fn summary(step: Step, row: &EventRow, deliveries: &[Arc<Delivery>]) -> String {
    let data = row.data.as_ref().unwrap_or(&Value::Null);
    if let Some(said) = data["summary"].as_str() {
        return said.to_owned();
    }
    let plain = match step {
        Step::Updated if data["note"] == "applied" => return with_names("Updated", &data["changed"]),
        Step::Updated => return format!("An update was set aside: {}", text(&data["note"])),
        Step::Duplicate => {
            return with_names("Came in again", data.get("brought").unwrap_or(&data["changed"]));
        }
        Step::Triggered => {
            return match data["trigger_date"].as_str() {
                Some(day) => format!("Triggered again on {day}"),
                None => "Triggered again".to_owned(),
            };
        }
        Step::Corrected => {
            return row.record.map_or_else(
                || "Corrected by hand".to_owned(),
                |record| format!("Record {record} was corrected by hand"),
            );
        }
        Step::Retried => {
            let destination = destination_of(text(&data["delivery"]), deliveries);
            return format!("Delivery to {destination} was retried");
        }
        Step::Submitted => "Submitted",
        Step::Contacted => "Contacted",
        Step::Qualified => "Qualified",
        Step::Sold => "Sold",
        Step::Lost => "Lost",
        Step::OptedOut => "Asked for no more contact",
        Step::Suppressed => "Held back: on the suppression list",
        Step::AtRisk => "A service level is at risk",
        Step::Breached => "A service level was missed",
        Step::Paused => "A service-level clock was paused",
        Step::Resumed => "A service-level clock goes on",
        Step::Escalated => "Escalated",
        Step::Booked => "Help was booked",
        Step::Resent => "Sent again after reconciliation",
        Step::Confirmed => "Its arrival was confirmed by hand",
    };
    plain.to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

/// The fields' names only: their values are a person's data, which `data` has for those who look.
fn with_names(what: &str, fields: &Value) -> String {
    let names: Vec<&str> = fields.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { what.to_owned() } else { format!("{what}: {}", names.join(", ")) }
}

fn destination_of<'a>(delivery: &str, deliveries: &'a [Arc<Delivery>]) -> &'a str {
    let id = delivery.parse::<DeliveryId>().ok();
    deliveries
        .iter()
        .find(|known| Some(DeliveryId(known.row.id)) == id)
        .map_or("a destination", |known| name(known))
}

fn name(delivery: &Delivery) -> &str {
    delivery.destination.as_ref().map_or("a destination", |destination| destination.row.name.as_str())
}

fn attempted(delivery: &Delivery, attempt: &DeliveryAttempt) -> Option<LeadEvent> {
    let (kind, said) = match attempt.outcome {
        AttemptOutcome::Delivered if attempt.row.looked_up.as_deref() == Some("found") => {
            (LeadEventKind::Delivered, "had it already, as it answered when asked")
        }
        AttemptOutcome::Delivered => (LeadEventKind::Delivered, "took it"),
        AttemptOutcome::Refused => (LeadEventKind::Refused, "refused it"),
        AttemptOutcome::Barred | AttemptOutcome::Retryable | AttemptOutcome::Unknown => return None,
    };
    let row = &attempt.row;
    let status = row.http_status.map(|status| format!(" with {status}")).unwrap_or_default();
    Some(LeadEvent {
        id: attempt.id(),
        kind,
        at: row.started_at + TimeDelta::microseconds(row.duration_us.into()),
        summary: format!("{} {said}{status} at attempt {}", name(delivery), row.number),
        data: Some(json!({
            "delivery": DeliveryId(row.delivery_id),
            "attempt": row.number,
            "httpStatus": row.http_status,
        })),
        actor: None,
    })
}

/// The end that no single attempt says: the delivery is held, or its attempts are used up.
fn ended(delivery: &Delivery, attempts: &[DeliveryAttempt]) -> Option<LeadEvent> {
    let row = &delivery.row;
    let gave_up = attempts
        .last()
        .is_some_and(|last| matches!(last.outcome, AttemptOutcome::Retryable | AttemptOutcome::Unknown));
    let (kind, summary, word) = match row.state.as_str() {
        "held" => (LeadEventKind::Held, format!("Held for {}", name(delivery)), "held"),
        "unknown" => {
            let summary = format!("Nobody knows whether {} has it", name(delivery));
            (LeadEventKind::Unknown, summary, "unknown")
        }
        "rejected" => (LeadEventKind::Rejected, format!("Not sent to {}", name(delivery)), "rejected"),
        "failed" if gave_up => {
            let summary = format!("Gave up on {} after {} attempts", name(delivery), row.attempts);
            (LeadEventKind::Exhausted, summary, "exhausted")
        }
        _ => return None,
    };
    let reason = row.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(LeadEvent {
        id: ID(format!("{}.{word}", DeliveryId(row.id))),
        kind,
        at: row.finished_at.unwrap_or_else(|| delivery.created_at()),
        summary: format!("{summary}{reason}"),
        data: Some(json!({ "delivery": DeliveryId(row.id), "reason": row.reason })),
        actor: None,
    })
}
