//! The server's parent: a process of its own that stops the server after its last user.
//!
//! It cannot be the `baton` that started the server, because others may still use the server when that one ends. It
//! is the process that the standard library forks to run `postgres`: instead of becoming `postgres` it forks once
//! more, lets that child become it, and stays behind to watch. So it needs no second program and no hidden command.
//!
//! It was forked from a program with threads, so until it ends it may make system calls only: no memory is
//! allocated, no lock of the language or the C library taken, nothing printed. All it needs was prepared before.
//! It holds `supervisor.lock` all its life; how it ends does not matter, the kernel releases the lock, and the
//! parent-death signal stops the server.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::identity::{Identity, Namespace};

/// How often it looks for users, in milliseconds. The end of the server wakes it at once.
const LOOK_MS: i64 = 100;
/// How long the server may take to shut down in good order before it is told to drop everything, and before it is
/// killed, in milliseconds.
const FAST_MS: i64 = 60_000;
const IMMEDIATE_MS: i64 = 10_000;

/// What a supervisor is made from.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// The `postgres` program.
    pub(super) program: PathBuf,
    /// The cluster's data.
    pub(super) data: PathBuf,
    /// As whom it runs; the supervisor too, except in a namespace.
    pub(super) identity: Identity,
    /// Where the server writes.
    pub(super) log: File,
    /// A handle of its own on `start.lock`.
    pub(super) start: File,
    /// A handle of its own on `users.lock`.
    pub(super) users: File,
    /// `supervisor.lock`, held.
    pub(super) supervision: File,
    /// How long the server stays after its last user.
    pub(super) linger: Duration,
}

impl Supervisor {
    /// Forks the supervisor, which forks the server. The child that is returned is the supervisor.
    pub(super) fn spawn(self) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("-D").arg(&self.data).current_dir("/");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        if let Identity::User { .. } = self.identity {
            self.identity.apply(&mut command);
        }
        let namespace = self.identity.namespace();
        let title = Title::new(&self.data);
        let watch = Watch {
            start: self.start.as_raw_fd(),
            users: self.users.as_raw_fd(),
            supervision: self.supervision.as_raw_fd(),
            linger_ms: i64::try_from(self.linger.as_millis()).unwrap_or(i64::MAX),
        };
        // SAFETY: the closure makes system calls only, over memory that was made before the fork, as the module's
        // text explains. The descriptors stay open in this process until `spawn` has returned.
        unsafe { command.pre_exec(move || split(namespace.as_ref(), watch, title.as_ref())) };
        command.spawn()
    }
}

/// The descriptors that the supervisor keeps, and its patience.
#[derive(Debug, Clone, Copy)]
struct Watch {
    start: RawFd,
    users: RawFd,
    supervision: RawFd,
    linger_ms: i64,
}

/// Forks. Returns in the child, which then becomes `postgres`; the parent stays here as the supervisor.
fn split(namespace: Option<&Namespace>, watch: Watch, title: Option<&Title>) -> io::Result<()> {
    // SAFETY: system calls over plain integers and, for `prctl`, a text that lives for ever. The bare `clone` system
    // call is `fork` without the C library's handlers, which may take locks that another thread of the program
    // held when it was forked.
    unsafe {
        // Away from the terminal: ^C is for the program in front.
        libc::setsid();
        let supervisor = libc::getpid();
        match libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                if let Some(namespace) = namespace {
                    namespace.enter()?;
                }
                // After every change of user, which would undo it.
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // The supervisor may have died before the line above.
                if libc::getppid() != supervisor {
                    return Err(io::Error::from_raw_os_error(libc::ECHILD));
                }
                Ok(())
            }
            server => {
                libc::prctl(libc::PR_SET_NAME, c"baton-postgres".as_ptr());
                if let Some(title) = title {
                    title.show();
                }
                watch.run(i32::try_from(server).unwrap_or(-1))
            }
        }
    }
}

/// What `ps` shows of the supervisor, so that nobody takes it for a second `baton` (nor ends it with the first).
#[derive(Debug)]
struct Title {
    text: String,
    /// Where the kernel reads this program's arguments, and how many bytes.
    place: usize,
    length: usize,
}

impl Title {
    /// None if the kernel does not say where the arguments are: then the title stays as it is.
    fn new(data: &Path) -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is a name in parentheses that may hold anything; the third follows the last parenthesis.
        // The place is fields 48 and 49, see proc_pid_stat(5).
        let mut fields = status.rsplit_once(')')?.1.split_ascii_whitespace().skip(48 - 3);
        let place = fields.next()?.parse().ok().filter(|place| *place != 0)?;
        let end: usize = fields.next()?.parse().ok()?;
        let text = format!("baton-postgres: supervisor of {}", data.display());
        Some(Self { text, place, length: end.checked_sub(place)? })
    }

    /// Writes over the arguments that this process inherited.
    ///
    /// # Safety
    /// Only for the process that `split` forked: in it nobody reads the arguments again.
    unsafe fn show(&self) {
        let place = std::ptr::with_exposed_provenance_mut::<u8>(self.place);
        // SAFETY: the kernel put the arguments there, in writable memory of this process, and said how many bytes.
        unsafe {
            std::ptr::write_bytes(place, 0, self.length);
            // The last byte stays NUL: without it the kernel shows on into the environment, which may hold secrets.
            let fits = self.text.len().min(self.length.saturating_sub(1));
            std::ptr::copy_nonoverlapping(self.text.as_ptr(), place, fits);
        }
    }
}

