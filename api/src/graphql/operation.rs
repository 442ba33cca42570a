//! One operation: who asks, and the one transaction that all its reads share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::Context;
use chrono::{DateTime, Utc};
use domain::ids::TenantId;
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
    /// Whether something was changed since the audit log was told last.
    changed: AtomicBool,
}

impl Operation {
    pub(super) fn new(app: Arc<App>, identity: Identity) -> Self {
        Self { app, identity, reads: Mutex::new(None), changed: AtomicBool::new(false) }
    }

    /// Whoever is signed in.
    pub(super) fn viewer(&self) -> Result<&Viewer, ApiError> {
        self.identity.viewer.as_ref().ok_or_else(ApiError::unauthenticated)
    }

    /// Refuses whoever was recognised at the start and may not come in any more. Who was nobody then was refused already.
    pub(super) async fn require_still(&self) -> Result<(), ApiError> {
        match &self.identity.viewer {
            Some(viewer) => {
                Ok(service::access::require_still(&self.app, viewer, self.identity.session).await?)
            }
            None => Ok(()),
        }
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
        let changed = change.await;
        if changed.is_ok() {
            self.changed.store(true, Ordering::Relaxed);
        }
        changed
    }

    /// Whether something was changed since this was asked last: fields of a mutation run one after the other.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
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

/// The same, and the tenant of whoever asks: what a change needs.
pub(super) fn of_tenant<'a>(context: &Context<'a>) -> Result<(&'a Operation, TenantId), ApiError> {
    let operation = operation(context)?;
    Ok((operation, operation.viewer()?.tenant))
}
