//! Reconciliations: runs with their counts, differences with both sides, how a destination is compared.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, ExceptionId, LeadId, ReconciliationId};
use domain::reconciliation::{Outcome, State};
use entity::reconciliation_plan;
use serde_json::Value;
use service::delivery::manage;
use service::reconciliation::exceptions::{self, ExceptionRow, Filter};
use service::reconciliation::{RunRow, plans, runs};

use super::at_hand::{AtHand, Below, Getter};
use super::error::{ApiError, found, stored};
use super::id::Id;
use super::operation::operation;
use super::page::{COUNTED_MAX, Listed, Window, connection, counted, page_cost};
use super::wants::Selected;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ReconciliationState {
    Running,
    Done,
    Failed,
}

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

/// A comparison of what was handed over to a destination with what it has.
pub struct Reconciliation {
    row: RunRow,
    state: ReconciliationState,
    destination: (String, String),
}

#[Object]
impl Reconciliation {
    async fn id(&self) -> ID {
        ID(ReconciliationId(self.row.id).to_string())
    }

    async fn destination_id(&self) -> ID {
        ID(DestinationId(self.row.destination_id).to_string())
    }

    async fn destination_slug(&self) -> &str {
        &self.destination.0
    }

    async fn destination_name(&self) -> &str {
        &self.destination.1
    }

    /// The file that the list came in; null: their API.
    async fn file_name(&self) -> Option<&str> {
        self.row.file_name.as_deref()
    }

    /// SHA-256 of the list, in hexadecimal digits.
    async fn list_hash(&self) -> Option<String> {
        self.row.list_hash.as_ref().map(|hash| service::billing::files::hex(hash))
    }

    async fn since(&self) -> Option<DateTime<Utc>> {
        self.row.since
    }

    async fn before(&self) -> Option<DateTime<Utc>> {
        self.row.before
    }

    async fn channel(&self) -> Option<&str> {
        self.row.channel.as_deref()
    }

    /// The list is of this time.
    async fn as_of(&self) -> DateTime<Utc> {
        self.row.as_of
    }

    async fn actor(&self) -> &str {
        &self.row.actor
    }

    async fn state(&self) -> ReconciliationState {
        self.state
    }

    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at
    }

    /// Our deliveries within its scope that we call delivered.
    async fn ours(&self) -> i32 {
        self.row.counts.ours
    }

    /// Records of their list.
    async fn theirs(&self) -> i32 {
        self.row.counts.theirs
    }

    /// Rows of their list that are no record, or repeat one.
    async fn skipped(&self) -> i32 {
        self.row.counts.skipped
    }

    async fn matched(&self) -> i32 {
        self.row.counts.matched
    }

    async fn mismatched(&self) -> i32 {
        self.row.counts.mismatched
    }

    async fn missing(&self) -> i32 {
        self.row.counts.missing
    }

    /// Of the missing ones, those whose phone, e-mail or id another lead's record there has.
    async fn merge_suspected(&self) -> i32 {
        self.row.counts.merge_suspected
    }

    async fn unconfirmed(&self) -> i32 {
        self.row.counts.unconfirmed
    }

    async fn duplicated(&self) -> i32 {
        self.row.counts.duplicated
    }

    /// There though refused or held back by us, or with our mark and unknown to us.
    async fn unexpected(&self) -> i32 {
        self.row.counts.unexpected
    }

    /// Theirs alone.
    async fn extra_known(&self) -> i32 {
        self.row.counts.extra_known
    }

    /// There before we handed it over.
    async fn pre_existing(&self) -> i32 {
        self.row.counts.pre_existing
    }

    /// They know a field that we do not.
    async fn enriched(&self) -> i32 {
        self.row.counts.enriched
    }

    /// They say that the person wants no more contact.
    async fn opted_out(&self) -> i32 {
        self.row.counts.opted_out
    }

    /// What somebody has to look at.
    async fn differences(&self) -> i32 {
        self.row.counts.differences()
    }
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
    at: DateTime<Utc>,
    actor: String,
    state: DifferenceState,
    note: Option<String>,
}

/// How many differences of a destination stand where.
#[derive(SimpleObject)]
pub struct DifferenceStanding {
    open: i64,
    resending: i64,
    resolved: i64,
    accepted: i64,
}

/// How a destination is compared.
#[derive(SimpleObject)]
pub struct ReconciliationPlan {
    destination_id: ID,
    /// How their list is read.
    mapping: Value,
    api_url: Option<String>,
    /// Whether there is a token for their API; the token itself is a secret.
    has_api_token: bool,
    /// The hour of the tenant's day at which a run begins by itself.
    nightly_hour: Option<i16>,
    /// How many missing leads a run sends again by itself.
    auto_resend_max: i32,
}

