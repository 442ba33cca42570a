//! Refused records: listed with every reason, corrected, dismissed.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{FailedRecordId, ImportId, SourceId};
use entity::{failed_record, import, lead_source};
use serde::Deserialize;
use service::Error;
use service::database::Mode;
use service::intake::raw::{self, Columns};
use service::intake::{failed, listing};
use uuid::Uuid;

use super::at_hand::{AtHand, Below, Getter};
use super::big_int::BigInt;
use super::error::{ApiError, UserError, expected, found, stored, words};
use super::id::{Id, each};
use super::imports::{self, Import};
use super::lead::{Issue, Lead, issues, stored_issues};
use super::leads;
use super::operation::{Operation, Reads, operation};
use super::page::{COUNTED_MAX, Listed, Window, connection, counted, page_cost};
use super::sources::{self, Source, distinct, not_loaded};
use super::wants::{Asked, FailedRecordWants, Selected, Wants};

/// What became of a refused record.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum FailedRecordState {
    Open,
    Corrected,
    Dismissed,
}

const STATES: [(FailedRecordState, &str); 3] = [
    (FailedRecordState::Open, "open"),
    (FailedRecordState::Corrected, "corrected"),
    (FailedRecordState::Dismissed, "dismissed"),
];

/// A cell of a record.
#[derive(Clone, Debug, SimpleObject)]
pub struct FieldValue {
    column: String,
    value: String,
}

/// A record that was refused, with every reason.
pub struct FailedRecord {
    row: failed_record::Model,
    state: FailedRecordState,
    source: Asked<Arc<Source>>,
    import: Asked<Option<Arc<Import>>>,
    lead: Asked<Option<Arc<Lead>>>,
    taken_apart: Asked<TakenApart>,
}

/// A raw record by the columns of its file.
#[derive(Clone, Debug, Default)]
struct TakenApart {
    /// None when it has no columns.
    values: Option<Vec<FieldValue>>,
    /// The columns that each reason speaks of, in the reasons' order.
    of_reasons: Vec<Vec<String>>,
}

#[Object]
impl FailedRecord {
    async fn id(&self) -> ID {
        ID(FailedRecordId(self.row.id).to_string())
    }

    async fn source(&self) -> Result<&Source, ApiError> {
        self.source.as_deref().ok_or_else(|| not_loaded("FailedRecord.source"))
    }

    async fn import(&self) -> Result<Option<&Import>, ApiError> {
        self.import.as_ref().map(Option::as_deref).ok_or_else(|| not_loaded("FailedRecord.import"))
    }

    /// From 1, as the outcome table counts.
    async fn record(&self) -> i32 {
        self.row.record
    }

    /// Physical line in the file, from 1.
    async fn line(&self) -> BigInt {
        self.row.line.into()
    }

    async fn raw(&self) -> &str {
        &self.row.raw
    }

    /// The raw record by column, for the correction form; null when it has no columns (malformed).
    async fn values(&self) -> Result<Option<&[FieldValue]>, ApiError> {
        let taken_apart = self.taken_apart.as_ref().ok_or_else(|| not_loaded("FailedRecord.values"))?;
        Ok(taken_apart.values.as_deref())
    }

    async fn reasons(&self) -> Result<Vec<Issue>, ApiError> {
        let read = Deserialize::deserialize(&self.row.reasons);
        let mut reasons = issues("failed_record.reasons", self.row.id, read)?;
        let known = self.taken_apart.iter().flat_map(|taken_apart| &taken_apart.of_reasons);
        for (reason, columns) in reasons.iter_mut().zip(known) {
            reason.columns = Some(columns.clone());
        }
        Ok(reasons)
    }

