//! The program at a terminal: commands in a folder of their own, and a server beside them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::program;

/// A terminal in a folder of its own.
pub struct Terminal {
    pub folder: TempDir,
    pub environment: Vec<(&'static str, String)>,
}

impl Terminal {
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder"), environment: Vec::new() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        program(self.folder.path(), arguments, &self.environment)
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("it runs"))
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        Ended::of(child.wait_with_output().expect("it ends"))
    }

    /// The JSON of a command that does well.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.json()
    }
}

/// A server in the background. It is told to stop when it is dropped, so that a failed test leaves nothing behind.
pub struct Server(Child);

impl Server {
    /// Returns once it listens.
    pub fn start(terminal: &Terminal) -> Self {
        let mut command = terminal.command(&["serve", "--no-worker"]);
        command.env("BATON_HTTP__LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        assert!(
            lines.any(|line| line.starts_with("Baton listens on http://127.0.0.1:")),
            "it never listened"
        );
        // The pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }

    pub fn stop(mut self) -> i32 {
        signal(&self.0, "TERM");
        self.0.wait().expect("it ends").code().expect("no signal ended it")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(&self.0, "TERM");
            let _ = self.0.wait();
        }
    }
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// Waits until the program would not just die of Ctrl-C.
pub fn wait_for_handler(child: &Child) {
    const SIGINT: u64 = 1 << 1;
    let status = format!("/proc/{}/status", child.id());
    for _ in 0..1_000 {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
        if u64::from_str_radix(caught.trim(), 16).expect("a mask") & SIGINT != 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never handled Ctrl-C");
}

/// A command that has ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
