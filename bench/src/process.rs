//! Parts of the program in processes of their own, and what the kernel says of a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::Outcome;

/// This program again, as another part of the measure.
pub fn part(name: &str) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    Ok(command)
}

/// A part that runs until this is dropped, and has said on which port.
pub struct Listening {
    child: Child,
    /// On 127.0.0.1.
    pub port: u16,
}

impl Listening {
    /// Starts it and waits for its first line, the port.
    pub fn start(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("a part without output")?;
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| format!("a part said `{line}` and not its port"))?;
        Ok(Self { child, port })
    }

    /// Processor time so far, user and system, in seconds.
    pub fn cpu_seconds(&self) -> Outcome<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may hold spaces; proc(5) counts utime and stime as fields 14 and 15.
        let after = stat.rsplit_once(')').ok_or("an unreadable /proc/…/stat")?.1;
        let ticks: Vec<f64> =
            after.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        // SAFETY: it reads a constant of the system.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok(ticks.iter().sum::<f64>() / f64::from(i32::try_from(per_second)?))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end and gives its output; an error says what it said.
pub fn run(mut command: Command) -> Outcome<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("{program} cannot be run ({error}): install it"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(format!("{program}: {status}: {}", String::from_utf8_lossy(&stderr).trim()).into())
}

/// The most memory that this process has had resident, in megabytes.
pub fn peak_memory_mb() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
