//! `baton import`: files, read where they lie.
//!
//! Ctrl-C stops between batches; what was merged stays, and the same command goes on from there. So does it after a crash.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::ids::{ImportId, TenantId};
use entity::lead_source;
use serde::Serialize;
use service::App;
use service::database::Mode;
use service::intake::imports::{self, Counts, LEASE_SECONDS, Leased, ReceivedFile};
use service::intake::{run, sources};
use sha2::{Digest as _, Sha256};

use super::context::Context;
use super::progress::FileProgress;
use super::{Done, Failure, Output, Row, Style};
use crate::serve::stop_signal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The lead source that the files come from.
    #[arg(long, value_name = "SLUG")]
    source: String,
    /// CSV, JSON, or one JSON object a line; gzip is recognised.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ImportRow {
    pub(crate) file: String,
    pub(crate) source: String,
    pub(crate) import_id: Option<String>,
    /// `done`, `failed`, or `stopped`.
    pub(crate) state: &'static str,
    pub(crate) records: i64,
    pub(crate) accepted: i64,
    pub(crate) warned: i64,
    pub(crate) updated: i64,
    pub(crate) duplicates: i64,
    pub(crate) rejected: i64,
    pub(crate) skipped: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Row for ImportRow {
    const COLUMNS: &'static [&'static str] = &[
        "file",
        "import_id",
        "state",
        "records",
        "accepted",
        "warned",
        "updated",
        "duplicates",
        "rejected",
        "skipped",
    ];
}

impl ImportRow {
    fn new(file: &Path, source: &str, import: Option<ImportId>, state: &'static str, counts: Counts) -> Self {
        Self {
            file: file.display().to_string(),
            source: source.to_owned(),
            import_id: import.map(|id| id.to_string()),
            state,
            records: counts.records,
            accepted: counts.accepted,
            warned: counts.warned,
            updated: counts.updated,
            duplicates: counts.duplicates,
            rejected: counts.rejected,
            skipped: counts.skipped,
            error: None,
        }
    }
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let source = sources::by_slug(&tx, &arguments.source).await?;
            drop(tx);
            let mut rows = Vec::new();
            for file in &arguments.files {
                let row = import(&app, tenant, &source, file).await.unwrap_or_else(|failure| ImportRow {
                    error: Some(failure.text()),
                    ..ImportRow::new(file, &source.slug, None, "failed", Counts::default())
                });
                let stopped = row.state == "stopped";
                rows.push(row);
                if stopped {
                    break;
                }
            }
            print(context, &rows)?;
            Ok(verdict(&rows))
        })
        .await
}

fn print(context: &Context, rows: &[ImportRow]) -> Result<(), Failure> {
    for row in rows {
        if let Some(error) = &row.error {
            Output::note(&format!("{}: {error}", row.file));
        }
        if row.rejected > 0
            && let Some(id) = &row.import_id
        {
            Output::note(&format!(
                "{}: {} records were refused; see why with: baton records list --import {id}",
                row.file, row.rejected
            ));
        }
    }
    match (context.output.style(), rows) {
        // A script that imports one file wants the object, not a list of one.
        (Style::Json, [row]) => Output::json(row),
        _ => context.output.list(rows),
    }
}

fn verdict(rows: &[ImportRow]) -> Done {
    if rows.iter().any(|row| row.state != "done") {
        Done::Badly
    } else if rows.iter().any(|row| row.rejected > 0) {
        Done::WithFailures
    } else {
        Done::Well
    }
}

/// Imports one file where it lies.
pub(crate) async fn import(
    app: &Arc<App>,
    tenant: TenantId,
    source: &lead_source::Model,
    path: &Path,
) -> Result<ImportRow, Failure> {
    let received = examine(path, app.settings.file_bytes_max).await?;
    let bytes = received.bytes;
    let id = imports::receive(app, tenant, source, received, None).await?.import;
    let row = |state, counts| ImportRow::new(path, &source.slug, Some(id), state, counts);
    let leased = match hold(app, tenant, id, path).await? {
        Held::Leased(leased) => leased,
        Held::Ended(ended) => return Ok(come_to(ended, row)),
    };
    let progress = FileProgress::begin(&path.file_name().unwrap_or_default().to_string_lossy(), bytes);
    let ended = tokio::select! {
        ended = run::run(app, &leased) => ended?,
        () = watch(app, tenant, id, &progress) => unreachable!("it watches until it is dropped"),
        () = stop_signal() => {
            run::release(app, &leased).await;
            let counts = counts(app, tenant, id).await?;
            let error = Some("stopped; the same command goes on from here".to_owned());
            return Ok(ImportRow { error, ..row("stopped", counts) });
        }
    };
    drop(progress);
    Ok(come_to(ended, row))
}