impl Watch {
    /// Watches until the server has ended.
    ///
    /// # Safety
    /// Only for the process that `split` forked: it closes every descriptor that it does not know and ends the
    /// process.
    unsafe fn run(self, server: libc::pid_t) -> ! {
        // SAFETY: see above; everything called is a system call.
        unsafe {
            self.close_others();
            prepare_signals();
            let mut unused_ms = 0;
            loop {
                end_with(server);
                if self.unused(unused_ms >= self.linger_ms) {
                    if unused_ms >= self.linger_ms {
                        stop(server);
                    }
                    unused_ms += LOOK_MS;
                } else {
                    unused_ms = 0;
                }
                sleep(LOOK_MS);
            }
        }
    }

    /// Whether nobody uses the cluster. With `keep`, both locks stay held if so: whoever wants to join then waits
    /// until the server has stopped.
    unsafe fn unused(self, keep: bool) -> bool {
        // SAFETY: system calls over descriptors that this process holds.
        unsafe {
            if libc::flock(self.start, libc::LOCK_EX | libc::LOCK_NB) != 0 {
                return false;
            }
            let unused = libc::flock(self.users, libc::LOCK_EX | libc::LOCK_NB) == 0;
            if !(unused && keep) {
                libc::flock(self.users, libc::LOCK_UN);
                libc::flock(self.start, libc::LOCK_UN);
            }
            unused
        }
    }

    /// Closes every descriptor but the three locks and the standard ones: sockets, files and the handles that hold
    /// the starting program's own locks came with the fork.
    unsafe fn close_others(self) {
        let mut keep = [self.start, self.users, self.supervision];
        keep.sort_unstable();
        let mut first = 3;
        for kept in keep {
            // SAFETY: nothing in this process uses the descriptors of the gap.
            unsafe { close_from(first, kept - 1) };
            first = kept + 1;
        }
        // SAFETY: as above.
        unsafe { close_from(first, RawFd::MAX) };
    }
}

/// Stops the server: in good order, else at once, else by force. Then ends.
unsafe fn stop(server: libc::pid_t) -> ! {
    // SAFETY: the server is this process's child and not yet waited for, so the number is still its own.
    unsafe {
        for (signal, patience) in [(libc::SIGINT, FAST_MS), (libc::SIGQUIT, IMMEDIATE_MS)] {
            libc::kill(server, signal);
            let mut waited = 0;
            while waited < patience {
                end_with(server);
                sleep(LOOK_MS);
                waited += LOOK_MS;
            }
        }
        libc::kill(server, libc::SIGKILL);
        libc::waitpid(server, std::ptr::null_mut(), 0);
        libc::_exit(0)
    }
}

/// Ends this process if the server has ended.
unsafe fn end_with(server: libc::pid_t) {
    // SAFETY: system calls over plain integers; no status is asked for.
    unsafe {
        if libc::waitpid(server, std::ptr::null_mut(), libc::WNOHANG) != 0 {
            libc::_exit(0);
        }
    }
}

unsafe fn close_from(first: RawFd, last: RawFd) {
    /// As many as are tried one by one on a kernel before 5.9.
    const TRIED: RawFd = 65_535;
    if first > last {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            for descriptor in first..=last.min(TRIED) {
                libc::close(descriptor);
            }
        }
    }
}

/// The starting program's handlers mean nothing here. Only `SIGKILL` ends a supervisor; the end of its child wakes it.
unsafe fn prepare_signals() {
    // SAFETY: system calls over local memory.
    unsafe {
        for signal in 1..=31 {
            libc::signal(signal, if signal == libc::SIGCHLD { libc::SIG_DFL } else { libc::SIG_IGN });
        }
        let set = child_signal();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Sleeps until the time is over or the server has ended.
unsafe fn sleep(milliseconds: i64) {
    let time = libc::timespec { tv_sec: milliseconds / 1000, tv_nsec: (milliseconds % 1000) * 1_000_000 };
    // SAFETY: local memory; the signal's details are not asked for.
    unsafe {
        let set = child_signal();
        libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const time);
    }
}

unsafe fn child_signal() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: `sigemptyset` writes the whole set before it is read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        set.assume_init()
    }
}
