//! Differences with both sides and their history.

use std::sync::Arc;

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, ExceptionId, LeadId, ReconciliationId};
use domain::reconciliation::{Outcome, State};
use serde_json::Value;
use service::reconciliation::exceptions::{ExceptionRow, Filter};

use crate::graphql::at_hand::{AtHand, Below, Getter};
use crate::graphql::error::{ApiError, stored};
use crate::graphql::id::Id;
use crate::graphql::page::{Listed, connection};

/// Where a difference stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::reconciliation::State")]
pub enum DifferenceState {
    Open,
    Resending,
    Resolved,
    Accepted,
}

/// What is different.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::reconciliation::Outcome")]
pub enum DifferenceKind {
    /// No difference; never listed.
    Matched,
    /// Both sides have it and differ in a field.
    Mismatched,
    /// Handed over, and not there.
    Missing,
    /// There, and our record does not call it delivered.
    Unconfirmed,
    /// A second record there of a lead that is there.
    Duplicated,
    /// Refused by us, and there.
    RejectedPresent,
    /// Held back by us as a duplicate, and there.
    DuplicateDelivered,
    /// With our mark, and unknown to us.
    Unexpected,
    /// Theirs alone; never listed.
    ExtraKnown,
}

/// A field in which the sides differ.
#[derive(Clone, Debug, SimpleObject)]
pub struct FieldDifference {
    field: String,
    ours: Option<String>,
    theirs: Option<String>,
}

/// A difference on its way to its end, with both sides as the last run saw them.
pub struct Difference {
    row: ExceptionRow,
    state: DifferenceState,
    kind: DifferenceKind,
    fields: Vec<FieldDifference>,
}

#[Object]
impl Difference {
    async fn id(&self) -> ID {
        ID(ExceptionId(self.row.id).to_string())
    }

    async fn destination_id(&self) -> ID {
        ID(DestinationId(self.row.destination_id).to_string())
    }

    async fn kind(&self) -> DifferenceKind {
        self.kind
    }

    async fn state(&self) -> DifferenceState {
        self.state
    }

    async fn lead_id(&self) -> Option<ID> {
        self.row.lead_id.map(|id| ID(LeadId(id).to_string()))
    }

    async fn delivery_id(&self) -> Option<ID> {
        self.row.delivery_id.map(|id| ID(DeliveryId(id).to_string()))
    }

    /// The destination's own id of the record.
    async fn remote_id(&self) -> Option<&str> {
        self.row.remote_id.as_deref()
    }

    /// The fields that differ, when both sides have it.
    async fn fields(&self) -> &[FieldDifference] {
        &self.fields
    }

    /// What we say of it: field → value.
    async fn ours(&self) -> Option<&Value> {
        self.row.ours.as_ref()
    }

    /// What they say of it; of a missing lead whose merge is suspected, the record that has its phone, e-mail or id.
    async fn theirs(&self) -> Option<&Value> {
        self.row.theirs.as_ref()
    }

    /// Another lead's record there has this one's phone, e-mail or id: two people may have become one.
    async fn merge_suspected(&self) -> bool {
        self.row.merge_suspected
    }

    /// Who takes care of it.
    async fn owner(&self) -> Option<&str> {
        self.row.owner.as_deref()
    }

    /// Why it was accepted, or how it was resolved.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    async fn opened_at(&self) -> DateTime<Utc> {
        self.row.opened_at
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }
}

/// A step of a difference's history.
#[derive(SimpleObject)]
pub struct DifferenceStep {
    pub(super) at: DateTime<Utc>,
    pub(super) actor: String,
    pub(super) state: DifferenceState,
    pub(super) note: Option<String>,
}

/// Their pages are few and short; the engine resolves them.
impl AtHand for Difference {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of differences.
    DifferenceConnection, DifferenceEdge, Difference {
        /// Counted up to 10,000; null when not asked for.
        total_count: Option<i32>,
    }
}

impl DifferenceConnection {
    /// The page of those differences, whether there are more after and before it, and how many there are in all.
    pub(super) fn new(nodes: Vec<Arc<Difference>>, more: (bool, bool), total_count: Option<i32>) -> Self {
        let listed = Listed::new(nodes, |one: &Difference| one.row.id, more);
        Self { page_info: listed.info(), listed, total_count }
    }
}

/// Which differences.
#[derive(Default, InputObject)]
pub struct DifferenceFilter {
    destination_id: Option<Id<DestinationId>>,
    /// Seen by that run, with its evidence.
    reconciliation_id: Option<Id<ReconciliationId>>,
    states: Option<Vec<DifferenceState>>,
    kinds: Option<Vec<DifferenceKind>>,
}

impl From<DifferenceFilter> for Filter {
    fn from(filter: DifferenceFilter) -> Self {
        Self {
            destination: filter.destination_id.map(|id| id.0),
            run: filter.reconciliation_id.map(|id| id.0),
            states: filter.states.into_iter().flatten().map(State::from).collect(),
            kinds: filter.kinds.into_iter().flatten().map(Outcome::from).collect(),
        }
    }
}

/// The difference of that row.
pub(in crate::graphql) fn difference(row: ExceptionRow) -> Result<Arc<Difference>, ApiError> {
    let fields = row.fields.iter().filter_map(Value::as_array).flatten();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    let fields = fields
        .filter_map(|one| {
            Some(FieldDifference {
                field: text(one, "field")?,
                ours: text(one, "ours"),
                theirs: text(one, "theirs"),
            })
        })
        .collect();
    let state = State::parse(&row.state);
    let kind = Outcome::parse(&row.kind);
    Ok(Arc::new(Difference {
        state: stored("reconciliation_exception.state", row.id, &row.state, state)?.into(),
        kind: stored("reconciliation_exception.kind", row.id, &row.kind, kind)?.into(),
        fields,
        row,
    }))
}
