//! Databases as files of a folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use libsql::{Builder, OpenFlags};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::Connection;
use crate::error::Fault;
use crate::{Error, migrations};

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Switching a new file to the write-ahead log needs it alone, and does not wait by itself.
const LOG_SWITCH_ATTEMPTS_MAX: u32 = 100;
const LOG_SWITCH_PAUSE: Duration = Duration::from_millis(10);

/// The folder.
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// Made with mode 0700 when absent.
    pub(crate) fn new(root: PathBuf) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&root);
        made.map_err(|source| Error::File { attempt: "make the folder", path: root.clone(), source })?;
        Ok(Self { root })
    }

    pub(crate) fn path(&self, tenant: TenantId) -> PathBuf {
        self.root.join(format!("{}.db", tenant.uuid()))
    }

    pub(crate) fn exists(&self, tenant: TenantId) -> bool {
        fs::metadata(self.path(tenant)).is_ok_and(|metadata| metadata.is_file())
    }

    /// The file is claimed before it is opened: of two that create at once, one fails.
    pub(crate) async fn create(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<Connection, Error> {
        let path = self.path(tenant);
        let claimed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        claimed.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Error::DatabaseExists { tenant },
            _ => Error::File { attempt: "make the database", path, source },
        })?;
        self.open(tenant, now).await
    }

    pub(crate) async fn open(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<Connection, Error> {
        let attempt = "open";
        let path = self.path(tenant);
        let runtime = Handle::current();
        spawn_blocking(move || {
            if !path.is_file() {
                return Err(Error::DatabaseMissing { tenant });
            }
            let opened = runtime.block_on(async {
                let connection = Connection::file(connect(&path).await?);
                migrations::migrate(&connection, tenant, now).await?;
                Ok(connection)
            });
            opened.map_err(|fault: Fault| fault.within(tenant, attempt))
        })
        .await
        .map_err(|source| Error::Interrupted { attempt, source })?
    }

    /// The file and those beside it; another process that still has it open keeps a file without a name.
    pub(crate) async fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        let path = self.path(tenant);
        let attempt = "remove the database";
        spawn_blocking(move || {
            let mut found = false;
            for suffix in ["-wal", "-shm", ""] {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                match fs::remove_file(&name) {
                    Ok(()) => found |= suffix.is_empty(),
                    Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {}
                    Err(source) => return Err(Error::File { attempt, path: name.into(), source }),
                }
            }
            Ok(found)
        })
        .await
        .map_err(|source| Error::Interrupted { attempt, source })?
    }
}

async fn connect(path: &Path) -> Result<libsql::Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Builder::new_local(path).flags(flags).build().await?.connect()?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    switch_to_log(&connection).await?;
    // A revocation that was answered must survive a power cut, hence FULL. The schema is not trusted to run functions.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -256;",
        )
        .await?;
    Ok(connection)
}

async fn switch_to_log(connection: &libsql::Connection) -> Result<(), Fault> {
    let mut attempts = 0;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL").await {
            Ok(_) => return Ok(()),
            // 5 is SQLITE_BUSY; the high bits say more about it.
            Err(libsql::Error::SqliteFailure(code, _))
                if code & 0xff == 5 && attempts < LOG_SWITCH_ATTEMPTS_MAX =>
            {
                attempts += 1;
                std::thread::sleep(LOG_SWITCH_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
