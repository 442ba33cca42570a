//! A Postgres that somebody else runs and that asks for passwords: the built binary, a second real cluster on a port of its own.

#[path = "cli/program.rs"]
mod program;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use program::program;

/// As hostile to an address as a password may be.
const PASSWORD: &str = "p@ss w:rd/%41?#";
const PASSWORD_ENCODED: &str = "p%40ss%20w%3Ard%2F%2541%3F%23";

/// A cluster that lets nobody in without a password. It stops when it is dropped.
struct Server {
    folder: TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let (data, secret) = (folder.path().join("data"), folder.path().join("password"));
        fs::create_dir(&data).expect("a folder");
        fs::write(&secret, PASSWORD).expect("written");
        if let Some((uid, gid)) = unprivileged(folder.path()) {
            chown(&data, Some(uid), Some(gid)).expect("given away");
            chown(&secret, Some(uid), Some(gid)).expect("given away");
        }
        // Free a moment ago; whoever takes it meanwhile makes the test fail, not pass.
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let server = Self { folder, port };
        let secret = format!("--pwfile={}", secret.display());
        server.program(
            "initdb",
            &["-U", "admin", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C", &secret],
        );
        let options = format!(
            "-h 127.0.0.1 -p {port} -c unix_socket_directories='' -c fsync=off -c logging_collector=on"
        );
        server.program("pg_ctl", &["-w", "-o", &options, "start"]);
        server
    }

    /// Runs a program of Postgres on the cluster's data, as a user that Postgres accepts.
    fn program(&self, name: &str, arguments: &[&str]) {
        let data = self.folder.path().join("data");
        let mut command = Command::new(binaries().join(name));
        command.arg("-D").arg(&data).args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((uid, gid)) = unprivileged(self.folder.path()) {
            command.uid(uid).gid(gid);
        }
        assert!(command.status().expect("it runs").success(), "{name}");
    }

    fn url(&self, password: &str) -> String {
        format!("postgres://admin:{password}@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.program("pg_ctl", &["-m", "immediate", "stop"]);
    }
}

/// The newest Postgres of this machine.
fn binaries() -> PathBuf {
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let of_debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let mut found: Vec<PathBuf> = of_debian
        .chain(on_path)
        .filter(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed")
}

/// Whom Postgres runs as when this is root, which it refuses.
fn unprivileged(folder: &Path) -> Option<(u32, u32)> {
    const NOBODY: u32 = 65_534;
    (fs::metadata(folder).expect("a folder").uid() == 0).then_some((NOBODY, NOBODY))
}

struct Terminal {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Terminal {
    fn new(environment: Vec<(&'static str, String)>) -> Self {
        Self { folder: TempDir::new().expect("a folder"), environment }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = program(self.folder.path(), arguments, &self.environment);
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let said = String::from_utf8([stdout, stderr].concat()).expect("UTF-8");
        assert!(
            !said.contains(PASSWORD) && !said.contains(PASSWORD_ENCODED),
            "{arguments:?} tells the password: {said}"
        );
        (status.code().expect("no signal"), said)
    }

    /// What the doctor finds: its exit code, and state and text by name.
    fn doctor(&self) -> (i32, impl Fn(&str) -> (String, String) + use<>) {
        let (code, said) = self.run(&["doctor", "--output", "json"]);
        let findings: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let of = move |name: &str| {
            let all = findings.as_array().expect("findings");
            let one = all
                .iter()
                .find(|finding| finding["name"] == name)
                .unwrap_or_else(|| panic!("{name}: {findings}"));
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            (text("state"), format!("{} {}", text("what"), text("remedy")))
        };
        (code, of)
    }
}

#[test]
fn a_given_server_is_used_with_its_password_however_it_is_named() {
    let server = Server::start();
    let by_url = |password: &str| vec![("DATABASE_URL", server.url(password))];

    // Refused at the door: which server, what to check, and nothing is made.
    let locked_out = Terminal::new(by_url("wrong"));
    let (code, of) = locked_out.doctor();
    let (state, text) = of("server");
    assert_eq!((code, state.as_str()), (1, "fail"), "{text}");
    assert!(
        text.contains("password") && text.contains("DATABASE_URL") && text.contains(&server.port.to_string()),
        "{text}"
    );
    let (code, said) = locked_out.run(&["tenant", "list"]);
    assert!(code == 1 && said.contains("password authentication failed"), "{code}: {said}");

    // Empty: the doctor says what is missing, the first command migrates and makes the restricted role with a password of its own.
    let terminal = Terminal::new(by_url(PASSWORD_ENCODED));
    let (code, of) = terminal.doctor();
    assert_eq!((code, of("migrations").0.as_str()), (1, "fail"));
    let (code, said) = terminal.run(&["tenant", "create", "acme"]);
    assert_eq!(code, 0, "{said}");
    let (code, of) = terminal.doctor();
    for name in ["server", "version", "owner role", "login role", "migrations"] {
        let (state, text) = of(name);
        assert_eq!(state, "ok", "{name}: {text}");
    }
    assert_eq!(code, 0);
    assert!(of("login role").1.contains("baton_app"), "{}", of("login role").1);
    assert!(!terminal.folder.path().join("data/postgres").exists(), "no private cluster is made");

    // The same server by its parts, and by the parts without the password.
    let port = server.port.to_string();
    let parts = [("PGHOST", "127.0.0.1"), ("PGPORT", &port), ("PGUSER", "admin"), ("PGDATABASE", "postgres")];
    let parts = || parts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>();
    let mut terminal = Terminal { environment: parts(), ..terminal };
    let (code, said) = terminal.run(&["tenant", "list"]);
    assert_eq!(code, 1, "without a password: {said}");
    terminal.environment.push(("PGPASSWORD", PASSWORD.to_owned()));
    let (code, said) = terminal.run(&["tenant", "list"]);
    assert!(code == 0 && said.contains("acme"), "{code}: {said}");
    assert_eq!(terminal.doctor().0, 0);

    // A process that answers requests needs the restricted role's password alone.
    let restricted =
        fs::read_to_string(terminal.folder.path().join("data/baton_app.password")).expect("it is kept");
    let url = format!("postgres://baton_app:{}@127.0.0.1:{port}/postgres", restricted.trim());
    let terminal = Terminal { environment: vec![("BATON_DATABASE__APP_URL", url.clone())], ..terminal };
    let (code, of) = terminal.doctor();
    assert_eq!((code, of("owner role").0.as_str(), of("login role").0.as_str()), (0, "warn", "ok"));
    let (code, said) = terminal.run(&["source", "add", "experian", "--kind", "experian", "--tenant", "acme"]);
    assert_eq!(code, 0, "{said}");

    // A data folder that cannot be used hides neither the server nor the disk.
    let terminal = Terminal::new(vec![("BATON_DATABASE__APP_URL", url)]);
    fs::write(terminal.folder.path().join("data"), "").expect("a file in its place");
    let (code, of) = terminal.doctor();
    assert_eq!((code, of("data folder").0.as_str(), of("server").0.as_str()), (1, "fail", "ok"));
    assert!(of("disk").1.contains("free for"), "{}", of("disk").1);
}
