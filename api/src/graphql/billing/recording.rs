//! Actions in: as they are sent, and what became of each.

use async_graphql::{Enum, ID, InputObject, SimpleObject};
use service::billing::record::{self, RawAction, Recorded};

use crate::graphql::error::UserError;

/// An action as it is sent; every field is checked, and an entry's faults are its own.
#[derive(InputObject)]
pub(super) struct ActionInput {
    /// Names the action within its partner; without one its content does.
    key: Option<String>,
    email: Option<String>,
    product: Option<String>,
    lead_type: Option<String>,
    action_type: Option<String>,
    level: Option<String>,
    /// RFC 3339, or a date and time of the partner's zone.
    occurred_at: Option<String>,
    lead: Option<ID>,
}

impl From<ActionInput> for RawAction {
    fn from(input: ActionInput) -> Self {
        Self {
            key: input.key,
            email: input.email,
            product: input.product,
            lead_type: input.lead_type,
            action_type: input.action_type,
            level: input.level,
            occurred_at: input.occurred_at,
            lead: input.lead.map(|id| id.0),
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum RecordOutcome {
    /// It is stored.
    Accepted,
    /// It was stored before.
    Repeated,
    /// It is not stored.
    Refused,
}

#[derive(SimpleObject)]
pub(super) struct RecordedAction {
    outcome: RecordOutcome,
    id: Option<ID>,
    errors: Vec<UserError>,
}

impl From<Recorded> for RecordedAction {
    fn from(recorded: Recorded) -> Self {
        let (outcome, id, faults) = match recorded {
            Recorded::New(id) => (RecordOutcome::Accepted, Some(ID(id.to_string())), Vec::new()),
            Recorded::Repeated(id) => (RecordOutcome::Repeated, Some(ID(id.to_string())), Vec::new()),
            Recorded::Refused(faults) => (RecordOutcome::Refused, None, faults),
        };
        let error = |fault: record::Fault| UserError::new(Some(fault.field), fault.code, fault.message);
        Self { outcome, id, errors: faults.into_iter().map(error).collect() }
    }
}

#[derive(Default, SimpleObject)]
pub(super) struct RecordActionsPayload {
    /// In the order of the input.
    pub(super) actions: Vec<RecordedAction>,
    pub(super) error: Option<UserError>,
}