impl From<reconciliation_plan::Model> for ReconciliationPlan {
    fn from(plan: reconciliation_plan::Model) -> Self {
        Self {
            destination_id: ID(DestinationId(plan.destination_id).to_string()),
            mapping: plan.mapping,
            api_url: plan.api_url,
            has_api_token: plan.api_token_sealed.is_some(),
            nightly_hour: plan.nightly_hour,
            auto_resend_max: plan.auto_resend_max,
        }
    }
}

/// Their pages are few and short; the engine resolves them.
impl AtHand for Reconciliation {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

impl AtHand for Difference {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of reconciliations.
    ReconciliationConnection, ReconciliationEdge, Reconciliation {}
}

connection! {
    /// A page of differences.
    DifferenceConnection, DifferenceEdge, Difference {
        /// Counted up to 10,000; null when not asked for.
        total_count: Option<i32>,
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

/// The runs of those rows, with the names of their destinations.
pub(super) async fn runs_of(
    context: &Context<'_>,
    rows: Vec<RunRow>,
) -> Result<Vec<Arc<Reconciliation>>, ApiError> {
    let reads = operation(context)?.read().await?;
    let destinations = if rows.is_empty() { Vec::new() } else { manage::list(&reads).await? };
    let run = |row: RunRow| {
        let state = match row.state.as_str() {
            "running" => Some(ReconciliationState::Running),
            "done" => Some(ReconciliationState::Done),
            "failed" => Some(ReconciliationState::Failed),
            _ => None,
        };
        let destination = destinations.iter().find(|one| one.id == row.destination_id);
        Ok(Arc::new(Reconciliation {
            state: stored("reconciliation_run.state", row.id, &row.state, state)?,
            destination: destination.map(|one| (one.slug.clone(), one.name.clone())).unwrap_or_default(),
            row,
        }))
    };
    rows.into_iter().map(run).collect()
}

pub(super) fn difference(row: ExceptionRow) -> Result<Arc<Difference>, ApiError> {
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

#[derive(Default)]
pub(super) struct ReconciliationQueries;

#[Object]
impl ReconciliationQueries {
    /// Newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn reconciliations(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        destination_id: Option<Id<DestinationId>>,
    ) -> Result<ReconciliationConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let reads = operation(context)?.read().await?;
        let rows = runs::list(&reads, destination_id.map(|id| id.0), page).await?;
        let nodes = runs_of(context, rows.rows).await?;
        let listed = Listed::new(nodes, |run| run.row.id, (rows.more_after, rows.more_before));
        Ok(ReconciliationConnection { page_info: listed.info(), listed })
    }

    async fn reconciliation(
        &self,
        context: &Context<'_>,
        id: Id<ReconciliationId>,
    ) -> Result<Option<Arc<Reconciliation>>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = found(runs::by_id(&reads, id.0).await)?;
        Ok(runs_of(context, row.into_iter().collect()).await?.pop())
    }

    /// Newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn differences(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        filter: Option<DifferenceFilter>,
    ) -> Result<DifferenceConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let filter: Filter = filter.unwrap_or_default().into();
        let reads = operation(context)?.read().await?;
        let total_count = if Selected::here(context).has("totalCount") {
            Some(counted(exceptions::count(&reads, &filter, COUNTED_MAX).await?).0)
        } else {
            None
        };
        let rows = exceptions::list(&reads, &filter, page).await?;
        let nodes = rows.rows.into_iter().map(difference).collect::<Result<Vec<_>, _>>()?;
        let listed = Listed::new(nodes, |one| one.row.id, (rows.more_after, rows.more_before));
        Ok(DifferenceConnection { page_info: listed.info(), listed, total_count })
    }

    /// What happened to a difference, oldest first.
    async fn difference_history(
        &self,
        context: &Context<'_>,
        id: Id<ExceptionId>,
    ) -> Result<Option<Vec<DifferenceStep>>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(exceptions::by_id(&reads, id.0).await)?.is_none() {
            return Ok(None);
        }
        let steps = exceptions::steps(&reads, &[id.0]).await?.into_iter();
        let steps = steps
            .map(|row| {
                let state = State::parse(&row.state);
                let state = stored("reconciliation_step.state", row.exception_id, &row.state, state)?.into();
                Ok(DifferenceStep { at: row.at, actor: row.actor, state, note: row.note })
            })
            .collect::<Result<_, ApiError>>()?;
        Ok(Some(steps))
    }

    /// Where the differences of a destination stand: the progress of a repair.
    async fn difference_standing(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<Option<DifferenceStanding>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(manage::by_id(&reads, destination_id.0).await)?.is_none() {
            return Ok(None);
        }
        let [open, resending, resolved, accepted] = exceptions::standing(&reads, destination_id.0).await?;
        Ok(Some(DifferenceStanding { open, resending, resolved, accepted }))
    }

    /// How a destination is compared.
    async fn reconciliation_plan(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<Option<ReconciliationPlan>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(manage::by_id(&reads, destination_id.0).await)?.is_none() {
            return Ok(None);
        }
        Ok(Some(plans::of(&reads, destination_id.0).await?.into()))
    }
}
