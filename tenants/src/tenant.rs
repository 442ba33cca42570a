//! One open database of one tenant.
//!
//! Calls to a local file block although they are `async`. A read takes microseconds and runs in place; a write may wait
//! for the disk or for another process, so it runs on a blocking thread.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use libsql::params::IntoParams;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::database::{Connection, Row, Transaction};
use crate::error::Fault;
use crate::password::Passwords;
use crate::signing::KeyRing;
use crate::{Error, NewId};

/// The setting that says so.
const SUSPENDED: &str = "suspended";

/// One tenant's open database; a clone is the same handle.
#[derive(Clone)]
pub struct Tenant {
    inner: Arc<Inner>,
}

struct Inner {
    id: TenantId,
    connection: Option<Arc<Connection>>,
    resources: Arc<Resources>,
    keys: KeyRing,
}

/// What all open databases of a store share.
pub(crate) struct Resources {
    pub(crate) passwords: Passwords,
    pub(crate) new_id: NewId,
}

impl Tenant {
    /// Whose database this is.
    pub fn id(&self) -> TenantId {
        self.inner.id
    }

    pub(crate) fn new(id: TenantId, connection: Connection, resources: Arc<Resources>) -> Self {
        let connection = Some(Arc::new(connection));
        Self { inner: Arc::new(Inner { id, connection, resources, keys: KeyRing::default() }) }
    }

    /// Whether nobody may come in now. Read each time, as it costs microseconds: what another process has just suspended,
    /// or erased, must not be answered from memory.
    pub async fn is_suspended(&self) -> Result<bool, Error> {
        Ok(self.setting(SUSPENDED).await?.unwrap_or(false))
    }

    /// Lets nobody in any more, or everybody again. What is stored stays.
    pub async fn set_suspended(&self, suspended: bool) -> Result<(), Error> {
        self.set_setting(SUSPENDED, suspended.then_some(&true)).await
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.inner.resources.passwords
    }

    pub(crate) fn new_id(&self, now: DateTime<Utc>) -> Uuid {
        (self.inner.resources.new_id)(now)
    }

    pub(crate) fn key_ring(&self) -> &KeyRing {
        &self.inner.keys
    }

    /// Every row of a short read.
    pub(crate) async fn read<T>(
        &self,
        attempt: &'static str,
        sql: &str,
        params: impl IntoParams,
        decode: fn(&Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.connection().read(sql, params, decode).await;
        rows.map_err(|fault| fault.within(self.id(), attempt))
    }

    /// The first row of a short read.
    pub(crate) async fn read_first<T>(
        &self,
        attempt: &'static str,
        sql: &str,
        params: impl IntoParams,
        decode: fn(&Row) -> Result<T, Fault>,
    ) -> Result<Option<T>, Error> {
        Ok(self.read(attempt, sql, params, decode).await?.into_iter().next())
    }

    /// Runs `work` in one transaction that takes the write lock at once, off the async threads. It is finished even
    /// when the caller stops waiting; when `work` fails, nothing of it stays.
    pub(crate) async fn write<T, W>(&self, attempt: &'static str, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Transaction) -> Result<T, Fault> + Send + 'static,
    {
        let connection = Arc::clone(self.connection());
        let runtime = Handle::current();
        let outcome = spawn_blocking(move || runtime.block_on(connection.write(work)));
        let outcome: Result<T, Fault> =
            outcome.await.map_err(|source| Error::Interrupted { attempt, source })?;
        outcome.map_err(|fault| fault.within(self.id(), attempt))
    }

    fn connection(&self) -> &Arc<Connection> {
        self.inner.connection.as_ref().expect("the connection is taken only when the last handle is dropped")
    }
}

/// Closing the last connection to a file writes its log back and waits for the disk.
impl Drop for Inner {
    fn drop(&mut self) {
        if let (Some(connection), Ok(runtime)) = (self.connection.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(connection));
        }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id()).finish_non_exhaustive()
    }
}
