//! The cluster's folder: its files and its three locks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Error, Result};

/// How long another process may take to start or stop the server. A start may recover from a crash first.
const START_TIMEOUT: Duration = Duration::from_mins(5);
/// How long the server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(90);
/// How often a lock that cannot be waited for with a deadline is tried.
const RETRY: Duration = Duration::from_millis(10);

/// The paths of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Makes the cluster's folder. It may be entered by all, so that Postgres reaches its data as another user;
    /// what is inside is closed.
    pub(super) fn create(root: &Path) -> Result<Self> {
        let failed = |what, source| Error::File { what, path: root.to_owned(), source };
        let missing = !root.exists();
        fs::create_dir_all(root).map_err(|source| failed("make", source))?;
        if missing {
            let open_to_pass = fs::Permissions::from_mode(0o711);
            fs::set_permissions(root, open_to_pass).map_err(|source| failed("set the mode of", source))?;
        }
        Ok(Self { root: root.canonicalize().map_err(|source| failed("find", source))? })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    pub(super) fn users(&self) -> PathBuf {
        self.root.join("users.lock")
    }

    fn start(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    fn supervisor(&self) -> PathBuf {
        self.root.join("supervisor.lock")
    }

    #[expect(clippy::unused_self, reason = "reads as the folder's own complaint where it is used")]
    pub(super) fn failed(&self, what: &'static str, path: PathBuf, source: io::Error) -> Error {
        Error::File { what, path, source }
    }

    fn open(&self, path: PathBuf) -> Result<File> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        opened.map_err(|source| self.failed("open", path, source))
    }

    /// A handle of its own on `users.lock`: locks belong to handles.
    pub(super) fn open_users(&self) -> Result<File> {
        self.open(self.users())
    }

    /// A handle of its own on `start.lock`.
    pub(super) fn open_start(&self) -> Result<File> {
        self.open(self.start())
    }

    /// Waits for the right to start and stop.
    pub(super) fn lock_start(&self) -> Result<File> {
        let file = self.open_start()?;
        let locked = wait(START_TIMEOUT, || try_exclusive(&file))
            .map_err(|source| self.failed("lock", self.start(), source))?;
        if locked { Ok(file) } else { Err(Error::Busy { folder: self.root.clone() }) }
    }

    /// Becomes the supervisor, unless there is one.
    pub(super) fn claim_supervision(&self) -> Result<Option<File>> {
        let file = self.open(self.supervisor())?;
        let locked = try_exclusive(&file).map_err(|source| self.failed("lock", self.supervisor(), source))?;
        Ok(locked.then_some(file))
    }

    /// Whether a supervisor is alive.
    pub(super) fn is_supervised(&self) -> Result<bool> {
        match self.open(self.supervisor())?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(self.failed("lock", self.supervisor(), source)),
        }
    }

    /// Waits until the supervisor is gone, and with it the server.
    pub(super) fn wait_until_stopped(&self) -> Result<()> {
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.is_supervised()? {
            if Instant::now() > deadline {
                return Err(Error::NotStopped { folder: self.root.clone() });
            }
            sleep(RETRY);
        }
        Ok(())
    }

    /// The major version that made the cluster; none before it is made.
    pub(super) fn major(&self) -> Result<Option<u32>> {
        let path = self.data().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed("read", path, source)),
        }
    }

    /// The last lines of the server's log.
    pub(super) fn log_tail(&self) -> String {
        tail(&fs::read_to_string(self.log()).unwrap_or_default(), 6)
    }
}

/// The last lines of a text, as one line.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join(" | ")
}

fn try_exclusive(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Tries until it succeeds or the time is over.
pub(super) fn wait(timeout: Duration, mut attempt: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        if attempt()? {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        sleep(RETRY);
    }
}
