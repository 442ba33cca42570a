//! The few calls of the operating system that the standard library does not offer.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The user that this process acts as.
pub(super) fn effective_user() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether a process of this id is alive, whoever owns it.
pub(super) fn alive(process: i32) -> bool {
    // SAFETY: signal 0 sends nothing; it only asks whether the process is there.
    let answer = unsafe { libc::kill(process, 0) };
    answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Sends a signal. A process that is gone is no error.
pub(super) fn signal(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain integers; the callers have checked that the process is the one they mean.
    if unsafe { libc::kill(process, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

/// Room on the file system of a folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskSpace {
    /// What an unprivileged process may still write.
    pub(super) free_bytes: u64,
    /// The whole.
    pub(super) total_bytes: u64,
}

/// Room on the file system that holds `folder`.
pub(super) fn disk_space(folder: &Path) -> io::Result<DiskSpace> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero byte, and `answer` is large enough and written before it is read.
    let answer = unsafe {
        if libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer.assume_init()
    };
    let block = answer.f_frsize;
    Ok(DiskSpace { free_bytes: answer.f_bavail * block, total_bytes: answer.f_blocks * block })
}

/// The machine's memory in bytes.
pub(super) fn memory_bytes() -> Option<u64> {
    // SAFETY: takes plain integers; -1 means unknown.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    Some(u64::try_from(pages).ok()? * u64::try_from(page).ok()?)
}

/// The uid and gid of a user of this machine.
pub(super) fn user_ids(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
