//! One operation: who asks, and the one transaction that all its reads share.

use std::ops::Deref;
use std::sync::Arc;

use async_graphql::Context;
use chrono::{DateTime, Utc};
use service::access::Viewer;
use service::database::{Mode, TenantTx};
use service::{App, Error};
use tokio::sync::Mutex;

use super::error::ApiError;
use super::session::Identity;

/// What every resolver of an operation shares.
pub(super) struct Operation {
    pub(super) app: Arc<App>,
    pub(super) identity: Identity,
    reads: Mutex<Option<Reads>>,
}

impl Operation {
    pub(super) fn new(app: Arc<App>, identity: Identity) -> Self {
        Self { app, identity, reads: Mutex::new(None) }
    }

    /// Whoever is signed in.
    pub(super) fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.identity.viewer.as_ref().ok_or_else(ApiError::unauthenticated)
    }

    /// The transaction of the operation's reads: `REPEATABLE READ READ ONLY`, begun by the first of them, so that the
    /// answer agrees with itself.
    pub(super) async fn read(&self) -> Result<Reads, ApiError> {
        let viewer = self.viewer()?;
        let mut reads = self.reads.lock().await;
        if let Some(open) = &*reads {
            return Ok(open.clone());
        }
        let transaction = Arc::new(self.app.begin_for(viewer, Mode::ReadOnly).await?);
        let begun = Reads { transaction, now: self.app.clock.now() };
        *reads = Some(begun.clone());
        Ok(begun)
    }

    /// Ends the transaction of the reads, if there is one. The next read begins another, which sees what was written
    /// meanwhile: after a mutation, before the next event of a subscription, at the end of the operation.
    pub(super) async fn finish_reads(&self) {
        let Some(open) = self.reads.lock().await.take() else { return };
        // A resolver that still holds it was cancelled; dropped by it, the transaction is rolled back, which is the same.
        if let Some(open) = Arc::into_inner(open.transaction)
            && let Err(error) = open.commit().await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "a transaction of reads did not end");
        }
    }

    /// Runs a change, in the service's own transaction, and lets the payload's reads see it.
    pub(super) async fn change<T>(&self, change: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // A connection that waits in a transaction of reads is one that the change may need.
        self.finish_reads().await;
        change.await
    }
}

/// The transaction of an operation's reads.
#[derive(Clone)]
pub(super) struct Reads {
    transaction: Arc<TenantTx>,
    /// When it began: the time that the answer is of.
    pub(super) now: DateTime<Utc>,
}

impl Deref for Reads {
    type Target = TenantTx;

    fn deref(&self) -> &TenantTx {
        &self.transaction
    }
}

/// The operation of a resolver.
pub(super) fn operation<'a>(context: &Context<'a>) -> Result<&'a Operation, ApiError> {
    context
        .data_opt::<Arc<Operation>>()
        .map(|operation| &**operation)
        .ok_or_else(|| ApiError::internal("finding the operation", "it is not in the request's data"))
}