    async fn state(&self) -> FailedRecordState {
        self.state
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn resolved_at(&self) -> Option<DateTime<Utc>> {
        self.row.resolved_at
    }

    async fn lead(&self) -> Result<Option<&Lead>, ApiError> {
        self.lead.as_ref().map(Option::as_deref).ok_or_else(|| not_loaded("FailedRecord.lead"))
    }
}

/// The refused records of those rows, in their order, with what is wanted of them.
pub(super) async fn load(
    context: &Context<'_>,
    reads: &Reads,
    rows: Vec<failed_record::Model>,
    wants: &FailedRecordWants,
) -> Result<Vec<Arc<FailedRecord>>, ApiError> {
    let of_sources = match wants.source {
        Some(wanted) => sources::by_ids(reads, rows.iter().map(|row| row.source_id), wanted).await?,
        None => HashMap::new(),
    };
    let files = match wants.import {
        Some(wanted) => imports::by_ids(reads, rows.iter().filter_map(|row| row.import_id), wanted).await?,
        None => HashMap::new(),
    };
    let of_leads = match &wants.lead {
        Some(wanted) => leads::by_ids(reads, rows.iter().filter_map(|row| row.lead_id), wanted).await?,
        None => HashMap::new(),
    };
    let mut taken_apart =
        if wants.values || wants.columns { Some(take_apart(context, reads, &rows).await?) } else { None };
    let record = |row: failed_record::Model| {
        let state = STATES.iter().find(|(_, word)| *word == row.state).map(|(state, _)| *state);
        Ok(Arc::new(FailedRecord {
            state: stored("failed_record.state", row.id, &row.state, state)?,
            source: of_sources.get(&row.source_id).map(Arc::clone),
            import: wants.import.map(|_| row.import_id.and_then(|id| files.get(&id).map(Arc::clone))),
            lead: wants.lead.as_ref().map(|_| row.lead_id.and_then(|id| of_leads.get(&id).map(Arc::clone))),
            taken_apart: taken_apart.as_mut().map(|records| records.remove(&row.id).unwrap_or_default()),
            row,
        }))
    };
    rows.into_iter().map(record).collect()
}

/// The raw records by the columns of their files, by record. A plan is made once a source and file.
async fn take_apart(
    context: &Context<'_>,
    reads: &Reads,
    rows: &[failed_record::Model],
) -> Result<HashMap<Uuid, TakenApart>, ApiError> {
    let source_ids: Vec<SourceId> = distinct(rows.iter().map(|row| row.source_id)).map(SourceId).collect();
    let import_ids: Vec<ImportId> =
        distinct(rows.iter().filter_map(|row| row.import_id)).map(ImportId).collect();
    if source_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let by_source: HashMap<Uuid, lead_source::Model> =
        listing::sources_by_ids(reads, &source_ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let files: Vec<import::Model> =
        if import_ids.is_empty() { Vec::new() } else { listing::imports_by_ids(reads, &import_ids).await? };
    let columns: HashMap<Uuid, Columns> =
        files.into_iter().filter_map(|file| Some((file.id, Columns::of(file)?))).collect();
    let settings = operation(context)?.app.intake_settings();
    let mut plans = HashMap::new();
    let mut records = HashMap::with_capacity(rows.len());
    for row in rows {
        let Some(source) = by_source.get(&row.source_id) else { continue };
        let columns = row.import_id.and_then(|id| columns.get(&id));
        let plan = match plans.entry((row.source_id, row.import_id)) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(raw::plan(source, columns, &settings)?)
            }
        };
        let reasons = stored_issues("failed_record.reasons", row.id, Deserialize::deserialize(&row.reasons))?;
        let cells = raw::values(&row.raw, columns, plan);
        let taken_apart = TakenApart {
            values: cells
                .map(|cells| cells.into_iter().map(|(column, value)| FieldValue { column, value }).collect()),
            of_reasons: reasons
                .iter()
                .map(|reason| plan.labels_of(reason).map(str::to_owned).collect())
                .collect(),
        };
        records.insert(row.id, taken_apart);
    }
    Ok(records)
}

/// The refused record of that id, when there is one.
pub(super) async fn by_id(
    context: &Context<'_>,
    id: FailedRecordId,
    wants: &FailedRecordWants,
) -> Result<Option<Arc<FailedRecord>>, ApiError> {
    let reads = operation(context)?.read().await?;
    let row = found(failed::by_id(&reads, id).await)?;
    Ok(load(context, &reads, row.into_iter().collect(), wants).await?.pop())
}

/// A page of the refused records that the filter finds.
pub(super) async fn page(
    context: &Context<'_>,
    filter: &listing::FailedFilter,
    window: Window<'_>,
) -> Result<FailedRecordConnection, ApiError> {
    let page = window.page()?;
    let selected = Selected::here(context);
    let wants = FailedRecordWants::read(&selected.nodes());
    let reads = operation(context)?.read().await?;
    let total_count = if selected.has("totalCount") {
        Some(counted(listing::count_failed_records(&reads, filter, COUNTED_MAX).await?).0)
    } else {
        None
    };
    let rows = listing::failed_records(&reads, filter, page).await?;
    let nodes = load(context, &reads, rows.rows, &wants).await?;
    let listed = Listed::new(nodes, |record| record.row.id, (rows.more_after, rows.more_before));
    Ok(FailedRecordConnection { page_info: listed.info(), listed, total_count })
}

