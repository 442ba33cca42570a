//! The progress of an import, as it happens.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Subscription};
use domain::ids::ImportId;
use futures_util::Stream;
use service::Error;
use service::intake::imports::Counts;
use tokio::sync::watch;

use super::error::ApiError;
use super::id::Id;
use super::imports::{self, Import, ImportState};
use super::operation::{Operation, operation};
use super::sla::{self, SlaFilter, SlaNow};
use super::wants::{ImportWants, Selected, Wants};

/// The longest time between two looks: another process may run the import, and wakes nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The shortest time between two looks: an import commits more batches a second than a person can read.
const REST: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Subscriptions;

#[Subscription(name = "Subscription")]
impl Subscriptions {
    /// The import whenever its progress changes, and once more when it ends.
    async fn import_progress<'a>(
        &self,
        context: &Context<'a>,
        id: Id<ImportId>,
    ) -> Result<impl Stream<Item = Result<Arc<Import>, ApiError>> + 'a, ApiError> {
        let operation = operation(context)?;
        let wants = ImportWants { counts: true, ..ImportWants::read(&Selected::here(context)) };
        // Armed before the first look, so that nothing that happens in between is slept over.
        let woken = operation.app.wake.progress_watch();
        let first = look(operation, id.0, wants).await?;
        Ok(follow(operation, wants, woken, first))
    }

    /// How the open clocks stand, now and whenever that changes.
    #[expect(clippy::unused_async, reason = "the engine takes no subscription that is not")]
    async fn sla_changes<'a>(
        &self,
        context: &Context<'a>,
        filter: Option<SlaFilter>,
    ) -> Result<impl Stream<Item = Result<SlaNow, ApiError>> + 'a, ApiError> {
        let operation = operation(context)?;
        Ok(sla::changes(operation, SlaFilter::read(filter), operation.app.wake.sla_watch()))
    }
}

/// The import as it is now, in a transaction of its own.
async fn look(operation: &Operation, id: ImportId, wants: ImportWants) -> Result<Arc<Import>, ApiError> {
    operation.finish_reads().await;
    let import = imports::by_id(&operation.read().await?, id, wants).await;
    operation.finish_reads().await;
    import?.ok_or_else(|| Error::not_found("import", id).into())
}

/// What of an import makes it worth telling again.
fn progress(import: &Import) -> (ImportState, Option<Counts>) {
    (import.state, import.counts)
}

fn follow(
    operation: &Operation,
    wants: ImportWants,
    mut woken: watch::Receiver<u64>,
    first: Arc<Import>,
) -> impl Stream<Item = Result<Arc<Import>, ApiError>> {
    async_stream::try_stream! {
        let mut told = first;
        yield Arc::clone(&told);
        while told.state.is_unfinished() {
            tokio::time::sleep(REST).await;
            // The sender lives as long as the process; were it gone, the timer would still be there.
            let _ = tokio::time::timeout(LOOK_AGAIN, woken.changed()).await;
            let now = look(operation, ImportId(told.row.id), wants).await?;
            if progress(&now) != progress(&told) {
                told = now;
                yield Arc::clone(&told);
            }
        }
    }
}
