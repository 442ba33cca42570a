//! The built program, with nothing of the environment in which the tests run.

use std::path::Path;
use std::process::{Command, Stdio};

/// A command in that folder, with those settings alone.
pub fn program(folder: &Path, arguments: &[&str], environment: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    for (name, _) in std::env::vars() {
        if name.starts_with("BATON_") || name.starts_with("PG") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}