/// Which refused records.
#[derive(Default, InputObject)]
pub struct FailedRecordFilter {
    import_id: Option<Id<ImportId>>,
    source_ids: Option<Vec<Id<SourceId>>>,
    states: Option<Vec<FailedRecordState>>,
    code: Option<String>,
}

impl From<FailedRecordFilter> for listing::FailedFilter {
    fn from(filter: FailedRecordFilter) -> Self {
        Self {
            import: filter.import_id.map(|id| id.0),
            sources: each(filter.source_ids.as_ref()),
            states: words(&STATES, filter.states),
            code: filter.code,
        }
    }
}

/// Its pages are few and short; the engine resolves them.
impl AtHand for FailedRecord {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of refused records.
    FailedRecordConnection, FailedRecordEdge, FailedRecord {
        /// Counted up to 10,000; null when not asked for.
        total_count: Option<i32>,
    }
}

#[derive(Default)]
pub(super) struct FailedRecordQueries;

#[Object]
impl FailedRecordQueries {
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn failed_records(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<FailedRecordFilter>,
    ) -> Result<FailedRecordConnection, ApiError> {
        let window = Window { first, after: after.as_deref(), last, before: before.as_deref() };
        page(context, &filter.unwrap_or_default().into(), window).await
    }

    async fn failed_record(
        &self,
        context: &Context<'_>,
        id: Id<FailedRecordId>,
    ) -> Result<Option<Arc<FailedRecord>>, ApiError> {
        by_id(context, id.0, &FailedRecordWants::read(&Selected::here(context))).await
    }
}

#[derive(InputObject)]
struct FieldValueInput {
    column: String,
    value: String,
}

#[derive(InputObject)]
struct CorrectFailedRecordInput {
    id: Id<FailedRecordId>,
    values: Vec<FieldValueInput>,
}

#[derive(SimpleObject)]
struct DismissFailedRecordPayload {
    failed_record: Option<Arc<FailedRecord>>,
    error: Option<UserError>,
}

super::submitting::submitted_payload!(CorrectFailedRecordPayload);

/// A change runs with the tenant's own rights, so whoever sees some of its leads only has to see the record first.
async fn require_seen(operation: &Operation, id: FailedRecordId) -> Result<(), Error> {
    let viewer = operation.viewer().map_err(|_| Error::not_found("refused record", id))?;
    if viewer.sources.is_some() {
        let tx = operation.app.begin_for(viewer, Mode::ReadOnly).await?;
        failed::by_id(&tx, id).await?;
    }
    Ok(())
}

#[derive(Default)]
pub(super) struct FailedRecordMutations;

#[Object]
impl FailedRecordMutations {
    async fn correct_failed_record(
        &self,
        context: &Context<'_>,
        input: CorrectFailedRecordInput,
    ) -> Result<CorrectFailedRecordPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let values: BTreeMap<String, String> =
            input.values.into_iter().map(|cell| (cell.column, cell.value)).collect();
        let actor = viewer.actor.to_string();
        let correction = async {
            require_seen(operation, input.id.0).await?;
            failed::correct(&operation.app, viewer.tenant, input.id.0, &values, &actor).await
        };
        let corrected = operation.change(correction).await;
        CorrectFailedRecordPayload::of(context, expected(corrected)?).await
    }

    /// Leaves a refused record as it is: nobody will correct it.
    async fn dismiss_failed_record(
        &self,
        context: &Context<'_>,
        id: Id<FailedRecordId>,
    ) -> Result<DismissFailedRecordPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let dismissal = async {
            require_seen(operation, id.0).await?;
            failed::dismiss(&operation.app, viewer.tenant, id.0, &actor).await
        };
        let dismissed = operation.change(dismissal).await;
        if let Err(error) = expected(dismissed)? {
            return Ok(DismissFailedRecordPayload { failed_record: None, error: Some(error) });
        }
        let wants = FailedRecordWants::read(&Selected::here(context).field("failedRecord"));
        Ok(DismissFailedRecordPayload { failed_record: by_id(context, id.0, &wants).await?, error: None })
    }
}
