//! Where a destination's differences stand, and how far the proof of a repair is.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use entity::reconciliation_proof;

use super::run::ReconciliationState;
use crate::graphql::error::{ApiError, stored};

/// How many differences of a destination stand where.
#[derive(SimpleObject)]
pub struct DifferenceStanding {
    pub(super) open: i64,
    pub(super) resending: i64,
    pub(super) resolved: i64,
    pub(super) accepted: i64,
    /// The last proof of what was sent again; null when there was none.
    pub(super) proof: Option<DifferenceProof>,
}

/// A lookup, at the destination's API, of the leads that were sent again.
#[derive(SimpleObject)]
pub struct DifferenceProof {
    state: ReconciliationState,
    /// Why it ended early.
    error: Option<String>,
    actor: String,
    /// Leads to look up; 0 until the work begins.
    total: i32,
    /// Found there: resolved.
    found: i32,
    /// Not there: open.
    absent: i32,
    /// Not handed over yet.
    waiting: i32,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl DifferenceProof {
    /// The proof of that row.
    pub(in crate::graphql) fn new(row: reconciliation_proof::Model) -> Result<Self, ApiError> {
        let state = ReconciliationState::parse(&row.state);
        Ok(Self {
            state: stored("reconciliation_proof.state", row.destination_id, &row.state, state)?,
            error: row.error,
            actor: row.actor,
            total: row.total,
            found: row.found,
            absent: row.absent,
            waiting: row.waiting,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}
