//! Imports: a file on its way in, its progress, its refused records.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{ImportId, SourceId};
use entity::import;
use service::intake::imports::{self, Counts};
use service::intake::listing;
use uuid::Uuid;

use super::at_hand::{AtHand, Below, Getter};
use super::big_int::BigInt;
use super::error::{ApiError, UserError, expected, found, stored, words};
use super::failed_records::{self, FailedRecordConnection};
use super::id::{Id, each};
use super::operation::{Reads, operation};
use super::page::{Listed, Window, connection, page_cost};
use super::sources::{self, Source, distinct, not_loaded};
use super::wants::{ImportWants, Selected, Wants};

/// Where an import stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ImportState {
    Received,
    Running,
    Done,
    Failed,
    Cancelled,
}

const STATES: [(ImportState, &str); 5] = [
    (ImportState::Received, "received"),
    (ImportState::Running, "running"),
    (ImportState::Done, "done"),
    (ImportState::Failed, "failed"),
    (ImportState::Cancelled, "cancelled"),
];

impl ImportState {
    fn of(word: &str) -> Option<Self> {
        STATES.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }

    /// Whether more will happen.
    pub(super) fn is_unfinished(self) -> bool {
        matches!(self, Self::Received | Self::Running)
    }
}

/// A file on its way in.
#[derive(Clone, Debug)]
pub struct Import {
    pub(super) row: import::Model,
    pub(super) state: ImportState,
    pub(super) counts: Option<Counts>,
    source: Option<Arc<Source>>,
    now: DateTime<Utc>,
}

impl Import {
    fn counts(&self) -> Result<Counts, ApiError> {
        self.counts.ok_or_else(|| not_loaded("Import's counts"))
    }

    /// Since its receipt; none before the first record.
    fn rate(&self, records: i64) -> Option<f64> {
        let until = self.row.finished_at.unwrap_or(self.now);
        let micros = (until - self.row.created_at).num_microseconds().filter(|micros| *micros > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
        let rate = records as f64 * 1_000_000.0 / micros as f64;
        (records > 0).then_some(rate)
    }
}

#[Object]
impl Import {
    async fn id(&self) -> ID {
        ID(ImportId(self.row.id).to_string())
    }

    async fn source(&self) -> Result<&Source, ApiError> {
        self.source.as_deref().ok_or_else(|| not_loaded("Import.source"))
    }

    async fn file_name(&self) -> &str {
        &self.row.file_name
    }

    async fn file_bytes(&self) -> BigInt {
        self.row.file_bytes.into()
    }

    async fn state(&self) -> ImportState {
        self.state
    }

    /// Why it failed and what to do.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }

    async fn encoding(&self) -> Option<&str> {
        self.row.encoding.as_deref()
    }

    async fn format(&self) -> Option<&str> {
        self.row.format.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at
    }

    /// Bytes read so far, of fileBytes.
    async fn bytes_read(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.bytes_read.into())
    }

    async fn records(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.records.into())
    }

    async fn accepted(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.accepted.into())
    }

    async fn warned(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.warned.into())
    }

    async fn updated(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.updated.into())
    }

    async fn duplicates(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.duplicates.into())
    }

    async fn rejected(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.rejected.into())
    }

    async fn skipped(&self) -> Result<BigInt, ApiError> {
        Ok(self.counts()?.skipped.into())
    }

    async fn records_per_second(&self) -> Result<Option<f64>, ApiError> {
        Ok(self.rate(self.counts()?.records))
    }

    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn failed_records(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<FailedRecordConnection, ApiError> {
        let window = Window { first, after: after.as_deref(), last, before: before.as_deref() };
        let filter = listing::FailedFilter { import: Some(ImportId(self.row.id)), ..Default::default() };
        failed_records::page(context, &filter, window).await
    }
}

