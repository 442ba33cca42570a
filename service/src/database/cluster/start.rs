//! Making and starting the server. Everything here happens under `start.lock`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::super::system;
use super::binaries::Binaries;
use super::folders::{Folders, tail};
use super::identity::Identity;
use super::postmaster::{self, Postmaster};
use super::supervisor::Supervisor;
use super::{Durability, Error, OWNER, Options, Result, configuration};

/// How long the server may take until it accepts connections: it may recover from a crash first.
const READY_TIMEOUT: Duration = Duration::from_mins(4);
/// How often it is asked.
const READY_INTERVAL: Duration = Duration::from_millis(10);
/// The longest path of a unix socket, without the zero byte that ends it (`sockaddr_un` in unix(7)).
const SOCKET_PATH_MAX: usize = 107;
/// A log that is larger is begun anew at a start.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Makes sure that a server runs and accepts connections; returns the folder of its socket.
pub(super) fn ensure_running(folders: &Folders, options: &Options) -> Result<PathBuf> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        if let Some(supervision) = folders.claim_supervision()? {
            return start(folders, options, supervision);
        }
        // Somebody else's supervisor: the server runs, or has just crashed and takes its supervisor with it.
        if let Some(postmaster) = ready(folders) {
            return Ok(postmaster.socket);
        }
        if Instant::now() > deadline {
            return Err(not_started(folders));
        }
        sleep(READY_INTERVAL);
    }
}

fn start(folders: &Folders, options: &Options, supervision: fs::File) -> Result<PathBuf> {
    let data = folders.data();
    postmaster::clear(folders)?;
    let binaries = Binaries::find(folders.major()?, folders.root())?;
    let identity = Identity::choose(folders.root(), &data)?;
    if folders.major()?.is_none() {
        make(folders, options, &binaries, identity)?;
    }
    identity.own_all(&data)?;
    let socket = socket_folder(folders, identity)?;
    configure(folders, options, &socket)?;
    let log = open_log(folders)?;
    let program = binaries.program("postgres");
    let supervisor = Supervisor {
        program: program.clone(),
        data,
        identity,
        log,
        start: folders.open_start()?,
        users: folders.open_users()?,
        supervision,
        linger: options.linger,
    };
    let child = supervisor.spawn().map_err(|source| identity.explain(program, folders.root(), source))?;
    wait_until_ready(folders, child)
}

/// Waits for `ready`, as long as the supervisor lives. `postmaster.pid` was cleared before, so what stands in it now
/// is the new server's.
fn wait_until_ready(folders: &Folders, mut supervisor: Child) -> Result<PathBuf> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        if let Some(postmaster) = ready(folders) {
            reap(supervisor);
            return Ok(postmaster.socket);
        }
        let ended = supervisor.try_wait().is_ok_and(|status| status.is_some());
        if ended || Instant::now() > deadline {
            reap(supervisor);
            return Err(not_started(folders));
        }
        sleep(READY_INTERVAL);
    }
}

/// The supervisor may outlive this process or end before it; then somebody has to take note of its end.
fn reap(mut supervisor: Child) {
    std::thread::spawn(move || supervisor.wait());
}

fn ready(folders: &Folders) -> Option<Postmaster> {
    let data = folders.data();
    Postmaster::read(&data).filter(|postmaster| postmaster.ready && system::alive(postmaster.process))
}

fn not_started(folders: &Folders) -> Error {
    Error::NotStarted { log: folders.log(), tail: folders.log_tail() }
}

/// Runs initdb in a folder beside the wanted one and renames it, so that a kill in the middle leaves no half cluster.
fn make(folders: &Folders, options: &Options, binaries: &Binaries, identity: Identity) -> Result<()> {
    const DRAFT: &str = "data.new";
    let draft = folders.root().join(DRAFT);
    let failed = |what| {
        let path = draft.clone();
        move |source| Error::File { what, path, source }
    };
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(failed("remove the unfinished"))?;
    }
    fs::create_dir(&draft).map_err(failed("make"))?;
    identity.own(&draft)?;
    initdb(folders, options, binaries, identity, &draft)?;
    let settings = draft.join("conf.d");
    fs::create_dir(&settings).map_err(failed("make the settings of"))?;
    identity.own(&settings)?;
    let main = OpenOptions::new().append(true).open(draft.join("postgresql.conf"));
    main.and_then(|mut file| file.write_all(b"\ninclude_dir = 'conf.d'\n"))
        .map_err(failed("write the settings of"))?;
    fs::rename(&draft, folders.data()).map_err(failed("put into place"))
}

