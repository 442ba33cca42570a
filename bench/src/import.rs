//! A file of a million dirty rows, beside one psql `\copy` of the rows that came of it, into the same table with the same
//! keys and indexes; then the same with a destination, so that a pending delivery commits with each lead.
//!
//! The import runs in a process of its own, whose peak memory is read when it is done. The clean rows are what the
//! import left in the table, so both store the same; the table is emptied in between.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use domain::ids::TenantId;
use serde::{Deserialize, Serialize};
use service::access;
use service::database::Mode;
use service::intake::imports::{self, Counts, ReceivedFile};
use service::intake::run::{self, Ended};
use service::intake::sources;
use sha2::{Digest, Sha256};

use crate::data::Form;
use crate::report::{Aim, Line};
use crate::world::{self, World};
use crate::{Outcome, Size, process};

const TENANT: &str = "acme";
const SOURCE: &str = "experian";

/// What the importing process says at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    seconds: f64,
    peak_memory_mb: f64,
    records: i64,
    accepted: i64,
    warned: i64,
    updated: i64,
    duplicates: i64,
    rejected: i64,
}

impl Done {
    fn stored(&self) -> i64 {
        self.accepted + self.warned
    }

    fn note(&self) -> String {
        format!(
            "{} rows: {} stored ({} of them with warnings), {} updates, {} duplicates, {} refused",
            self.records,
            self.stored(),
            self.warned,
            self.updated,
            self.duplicates,
            self.rejected
        )
    }
}

/// Imports a file as `baton import` does, and prints [`Done`].
pub async fn run_part(data_dir: &Path, tenant: &str, source: &str, file: &Path) -> Outcome<()> {
    let app = world::open(data_dir).await?;
    let tenant = access::tenant(&app, tenant).await?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let source = sources::by_slug(&tx, source).await?;
    drop(tx);
    let started = Instant::now();
    let received = ReceivedFile {
        name: "leads.csv".to_owned(),
        bytes: std::fs::metadata(file)?.len(),
        hash: hash(file)?,
        stored_as: None,
    };
    let receipt = imports::receive(&app, tenant, &source, received, None).await?;
    let leased = imports::lease(&app, tenant, receipt.import, Some(file.to_owned())).await?;
    let leased = leased.ok_or("another process has the import")?;
    let counts: Counts = match run::run(&app, &leased).await? {
        Ended::Done(counts) => counts,
        Ended::Failed(message) => return Err(message.into()),
        Ended::Stopped(_) => return Err("the import was stopped".into()),
    };
    let seconds = started.elapsed().as_secs_f64();
    let done = Done {
        seconds,
        peak_memory_mb: process::peak_memory_mb()?,
        records: counts.records,
        accepted: counts.accepted,
        warned: counts.warned,
        updated: counts.updated,
        duplicates: counts.duplicates,
        rejected: counts.rejected,
    };
    println!("{}", serde_json::to_string(&done)?);
    app.database.clone().close().await?;
    Ok(())
}

fn hash(file: &Path) -> Outcome<[u8; 32]> {
    let mut input = std::fs::File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
    }
}

/// The four figures.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let world = World::new().await?;
    let tenant = world.tenant(TENANT).await?;
    world.source(tenant, SOURCE, Form::Experian.kind()).await?;
    let (file, tenth) = (world.folder().join("large.csv"), world.folder().join("small.csv"));
    eprintln!("import: writing files");
    Form::Experian.write(&file, size.of(1_000_000))?;
    Form::Experian.write(&tenth, size.of(100_000))?;

    let small = import(&world, &tenth).await?;
    empty(&world).await?;
    let plain = import(&world, &file).await?;
    let clean = world.folder().join("clean.copy");
    export(&world, tenant, &clean)?;
    empty(&world).await?;
    let first_copy = copy(&world, &clean, plain.stored()).await?;
    empty(&world).await?;
    // Nobody delivers: the address only has to be one.
    world.destination(tenant, "bonzo", "http://127.0.0.1:9/leads".to_owned()).await?;
    let delivering = import(&world, &file).await?;
    empty(&world).await?;
    let second_copy = copy(&world, &clean, plain.stored()).await?;
    world.close().await?;

    let yardstick = f64::midpoint(first_copy, second_copy);
    let copies = format!("\\copy took {first_copy:.1} and {second_copy:.1} s");
    Ok(vec![
        Line::new("import", "s", plain.seconds)
            .beside(yardstick)
            .aim(Aim::RatioAtMost(1.5))
            .note(format!("{}; {copies}", plain.note())),
        Line::new("import with one destination", "s", delivering.seconds)
            .beside(yardstick)
            .aim(Aim::RatioAtMost(2.5))
            .note("each lead with its pending delivery"),
        Line::new("import, peak memory", "MB", plain.peak_memory_mb)
            .aim(Aim::AtMost(150.0))
            .note(format!("{:.1} MB with a destination", delivering.peak_memory_mb)),
        Line::new("import, peak memory against a tenth of the rows", "MB", plain.peak_memory_mb)
            .beside(small.peak_memory_mb)
            .aim(Aim::RatioAtMost(1.2))
            .note(format!("{} rows", small.records)),
    ])
}

async fn import(world: &World, file: &Path) -> Outcome<Done> {
    settle(world).await?;
    eprintln!("import: {}", file.display());
    let mut command = process::part("run-import")?;
    command.arg(world.folder()).args([TENANT, SOURCE]).arg(file);
    let done: Done = serde_json::from_str(&process::run(command)?)?;
    eprintln!("import: {:.1} s, {}", done.seconds, done.note());
    Ok(done)
}

/// The rows that the import left, clean, as text.
fn export(world: &World, tenant: TenantId, to: &Path) -> Outcome<()> {
    let (tenant, to) = (tenant.uuid(), to.display());
    let text = format!("\\copy (SELECT * FROM lead WHERE tenant_id = '{tenant}' ORDER BY id) TO '{to}'");
    world.psql(&text)?;
    Ok(())
}

/// Seconds of one `\copy` of the clean rows.
async fn copy(world: &World, from: &Path, rows: i64) -> Outcome<f64> {
    settle(world).await?;
    eprintln!("import: \\copy");
    let seconds = world.psql(&format!("\\copy lead FROM '{}'", from.display()))?.as_secs_f64();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM lead").fetch_one(world.owner()?).await?;
    if stored != rows {
        return Err(format!("\\copy stored {stored} rows, the import {rows}").into());
    }
    eprintln!("import: {seconds:.1} s");
    Ok(seconds)
}

/// Empties what an import fills, with all that refers to leads; sources and imports stay.
async fn empty(world: &World) -> Outcome<()> {
    sqlx::raw_sql("TRUNCATE lead, failed_record CASCADE").execute(world.owner()?).await?;
    Ok(())
}

/// Lets no run pay for the writes of the one before.
async fn settle(world: &World) -> Outcome<()> {
    sqlx::raw_sql("CHECKPOINT").execute(world.owner()?).await?;
    Ok(())
}
