//! As whom Postgres runs. It refuses to run as root, so there it becomes another user.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::system;
use super::{Error, Result};

/// As whom Postgres runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// As this process: it is not root.
    Same,
    /// As an unprivileged user, who owns the data.
    User { uid: u32, gid: u32 },
    /// As root that looks like an unprivileged user inside a user namespace: for a folder that nobody but root can
    /// reach, such as one below `/root`. The data stays root's.
    Namespace { uid: u32, gid: u32 },
}

impl Identity {
    /// Decides for a cluster below `root` whose data, if there is any, is in `data`.
    pub(super) fn choose(root: &Path, data: &Path) -> Result<Self> {
        if system::effective_user() != 0 {
            return Ok(Self::Same);
        }
        let owner = fs::metadata(data).ok().filter(|metadata| metadata.uid() != 0);
        let owner = owner.map(|metadata| (metadata.uid(), metadata.gid()));
        let (uid, gid) = owner
            .or_else(|| system::user_ids("postgres"))
            .or_else(|| system::user_ids("nobody"))
            .ok_or(Error::NoUser)?;
        Ok(match blocking(root, uid, gid) {
            None => Self::User { uid, gid },
            Some(_) => Self::Namespace { uid, gid },
        })
    }

    /// Who owns the files, seen from outside.
    fn owner(self) -> Option<(u32, u32)> {
        match self {
            Self::Same => None,
            Self::User { uid, gid } => Some((uid, gid)),
            Self::Namespace { .. } => Some((0, 0)),
        }
    }

    /// Whether this identity may enter a folder and each one above it.
    pub(super) fn reaches(self, folder: &Path) -> bool {
        match self {
            Self::User { uid, gid } => blocking(folder, uid, gid).is_none(),
            Self::Same | Self::Namespace { .. } => true,
        }
    }

    /// Gives it one file or folder.
    pub(super) fn own(self, path: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner() else { return Ok(()) };
        chown(path, Some(uid), Some(gid)).map_err(|source| Error::File {
            what: "give away",
            path: path.to_owned(),
            source,
        })
    }

    /// Gives it a folder and everything inside, unless the folder is its own already.
    pub(super) fn own_all(self, folder: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner() else { return Ok(()) };
        let failed = |source| Error::File { what: "give away", path: folder.to_owned(), source };
        if fs::metadata(folder).map_err(failed)?.uid() == uid {
            return Ok(());
        }
        give(folder, uid, gid).map_err(failed)
    }

    /// Lets a program be run with this identity.
    pub(super) fn apply(self, command: &mut Command) {
        match self {
            Self::Same => {}
            Self::User { uid, gid } => {
                command.uid(uid).gid(gid);
            }
            Self::Namespace { .. } => {
                let namespace = self.namespace();
                let enter = move || namespace.as_ref().map_or(Ok(()), Namespace::enter);
                // SAFETY: between fork and exec only system calls are made, over memory made before.
                unsafe { command.pre_exec(enter) };
            }
        }
    }

    /// What is needed to enter the namespace, for those that apply it themselves.
    pub(super) fn namespace(self) -> Option<Namespace> {
        match self {
            Self::Namespace { uid, gid } => Some(Namespace::new(uid, gid)),
            Self::Same | Self::User { .. } => None,
        }
    }

    /// Explains why a program could not be run with this identity.
    pub(super) fn explain(self, program: PathBuf, root: &Path, source: io::Error) -> Error {
        match self {
            Self::Namespace { uid, gid } if source.kind() == io::ErrorKind::PermissionDenied => {
                let blocked = blocking(root, uid, gid).unwrap_or_else(|| root.to_owned());
                Error::Unreachable { user: uid, blocked, source }
            }
            _ => Error::Run { program, source },
        }
    }
}

/// The topmost folder, of `folder` and those above it, that a user may not enter.
fn blocking(folder: &Path, uid: u32, gid: u32) -> Option<PathBuf> {
    let mut above: Vec<&Path> = folder.ancestors().collect();
    above.reverse();
    let closed = |path: &&&Path| {
        fs::metadata(path).is_ok_and(|metadata| {
            let mode = metadata.permissions().mode();
            let bit = if metadata.uid() == uid {
                0o100
            } else if metadata.gid() == gid {
                0o010
            } else {
                0o001
            };
            mode & bit == 0
        })
    };
    above.iter().find(closed).map(|path| path.to_path_buf())
}

fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    // Last of all, so that a chown that was interrupted is done again at the next start.
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

/// A user namespace in which root looks like another user. Everything is prepared before the fork.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    uid_map: CString,
    gid_map: CString,
}

impl Namespace {
    fn new(uid: u32, gid: u32) -> Self {
        let map = |id: u32| CString::new(format!("{id} 0 1")).expect("digits and spaces");
        Self { uid_map: map(uid), gid_map: map(gid) }
    }

    /// Moves the calling process into the namespace. Makes system calls only, so it may be called between fork and
    /// exec.
    pub(super) fn enter(&self) -> io::Result<()> {
        // SAFETY: a plain flag.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // The kernel wants this refusal before a group is mapped.
        write(c"/proc/self/setgroups", c"deny")?;
        write(c"/proc/self/uid_map", &self.uid_map)?;
        write(c"/proc/self/gid_map", &self.gid_map)
    }
}

fn write(path: &std::ffi::CStr, text: &std::ffi::CStr) -> io::Result<()> {
    // SAFETY: both texts end with a zero byte and live through the calls; the descriptor is closed here.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        let length = text.count_bytes();
        let written = libc::write(file, text.as_ptr().cast(), length);
        let outcome =
            if usize::try_from(written) == Ok(length) { Ok(()) } else { Err(io::Error::last_os_error()) };
        libc::close(file);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_blocks_all_but_its_owner() {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().canonicalize().expect("a path");
        let inside = home.join("data");
        fs::create_dir(&inside).expect("a folder");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("a mode");
        let owner = fs::metadata(&home).expect("metadata").uid();
        assert_eq!(blocking(&inside, owner + 4242, 424_242), Some(home.clone()));
        assert_eq!(blocking(&inside, owner, 424_242), None);
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).expect("a mode");
        assert_eq!(blocking(&inside, owner + 4242, 424_242), None);
    }
}
