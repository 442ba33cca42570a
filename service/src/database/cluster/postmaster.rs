//! What `postmaster.pid` says, and whether it is true.
//!
//! Source: PostgreSQL's `src/include/utils/pidfile.h`: line 1 the process, 5 the socket's folder, 8 the state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::system;
use super::folders::{Folders, wait};
use super::{Error, Result};

/// How long each way of asking a server to end is given: fast, immediate, killed.
const SERVER_PATIENCE: [(i32, Duration); 3] = [
    (libc::SIGINT, Duration::from_mins(1)),
    (libc::SIGQUIT, Duration::from_secs(10)),
    (libc::SIGKILL, Duration::from_secs(5)),
];
/// The same for what a killed server leaves behind. A process without work notices by itself, at once.
const REST_PATIENCE: [(i32, Duration); 3] = [
    (0, Duration::from_secs(2)),
    (libc::SIGQUIT, Duration::from_secs(5)),
    (libc::SIGKILL, Duration::from_secs(5)),
];

/// The contents of `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    /// The server's process.
    pub(super) process: i32,
    /// The socket's folder; empty until it listens.
    pub(super) socket: PathBuf,
    /// Whether connections are accepted.
    pub(super) ready: bool,
}

impl Postmaster {
    /// What the file of a data folder says; none if it is not there or not yet complete.
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |number: usize| text.lines().nth(number - 1).unwrap_or_default().trim();
        // A server in single-user mode writes its process negated.
        let process = line(1).parse::<i32>().ok()?.checked_abs().filter(|process| *process > 1)?;
        Some(Self { process, socket: PathBuf::from(line(5)), ready: line(8) == "ready" })
    }

    /// Whether its process is alive and really the server of this folder: after a crash the number may belong to
    /// another program.
    pub(super) fn is_true(&self, data: &Path) -> bool {
        system::alive(self.process) && works_in(&PathBuf::from(format!("/proc/{}", self.process)), data)
    }
}

/// Whether a process, as its folder in `/proc`, is a Postgres of this data folder: each of them works there.
fn works_in(process: &Path, data: &Path) -> bool {
    let named = |name: String| name.trim() == "postgres";
    fs::read_to_string(process.join("comm")).is_ok_and(named)
        && fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == data)
}

/// Every process of Postgres that works in this data folder.
fn all_in(data: &Path) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        if let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && works_in(&entry.path(), data)
        {
            found.push(process);
        }
    }
    Ok(found)
}

/// The process of the running server.
pub(super) fn running(folders: &Folders) -> Option<i32> {
    let data = folders.data();
    Postmaster::read(&data)
        .filter(|postmaster| postmaster.is_true(&data))
        .map(|postmaster| postmaster.process)
}

/// Ends a server that lost its supervisor and what a killed server left running (which would hold its memory), and
/// removes a `postmaster.pid` that is not true: Postgres itself would refuse to start while the number in it belongs
/// to any living process.
///
/// The caller holds `start.lock` and `supervisor.lock`, so nobody else starts a server here.
pub(super) fn clear(folders: &Folders) -> Result<()> {
    let data = folders.data();
    if let Some(process) = running(folders) {
        end(folders, &SERVER_PATIENCE, || {
            Ok(running(folders).into_iter().filter(|now| *now == process).collect())
        })?;
    }
    end(folders, &REST_PATIENCE, || all_in(&data))?;
    let path = data.join("postmaster.pid");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { what: "remove the stale", path, source: error })
        }
        _ => Ok(()),
    }
}

/// Ends what `left` still finds, in ways that become rougher.
fn end(folders: &Folders, ways: &[(i32, Duration)], left: impl Fn() -> io::Result<Vec<i32>>) -> Result<()> {
    let failed = |source| Error::File { what: "end the server of", path: folders.data(), source };
    for (signal, patience) in ways {
        for process in left().map_err(failed)? {
            system::signal(process, *signal).map_err(failed)?;
        }
        if wait(*patience, || left().map(|left| left.is_empty())).map_err(failed)? {
            return Ok(());
        }
    }
    match left().map_err(failed)?.first() {
        Some(process) => Err(Error::Orphan { process: *process, folder: folders.root().to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_by_its_line_numbers() {
        let text = "4711\n/data\n1763600000\n5432\n/run/b\n\n  1 2\nready   \n";
        let expected = Postmaster { process: 4711, socket: PathBuf::from("/run/b"), ready: true };
        assert_eq!(Postmaster::parse(text), Some(expected));
        let starting = "-4711\n/data\n1763600000\n";
        let expected = Postmaster { process: 4711, socket: PathBuf::new(), ready: false };
        assert_eq!(Postmaster::parse(starting), Some(expected));
        for broken in ["", "x\n", "0\n", "1\n", "99999999999\n"] {
            assert_eq!(Postmaster::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_number_of_another_program_is_not_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let process = i32::try_from(std::process::id()).expect("a process id");
        let claimed = Postmaster { process, socket: PathBuf::new(), ready: true };
        assert!(!claimed.is_true(folder.path()));
    }
}