/// How an import that has ended is told.
fn come_to(ended: run::Ended, row: impl Fn(&'static str, Counts) -> ImportRow) -> ImportRow {
    match ended {
        run::Ended::Done(counts) => row("done", counts),
        run::Ended::Failed(why) => ImportRow { error: Some(why), ..row("failed", Counts::default()) },
        run::Ended::Stopped(counts) => {
            let error = Some("somebody cancelled this import, or another process took it over".to_owned());
            ImportRow { error, ..row("stopped", counts) }
        }
    }
}

/// Name, size and hash of a file, read once from end to end.
pub(crate) async fn examine(path: &Path, bytes_max: u64) -> Result<ReceivedFile, Failure> {
    let (path, attempted) = (path.to_owned(), format!("reading {}", path.display()));
    let read = move || -> io::Result<ReceivedFile> {
        let mut file = File::open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        if metadata.len() > bytes_max {
            return Err(io::Error::other(format!(
                "it has {} bytes and {bytes_max} are allowed; split it, or raise intake.file_bytes_max",
                metadata.len()
            )));
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 17];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(ReceivedFile { name, bytes, hash: hash.finalize().into(), stored_as: None })
    };
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|error| Failure::failed(attempted.clone(), error))?
        .map_err(|error| Failure::failed(attempted, error))
}

enum Held {
    Leased(Box<Leased>),
    /// Another process has brought it to its end, or somebody has cancelled it.
    Ended(run::Ended),
}

/// Takes hold of the import. One that a killed process left is free when that one's lease ends.
async fn hold(app: &App, tenant: TenantId, id: ImportId, path: &Path) -> Result<Held, Failure> {
    const PAUSE: Duration = Duration::from_millis(500);
    let tries = (LEASE_SECONDS.unsigned_abs() + 5) * 2;
    for attempt in 0..tries {
        if let Some(leased) = imports::lease(app, tenant, id, Some(path.to_owned())).await? {
            return Ok(Held::Leased(Box::new(leased)));
        }
        let tx = app.begin(tenant, Mode::ReadOnly).await?;
        let found = imports::by_id(&tx, id).await?;
        drop(tx);
        if found.state != "received" && found.state != "running" {
            let counts = counts(app, tenant, id).await?;
            return Ok(Held::Ended(ended_elsewhere(&found.state, found.error, counts)));
        }
        if attempt == 0 {
            tracing::warn!(import.id = %id, "another process works on this file, or was killed; waiting for its lease to end");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(service::Error::Conflict("another process is importing this file now; let it finish".into()).into())
}

/// The end of an import as its row has it.
fn ended_elsewhere(state: &str, error: Option<String>, counts: Counts) -> run::Ended {
    match state {
        "done" => run::Ended::Done(counts),
        "cancelled" => run::Ended::Stopped(counts),
        _ => run::Ended::Failed(error.unwrap_or_else(|| format!("the import is {state}"))),
    }
}

/// Shows the progress until it is dropped.
async fn watch(app: &App, tenant: TenantId, id: ImportId, progress: &FileProgress) {
    const PAUSE: Duration = Duration::from_millis(250);
    let mut come_further = app.wake.progress_watch();
    loop {
        // The sender is App's own, which outlives this.
        if come_further.changed().await.is_err() {
            return std::future::pending().await;
        }
        // What cannot be read now is shown the next time.
        if let Ok(counts) = counts(app, tenant, id).await {
            progress.show(&counts);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn counts(app: &App, tenant: TenantId, id: ImportId) -> Result<Counts, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let counts = imports::counts(&tx, &[id]).await?;
    Ok(counts.first().map(|(_, counts)| *counts).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_elsewhere_is_told_as_it_ended() {
        let row = |state, counts| ImportRow::new(Path::new("leads.csv"), "experian", None, state, counts);
        for (state, error, told, why) in [
            ("done", None, "done", ""),
            ("failed", Some("the array never closes"), "failed", "the array never closes"),
            ("cancelled", None, "stopped", "somebody cancelled this import"),
        ] {
            let counts = Counts { records: 7, ..Counts::default() };
            let row = come_to(ended_elsewhere(state, error.map(str::to_owned), counts), row);
            assert_eq!(row.state, told);
            assert!(row.error.as_deref().unwrap_or_default().starts_with(why), "{row:?}");
            assert_eq!(row.error.is_none(), told == "done", "{row:?}");
            assert_eq!(verdict(&[row]) == Done::Well, told == "done");
        }
    }
}
