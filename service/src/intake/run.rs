//! The run of an import: one thread reads and applies the rules, two connections merge.
//!
//! Postgres needs four fifths of the time, keeping indexes; two streams use both it and the
//! processor while memory stays at a handful of batches. [`super::together`] keeps the batches of one import from
//! waiting for each other's commits; those of two imports may meet in a deadlock over the same keys, and the one that Postgres
//! ends is tried again.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use domain::ids::{ImportId, SourceId, TenantId};
use domain::intake::{Scratch, Settings};
use entity::lead_source;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::copy::CopyRows;
use super::failed::{self, RefusedOrigin};
use super::imports::{Counts, LEASE_SECONDS, Leased};
use super::merge::{self, Origin, Outcome};
use super::prepare::{self, Prepared};
use super::reader::{Batch, FileError, Options, Reader, Shape};
use super::together::{Part, Together};
use super::{CONTENTION_RETRIES, ending, sources, submit};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Connections that merge batches of one import at the same time.
const STREAMS: usize = 2;

/// How an import ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every record is accounted for.
    Done(Counts),
    /// The file cannot be imported, or its import was given up; the message says what was stored and what to do.
    Failed(String),
    /// Cancelled, or taken over by another worker.
    Stopped(Counts),
}

/// How a file is read: the operator's limits, and what the rules need to know beside the records.
#[derive(Clone, Debug)]
pub struct FileRules {
    /// Of the reader.
    pub options: Options,
    /// Of the rules.
    pub settings: Settings,
}

/// Runs an import to its end. An error means that it can go on later from where it is; a file that waits is given up after several
/// in a row.
pub async fn run(app: &Arc<App>, leased: &Leased) -> Result<Ended, Error> {
    // Whoever drops the run ends the heartbeat, too: it would hold the import for nobody.
    let heartbeat = AbortOnDropHandle::new(tokio::spawn(heartbeat(Arc::clone(app), leased.clone())));
    let ended = steps(app, leased).await;
    drop(heartbeat);
    let ended = match ended {
        Err(error) => ending::interrupted(app, leased, error).await,
        ended => ended,
    };
    app.wake.progress();
    ended
}

async fn steps(app: &Arc<App>, leased: &Leased) -> Result<Ended, Error> {
    let tenant = TenantId(leased.import.tenant_id);
    let shape = match checked(app, leased).await? {
        Ok(shape) => shape,
        Err(message) => return ending::finish(app, leased, Ended::Failed(message)).await,
    };
    store_shape(app, leased, &shape).await?;
    let (sender, receiver) = mpsc::channel::<Prepared>(1);
    let done = done_batches(app, tenant, ImportId(leased.import.id)).await?;
    let refused_before = refused_before(app, leased).await?;
    let reading = {
        let (leased, mut rules) = (leased.clone(), app.file_rules());
        // The check has seen all of the file, and does so again on each try.
        rules.options.encoding = Some(shape.encoding);
        tokio::task::spawn_blocking(move || read(&leased, &rules, &done, &sender))
    };
    let receiver = Arc::new(Mutex::new(receiver));
    let together = Arc::new(Together::default());
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let (app, leased) = (Arc::clone(app), leased.clone());
        let (receiver, together) = (Arc::clone(&receiver), Arc::clone(&together));
        streams.spawn(stream(app, leased, receiver, together, refused_before));
    }
    // The streams hold the only receivers: when both have stopped, the reader's next send fails and it stops too.
    drop(receiver);
    let mut stopped = false;
    let mut failure = None;
    while let Some(joined) = streams.join_next().await {
        match joined.map_err(|error| Error::internal("merging an import", error))? {
            Ok(on) => stopped |= !on,
            Err(error) => failure = Some(error),
        }
    }
    let read = reading.await.map_err(|error| Error::internal("reading an import's file", error))?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let counts = ending::counts(app, leased).await?;
    if stopped {
        return Ok(Ended::Stopped(counts));
    }
    read?;
    ending::finish(app, leased, Ended::Done(counts)).await
}

/// Reads the whole file once without storing anything: its shape, or why it cannot be imported.
async fn checked(app: &App, leased: &Leased) -> Result<Result<Shape, String>, Error> {
    let (leased, rules) = (leased.clone(), app.file_rules());
    let check = move || -> Result<Result<Shape, String>, Error> {
        let file = match File::open(&leased.path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(unreadable(&leased.path, &error))),
        };
        match check(file, &leased.source, &rules) {
            Ok(shape) => Ok(Ok(shape)),
            Err(Error::Invalid { code, message, .. }) => Ok(Err(format!("{message} [{code}]"))),
            Err(other) => Err(other),
        }
    };
    tokio::task::spawn_blocking(check).await.map_err(|error| Error::internal("checking a file", error))?
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("the file {name} cannot be opened ({error}): send it again [READ_FAILED]")
}