fn initdb(
    folders: &Folders,
    options: &Options,
    binaries: &Binaries,
    identity: Identity,
    draft: &Path,
) -> Result<()> {
    let program = binaries.program("initdb");
    let mut command = Command::new(&program);
    command.arg("-D").arg(draft).args(["--username", OWNER, "--encoding=UTF8", "--no-instructions"]);
    // Who may open the socket may connect; the socket's folder is closed to others. There is no TCP port.
    command.args(["--auth-local=trust", "--auth-host=reject", "--locale=C.UTF-8"]);
    if options.durability == Durability::None {
        command.arg("--no-sync");
    }
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
    identity.apply(&mut command);
    let output = command.output().map_err(|source| identity.explain(program, folders.root(), source))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(Error::Initdb { output: tail(&String::from_utf8_lossy(&printed), 6) })
}

fn configure(folders: &Folders, options: &Options, socket: &Path) -> Result<()> {
    let path = folders.data().join("conf.d").join("baton.conf");
    let draft = path.with_extension("conf.new");
    let text = configuration::text(options.durability, socket);
    let written =
        fs::write(&draft, text).and_then(|()| fs::set_permissions(&draft, fs::Permissions::from_mode(0o644)));
    written.and_then(|()| fs::rename(&draft, &path)).map_err(|source| Error::File {
        what: "write",
        path,
        source,
    })
}

fn open_log(folders: &Folders) -> Result<fs::File> {
    let path = folders.log();
    let too_long = fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    if too_long {
        fs::remove_file(&path).map_err(|source| Error::File {
            what: "begin anew",
            path: path.clone(),
            source,
        })?;
    }
    options.open(&path).map_err(|source| Error::File { what: "open", path, source })
}

/// An empty folder for the socket that its owner alone may enter: in the cluster's folder, or, when that path is too
/// long for a socket, a short one in the temporary folder with a name made from the cluster's.
fn socket_folder(folders: &Folders, identity: Identity) -> Result<PathBuf> {
    let name = format!("baton-{}", short_hash(folders.root()));
    let near = folders.root().join("run");
    let temporary = [std::env::temp_dir().join(&name), Path::new("/tmp").join(&name)];
    let usable =
        |folder: &&PathBuf| fits(folder) && folder.parent().is_some_and(|above| identity.reaches(above));
    let folder =
        if fits(&near) { near } else { temporary.iter().find(usable).unwrap_or(&temporary[1]).clone() };
    let failed = |what| {
        let path = folder.clone();
        move |source| Error::File { what, path, source }
    };
    if let Ok(metadata) = fs::symlink_metadata(&folder) {
        // In the shared temporary folder the name may be taken, by somebody who hopes that we connect there.
        let trusted =
            [0, system::effective_user(), fs::metadata(folders.data()).map_or(0, |data| data.uid())];
        if !metadata.is_dir() || !trusted.contains(&metadata.uid()) {
            let source = std::io::Error::other("somebody else has taken this name: remove it");
            return Err(Error::File { what: "use", path: folder, source });
        }
        fs::remove_dir_all(&folder).map_err(failed("empty"))?;
    }
    fs::create_dir(&folder).map_err(failed("make"))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(failed("set the mode of"))?;
    identity.own(&folder)?;
    Ok(folder)
}

fn fits(folder: &Path) -> bool {
    folder.join(format!(".s.PGSQL.{}", super::PORT)).as_os_str().as_bytes().len() <= SOCKET_PATH_MAX
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_fits_up_to_107_bytes() {
        let of_length = |bytes: usize| PathBuf::from(format!("/{}", "d".repeat(bytes - 1)));
        let name = "/.s.PGSQL.5432".len();
        assert!(fits(&of_length(107 - name)));
        assert!(!fits(&of_length(108 - name)));
    }
}
