//! The load: wrk with a script that asks for one page after the other.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::Tenant;
use super::pages::Page;
use crate::process::Listening;
use crate::{Outcome, process};

/// What the server reached.
pub struct Run {
    /// Requests a second.
    pub per_second: f64,
    /// Median time of an answer.
    pub p50_ms: f64,
    /// The time that one answer in a hundred exceeds.
    pub p99_ms: f64,
    /// Processor time of the server for a request.
    pub cpu_us: f64,
    /// Bytes of an answer with its head.
    pub answer_bytes: f64,
}

#[derive(Deserialize)]
struct Summary {
    requests: f64,
    duration_us: f64,
    bytes: f64,
    p50_us: f64,
    p99_us: f64,
    failed: u64,
    refused: u64,
}

/// Asks on that many connections for that many seconds, with access tokens.
pub async fn run(
    folder: &Path,
    server: &Listening,
    tenants: &[Tenant],
    pages: &[Page],
    load: (u32, u32),
) -> Outcome<Run> {
    run_as(folder, server, pages, load, |page| &tenants[page.tenant].token).await
}

/// The same with another credential.
pub async fn run_as<'t>(
    folder: &Path,
    server: &Listening,
    pages: &[Page],
    (connections, seconds): (u32, u32),
    credential: impl Fn(&Page) -> &'t str,
) -> Outcome<Run> {
    let (script, list) = (folder.join("load.lua"), folder.join("pages.txt"));
    std::fs::write(&script, include_str!("load.lua"))?;
    let mut text = String::new();
    for page in pages {
        writeln!(text, "{}\n{}", credential(page), page.body)?;
    }
    std::fs::write(&list, text)?;
    let mut command = Command::new("wrk");
    command.args([
        "-t",
        "1",
        "-c",
        &connections.to_string(),
        "-d",
        &format!("{seconds}s"),
        "--timeout",
        "20s",
    ]);
    command.arg("-s").arg(script).env("BENCH_PAGES", list);
    command.arg(format!("http://127.0.0.1:{}/graphql", server.port));
    eprintln!("graphql: wrk, {connections} connections");
    let before = server.cpu_seconds()?;
    let said = tokio::task::spawn_blocking(move || process::run(command)).await??;
    let cpu = server.cpu_seconds()? - before;
    let result = said.lines().find_map(|line| line.strip_prefix("RESULT "));
    let summary: Summary = serde_json::from_str(result.ok_or_else(|| format!("wrk said: {said}"))?)?;
    if summary.failed + summary.refused > 0 {
        let Summary { failed, refused, .. } = summary;
        return Err(format!("under load {refused} requests were refused and {failed} got no answer").into());
    }
    let run = Run {
        per_second: summary.requests * 1e6 / summary.duration_us,
        p50_ms: summary.p50_us / 1e3,
        p99_ms: summary.p99_us / 1e3,
        cpu_us: cpu * 1e6 / summary.requests,
        answer_bytes: summary.bytes / summary.requests,
    };
    eprintln!("graphql: {:.0} requests/s, {:.0} µs of the server each", run.per_second, run.cpu_us);
    Ok(run)
}