/// Whether the source can read that file to its end.
pub fn check(
    input: impl Read + Send + 'static,
    source: &lead_source::Model,
    rules: &FileRules,
) -> Result<Shape, Error> {
    let mut reader = Reader::open(input, &rules.options).map_err(refused)?;
    let shape = reader.shape().clone();
    prepare::plan_for(source, &shape, &rules.settings)?;
    let mut batch = Batch::default();
    while reader.next_batch(&mut batch).map_err(refused)? {}
    Ok(Shape { encoding: reader.encoding_of_all(), ..shape })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn refused(error: FileError) -> Error {
    let line = error.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    Error::Invalid {
        field: Some("file".into()),
        code: error.code.into(),
        message: format!("{}{line}. Nothing of the file was imported.", error.message.trim_end_matches('.')),
    }
}

async fn store_shape(app: &App, leased: &Leased, shape: &Shape) -> Result<(), Error> {
    let mut tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE import SET encoding = $3, format = $4, columns = $5, delimiter = $6 WHERE tenant_id = $1 AND id = $2",
    )
    .bind(leased.import.tenant_id)
    .bind(leased.import.id)
    .bind(shape.encoding)
    .bind(shape.format.as_str())
    .bind((!shape.header.is_empty()).then_some(&shape.header))
    .bind(shape.delimiter.map(String::from))
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn done_batches(app: &App, tenant: TenantId, import: ImportId) -> Result<HashSet<i32>, Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let done: Vec<i32> =
        sqlx::query_scalar("SELECT batch FROM import_batch WHERE tenant_id = $1 AND import_id = $2")
            .bind(tenant.uuid())
            .bind(import.uuid())
            .fetch_all(tx.connection())
            .await?;
    Ok(done.into_iter().collect())
}

/// Whether an earlier import of the file has left refused records that may be leads now: the mapping was mended meanwhile.
async fn refused_before(app: &App, leased: &Leased) -> Result<bool, Error> {
    let mut tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadOnly).await?;
    failed::wait_from_before(tx.connection(), refused_origin(leased, app.clock.now())).await
}

/// Counts the bytes that pass, for the progress.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Reads batch after batch, sends each through the rules and on to the streams, but for those that are done.
fn read(
    leased: &Leased,
    rules: &FileRules,
    done: &HashSet<i32>,
    sender: &mpsc::Sender<Prepared>,
) -> Result<(), Error> {
    let file =
        File::open(&leased.path).map_err(|error| Error::internal("opening an import's file", error))?;
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = Counted { input: file, bytes: Arc::clone(&bytes) };
    let mut reader = Reader::open(counted, &rules.options).map_err(refused)?;
    let plan = prepare::plan_for(&leased.source, reader.shape(), &rules.settings)?;
    let mut scratch = Scratch::default();
    let mut batch = Batch::default();
    let mut number = 0;
    while reader.next_batch(&mut batch).map_err(refused)? {
        if !done.contains(&number) {
            let mut prepared = prepare::prepare(&plan, &batch, &mut scratch);
            prepared.batch = number;
            prepared.bytes_read = i64::try_from(bytes.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            if sender.blocking_send(prepared).is_err() {
                return Ok(());
            }
        }
        number += 1;
    }
    Ok(())
}

/// Merges batches until there are none. False: the import was cancelled or taken over.
async fn stream(
    app: Arc<App>,
    leased: Leased,
    receiver: Arc<Mutex<mpsc::Receiver<Prepared>>>,
    together: Arc<Together>,
    refused_before: bool,
) -> Result<bool, Error> {
    let mut rows = CopyRows::default();
    loop {
        let mut receiver = receiver.lock().await;
        let Some(prepared) = receiver.recv().await else { return Ok(true) };
        let origin = origin(&app, &leased)?;
        let mut part = together.enter(prepared.batch, &origin, &prepared.candidates);
        drop(receiver);
        let mut attempts = 0;
        let on = loop {
            let merging =
                merge_batch(&app, &leased, &origin, &prepared, &mut part, &mut rows, refused_before);
            match merging.await {
                Err(error) if error.is_contention() && attempts < CONTENTION_RETRIES => attempts += 1,
                other => break other?,
            }
        };
        if !on {
            return Ok(false);
        }
        app.wake.delivery();
        app.wake.progress();
    }
}

fn origin(app: &App, leased: &Leased) -> Result<Origin, Error> {
    Ok(Origin {
        tenant: TenantId(leased.import.tenant_id),
        source: SourceId(leased.source.id),
        import: Some(ImportId(leased.import.id)),
        identity: sources::mapping_of(&leased.source)?.identity,
        channel: "file",
        actor: None,
        now: app.clock.now(),
    })
}

fn refused_origin(leased: &Leased, now: DateTime<Utc>) -> RefusedOrigin<'_> {
    RefusedOrigin {
        tenant: TenantId(leased.import.tenant_id),
        source: SourceId(leased.source.id),
        import: Some(ImportId(leased.import.id)),
        file_hash: &leased.import.file_hash,
        now,
    }
}

