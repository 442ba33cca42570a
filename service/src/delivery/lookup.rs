//! Asking a destination whether it has a lead, before anything is sent a second time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::{Failure, LeadFacts, lookup};
use domain::ids::DeliveryId;
use serde_json::Value;

use super::client::{Answer, Client};
use super::destinations::Destination;
use super::request;

/// What a lookup came to.
pub(super) enum Found {
    /// The destination has it.
    Here {
        /// Its own id of the record, when the record has one.
        remote_id: Option<String>,
        /// The answer that shows it.
        answer: Box<Answer>,
    },
    /// It answered every question, and has it under none.
    Absent,
    /// It could not say. Boxed: an answer is large.
    Failed {
        /// The answer, or how there was none.
        answer: Box<Answer>,
    },
    /// There is nothing that could be asked about this lead.
    NotAsked,
}

/// Asks by each key that the lead has a value for, in the order of the settings, until one finds it. All questions share
/// one deadline.
pub(super) async fn ask(
    client: &Client,
    destination: &Destination,
    (id, lead): (DeliveryId, &LeadFacts),
    deadline: TimeDelta,
) -> Found {
    let Some(rules) = &destination.plan.profile.lookup else { return Found::NotAsked };
    let questions = request::questions(destination, lead);
    if questions.is_empty() {
        return Found::NotAsked;
    }
    let share = deadline.to_std().unwrap_or_default() / u32::try_from(questions.len()).unwrap_or(u32::MAX);
    for mut question in questions {
        question.outgoing.deadline = question.outgoing.deadline.min(share);
        let mut answer = client.send(&destination.endpoint, question.outgoing).await;
        match answer.status {
            // Some services say so when a search finds nothing.
            Some(404) if finds_nothing(&answer) => continue,
            Some(200..=299) if answer.failure.is_none() => {}
            _ => return Found::Failed { answer: Box::new(answer) },
        }
        let Ok(json) = serde_json::from_str::<Value>(&answer.text) else {
            answer.failure = Some(Failure::Protocol);
            return Found::Failed { answer: Box::new(answer) };
        };
        let asked = (question.field.as_str(), question.value.as_str());
        if let Some(id) = lookup::find(rules, &json, asked, came_about(id)) {
            return Found::Here { remote_id: (!id.is_empty()).then_some(id), answer: Box::new(answer) };
        }
    }
    Found::Absent
}

/// Whether a 404 is a search's: a page for people is a gateway's, or stands where no search is.
fn finds_nothing(answer: &Answer) -> bool {
    let is_said = answer.text.trim().is_empty() || serde_json::from_str::<Value>(&answer.text).is_ok();
    answer.failure.is_none() && is_said
}

/// When a delivery came about, which its id knows: what the destination had before cannot be what was sent.
fn came_about(id: DeliveryId) -> DateTime<Utc> {
    id.made_at().unwrap_or(DateTime::UNIX_EPOCH)
}
