//! Runs with their counts.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, ReconciliationId};
use service::delivery::manage;
use service::reconciliation::{Counts, Phase, RunRow};

use crate::graphql::at_hand::{AtHand, Below, Getter};
use crate::graphql::error::{ApiError, stored};
use crate::graphql::operation::operation;
use crate::graphql::page::{Listed, connection};

/// Where a run stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ReconciliationState {
    Running,
    Done,
    Failed,
}

impl ReconciliationState {
    /// The state of that word of a row.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "running" => Some(Self::Running),
            "done" => Some(Self::Done),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// What a run does now.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "service::reconciliation::Phase")]
pub enum ReconciliationPhase {
    /// Nothing yet.
    Waiting,
    /// Their API is asked page by page.
    Fetching,
    /// Their list is read and copied.
    Reading,
    /// Both sides are paired and compared.
    Comparing,
}

/// A comparison of what was handed over to a destination with what it has.
pub struct Reconciliation {
    row: RunRow,
    state: ReconciliationState,
    phase: Option<ReconciliationPhase>,
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

    /// Whether that time was said with the list, or is that of their API. Else it is the time at which the list came, and nothing
    /// that is missing is sent again by itself.
    async fn as_of_known(&self) -> bool {
        self.row.as_of_known
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

    /// What it does now; null when it has ended.
    async fn phase(&self) -> Option<ReconciliationPhase> {
        self.phase
    }

    /// Records of their list that it has so far.
    async fn records_read(&self) -> i32 {
        self.row.records
    }

    /// How often it was tried: a run of the night that fails is tried again.
    async fn tries(&self) -> i32 {
        self.row.tries
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at
    }

    /// Our deliveries within its scope that we call delivered.
    async fn ours(&self) -> i32 {
        self.row.ours
    }

    /// Records of their list.
    async fn theirs(&self) -> i32 {
        self.row.theirs
    }

    /// Rows of their list that are no record, or repeat one.
    async fn skipped(&self) -> i32 {
        self.row.skipped
    }

    async fn matched(&self) -> i32 {
        self.row.matched
    }

    async fn mismatched(&self) -> i32 {
        self.row.mismatched
    }

    async fn missing(&self) -> i32 {
        self.row.missing
    }

    /// Of the missing ones, those whose phone, e-mail or id another lead's record there has.
    async fn merge_suspected(&self) -> i32 {
        self.row.merge_suspected
    }

    async fn unconfirmed(&self) -> i32 {
        self.row.unconfirmed
    }

    async fn duplicated(&self) -> i32 {
        self.row.duplicated
    }

    /// There though refused or held back by us, or with our mark and unknown to us.
    async fn unexpected(&self) -> i32 {
        self.row.unexpected
    }

    /// Theirs alone.
    async fn extra_known(&self) -> i32 {
        self.row.extra_known
    }

    /// There before we handed it over.
    async fn pre_existing(&self) -> i32 {
        self.row.pre_existing
    }

    /// They know a field that we do not.
    async fn enriched(&self) -> i32 {
        self.row.enriched
    }

    /// They say that the person wants no more contact.
    async fn opted_out(&self) -> i32 {
        self.row.opted_out
    }

    /// What somebody has to look at.
    async fn differences(&self) -> i32 {
        Counts::from(&self.row).differences()
    }
}

/// Their pages are few and short; the engine resolves them.
impl AtHand for Reconciliation {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of reconciliations.
    ReconciliationConnection, ReconciliationEdge, Reconciliation {}
}

impl ReconciliationConnection {
    /// The page of those runs, and whether there are more after and before it.
    pub(super) fn new(nodes: Vec<Arc<Reconciliation>>, more: (bool, bool)) -> Self {
        let listed = Listed::new(nodes, |run: &Reconciliation| run.row.id, more);
        Self { page_info: listed.info(), listed }
    }
}

/// The runs of those rows, with the names of their destinations.
pub(in crate::graphql) async fn runs_of(
    context: &Context<'_>,
    rows: Vec<RunRow>,
) -> Result<Vec<Arc<Reconciliation>>, ApiError> {
    let reads = operation(context)?.read().await?;
    let destinations = if rows.is_empty() { Vec::new() } else { manage::list(&reads).await? };
    let run = |row: RunRow| {
        let state = ReconciliationState::parse(&row.state);
        let phase = row
            .phase
            .as_deref()
            .map(|word| stored("reconciliation_run.phase", row.id, word, Phase::parse(word).map(Into::into)));
        let destination = destinations.iter().find(|one| one.id == row.destination_id);
        Ok(Arc::new(Reconciliation {
            state: stored("reconciliation_run.state", row.id, &row.state, state)?,
            phase: phase.transpose()?,
            destination: destination.map(|one| (one.slug.clone(), one.name.clone())).unwrap_or_default(),
            row,
        }))
    };
    rows.into_iter().map(run).collect()
}