/// The imports of those rows, in their order, with what is wanted of them.
pub(super) async fn load(
    reads: &Reads,
    rows: Vec<import::Model>,
    wants: ImportWants,
) -> Result<Vec<Arc<Import>>, ApiError> {
    let ids: Vec<ImportId> = rows.iter().map(|row| ImportId(row.id)).collect();
    let counts: Option<HashMap<ImportId, Counts>> = if wants.counts && !ids.is_empty() {
        Some(imports::counts(reads, &ids).await?.into_iter().collect())
    } else {
        None
    };
    let sources = match wants.source {
        Some(wanted) => sources::by_ids(reads, rows.iter().map(|row| row.source_id), wanted).await?,
        None => HashMap::new(),
    };
    let import = |row: import::Model| {
        let state = stored("import.state", row.id, &row.state, ImportState::of(&row.state))?;
        Ok(Arc::new(Import {
            state,
            counts: counts.as_ref().map(|counts| counts.get(&ImportId(row.id)).copied().unwrap_or_default()),
            source: sources.get(&row.source_id).map(Arc::clone),
            now: reads.now,
            row,
        }))
    };
    rows.into_iter().map(import).collect()
}

/// The imports of those ids by id.
pub(super) async fn by_ids(
    reads: &Reads,
    ids: impl IntoIterator<Item = Uuid>,
    wants: ImportWants,
) -> Result<HashMap<Uuid, Arc<Import>>, ApiError> {
    let ids: Vec<ImportId> = distinct(ids).map(ImportId).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = listing::imports_by_ids(reads, &ids).await?;
    Ok(load(reads, rows, wants).await?.into_iter().map(|import| (import.row.id, import)).collect())
}

/// The import of that id, when there is one.
pub(super) async fn by_id(
    reads: &Reads,
    id: ImportId,
    wants: ImportWants,
) -> Result<Option<Arc<Import>>, ApiError> {
    let row = found(imports::by_id(reads, id).await)?;
    Ok(load(reads, row.into_iter().collect(), wants).await?.pop())
}

/// Which imports.
#[derive(Default, InputObject)]
pub struct ImportFilter {
    source_ids: Option<Vec<Id<SourceId>>>,
    states: Option<Vec<ImportState>>,
}

impl From<ImportFilter> for listing::ImportFilter {
    fn from(filter: ImportFilter) -> Self {
        Self { sources: each(filter.source_ids.as_ref()), states: words(&STATES, filter.states) }
    }
}

/// Its pages are few and short; the engine resolves them.
impl AtHand for Import {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of imports.
    ImportConnection, ImportEdge, Import {}
}

#[derive(Default)]
pub(super) struct ImportQueries;

#[Object]
impl ImportQueries {
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn imports(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<ImportFilter>,
    ) -> Result<ImportConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), last, before: before.as_deref() }.page()?;
        let wants = ImportWants::read(&Selected::here(context).nodes());
        let reads = operation(context)?.read().await?;
        let rows = listing::imports(&reads, &filter.unwrap_or_default().into(), page).await?;
        let nodes = load(&reads, rows.rows, wants).await?;
        let listed = Listed::new(nodes, |import| import.row.id, (rows.more_after, rows.more_before));
        Ok(ImportConnection { page_info: listed.info(), listed })
    }

    async fn import(&self, context: &Context<'_>, id: Id<ImportId>) -> Result<Option<Arc<Import>>, ApiError> {
        let wants = ImportWants::read(&Selected::here(context));
        by_id(&operation(context)?.read().await?, id.0, wants).await
    }
}

#[derive(SimpleObject)]
struct CancelImportPayload {
    import: Option<Arc<Import>>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct ImportMutations;

#[Object]
impl ImportMutations {
    async fn cancel_import(
        &self,
        context: &Context<'_>,
        id: Id<ImportId>,
    ) -> Result<CancelImportPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let cancelled = operation.change(imports::cancel(&operation.app, tenant, id.0)).await;
        if let Err(error) = expected(cancelled)? {
            return Ok(CancelImportPayload { import: None, error: Some(error) });
        }
        let wants = ImportWants::read(&Selected::here(context).field("import"));
        Ok(CancelImportPayload { import: by_id(&operation.read().await?, id.0, wants).await?, error: None })
    }
}