async fn merge_batch(
    app: &App,
    leased: &Leased,
    origin: &Origin,
    prepared: &Prepared,
    part: &mut Part<'_>,
    rows: &mut CopyRows,
    refused_before: bool,
) -> Result<bool, Error> {
    let Origin { tenant, now, .. } = *origin;
    let import = ImportId(leased.import.id);
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mine: Option<bool> = sqlx::query_scalar(
        "SELECT state = 'running' AND lease = $3 FROM import WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(import.uuid())
    .bind(leased.lease)
    .fetch_one(tx.connection())
    .await?;
    if mine != Some(true) {
        return Ok(false);
    }
    let (resolved, _) =
        merge::merge(tx.connection(), origin, &prepared.candidates, Some(part), &app.ids, rows).await?;
    let refused = refused_origin(leased, now);
    failed::store(tx.connection(), refused, &prepared.refused, &app.ids).await?;
    if refused_before {
        failed::read_again(tx.connection(), refused, &resolved, &prepared.refused).await?;
    }
    let count = |wanted: Outcome| {
        i32::try_from(resolved.iter().filter(|one| one.outcome == wanted).count()).unwrap_or(i32::MAX)
    };
    let rejected = i32::try_from(prepared.refused.len()).unwrap_or(i32::MAX);
    let records = i32::try_from(resolved.len()).unwrap_or(i32::MAX) + rejected + prepared.skipped;
    sqlx::query(
        "INSERT INTO import_batch (tenant_id, import_id, batch, bytes_read, records, accepted, warned, updated,
                                   duplicates, rejected, skipped, committed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tenant.uuid())
    .bind(import.uuid())
    .bind(prepared.batch)
    .bind(prepared.bytes_read)
    .bind(records)
    .bind(count(Outcome::Accepted))
    .bind(count(Outcome::Warned))
    .bind(count(Outcome::Updated))
    .bind(count(Outcome::Duplicate))
    .bind(rejected)
    .bind(prepared.skipped)
    .bind(now)
    .execute(tx.connection())
    .await?;
    ending::goes_on(tx.connection(), leased).await?;
    tx.commit().await?;
    for one in &resolved {
        let outcome = submit::Outcome::from(one.outcome).as_str();
        metrics::counter!("baton_records_total", "outcome" => outcome).increment(1);
    }
    metrics::counter!("baton_records_total", "outcome" => "reject").increment(prepared.refused.len() as u64);
    Ok(true)
}

/// Renews the lease until it is aborted.
async fn heartbeat(app: Arc<App>, leased: Leased) {
    let every = std::time::Duration::from_secs(LEASE_SECONDS.unsigned_abs() / 3);
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = hold(&app, &leased, Some(LEASE_SECONDS)).await {
            tracing::warn!(import.id = %ImportId(leased.import.id), error = &error as &dyn std::error::Error, "lease not renewed");
        }
    }
}

/// Gives the lease up, so that another worker can go on at once. For whoever drops a [`run`] before its end, too.
pub async fn release(app: &App, leased: &Leased) {
    if let Err(error) = hold(app, leased, None).await {
        tracing::warn!(import.id = %ImportId(leased.import.id), error = &error as &dyn std::error::Error, "lease not released");
    }
}

async fn hold(app: &App, leased: &Leased, seconds: Option<i64>) -> Result<(), Error> {
    let until = seconds.map(|seconds| app.clock.now() + chrono::TimeDelta::seconds(seconds));
    let mut tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadWrite).await?;
    sqlx::query("UPDATE import SET leased_until = $4 WHERE tenant_id = $1 AND id = $2 AND lease = $3")
        .bind(leased.import.tenant_id)
        .bind(leased.import.id)
        .bind(leased.lease)
        .bind(until)
        .execute(tx.connection())
        .await?;
    tx.commit().await?;
    Ok(())
}
