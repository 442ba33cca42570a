//! Outcomes as columns, for one statement a batch.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::delivery::retry::{NO_REMOTE_ID, UNKNOWN};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Finished, State};

/// A batch, one array a column.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub ids: Vec<Uuid>,
    pub numbers: Vec<i16>,
    pub states: Vec<&'static str>,
    pub due_ats: Vec<DateTime<Utc>>,
    pub reasons: Vec<Option<&'a str>>,
    pub remote_ids: Vec<Option<&'a str>>,
    pub finished_ats: Vec<Option<DateTime<Utc>>>,
    pub started_ats: Vec<Option<DateTime<Utc>>>,
    pub durations: Vec<Option<i32>>,
    pub outcomes: Vec<Option<&'static str>>,
    pub statuses: Vec<Option<i16>>,
    pub error_kinds: Vec<Option<&'static str>>,
    pub headers: Vec<Option<Json<&'a BTreeMap<String, String>>>>,
    pub bodies: Vec<Option<&'a str>>,
    pub codes: Vec<Option<&'a str>>,
    pub looked_ups: Vec<Option<&'static str>>,
    pub refunds: Vec<bool>,
    pub unsures: Vec<Option<bool>>,
    pub decideds: Vec<bool>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a [Finished]) -> Self {
        let mut columns = Self::default();
        for finished in batch {
            columns.push(finished);
        }
        columns
    }

    fn push(&mut self, finished: &'a Finished) {
        let done_at = finished.at;
        let row = match &finished.state {
            State::Pending(due_at) | State::Refunded(due_at) => {
                Row { state: "pending", due_at: *due_at, ..Row::at(done_at) }
            }
            State::Delivered { remote_id, flagged } => Row {
                state: "delivered",
                code: flagged.then_some(NO_REMOTE_ID),
                remote_id: remote_id.as_deref(),
                finished_at: Some(done_at),
                ..Row::at(done_at)
            },
            State::Failed { code, reason, not_before } => Row {
                state: "failed",
                due_at: not_before.unwrap_or(done_at),
                code: Some(code.as_str()),
                reason: Some(reason),
                finished_at: Some(done_at),
                ..Row::at(done_at)
            },
            State::Held { reason } => Row { state: "held", reason: Some(reason), ..Row::at(done_at) },
            State::Unknown { reason } => Row {
                state: "unknown",
                code: Some(UNKNOWN),
                reason: Some(reason),
                finished_at: Some(done_at),
                ..Row::at(done_at)
            },
            State::Rejected { code, reason } => Row {
                state: "rejected",
                code: Some(code),
                reason: Some(reason),
                finished_at: Some(done_at),
                ..Row::at(done_at)
            },
        };
        self.ids.push(finished.id.uuid());
        self.numbers.push(finished.number);
        self.states.push(row.state);
        self.due_ats.push(row.due_at);
        self.codes.push(row.code);
        self.reasons.push(row.reason);
        self.remote_ids.push(row.remote_id);
        self.finished_ats.push(row.finished_at);
        self.refunds.push(matches!(finished.state, State::Refunded(_)));
        let attempt = finished.attempt.as_ref();
        self.started_ats.push(attempt.map(|attempt| attempt.started_at));
        self.durations.push(attempt.map(|attempt| attempt.duration_us));
        self.outcomes.push(attempt.map(|attempt| attempt.outcome));
        self.statuses.push(attempt.and_then(|attempt| attempt.http_status));
        self.error_kinds.push(attempt.and_then(|attempt| attempt.error_kind));
        self.headers
            .push(attempt.map(|attempt| &attempt.headers).filter(|headers| !headers.is_empty()).map(Json));
        self.bodies.push(attempt.map(|attempt| attempt.body.as_str()).filter(|body| !body.is_empty()));
        self.looked_ups.push(attempt.and_then(|attempt| attempt.looked_up));
        self.unsures.push(attempt.map(|attempt| attempt.unsure));
        self.decideds.push(finished.decided);
    }
}

/// The columns of a delivery that a state decides.
struct Row<'a> {
    state: &'static str,
    due_at: DateTime<Utc>,
    code: Option<&'a str>,
    reason: Option<&'a str>,
    remote_id: Option<&'a str>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row<'_> {
    fn at(due_at: DateTime<Utc>) -> Self {
        Self { state: "pending", due_at, code: None, reason: None, remote_id: None, finished_at: None }
    }
}
