//! A tenant's export: one archive with everything of it in open formats.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::{operator_audit, tables};
use crate::access::{Actor, audit};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::intake::uploads;
use crate::storage;

/// Rows of a table that are read at a time.
const PAGE: usize = 2000;

type Archive = tar::Builder<GzEncoder<fs::File>>;

/// What an archive holds.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Whose.
    pub tenant: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The archive.
    pub path: PathBuf,
    /// Rows by table of the shared Postgres.
    pub postgres: BTreeMap<String, u64>,
    /// Rows by table of the tenant's own database.
    pub tenants: BTreeMap<String, u64>,
    /// Files of closed billing reports, and those that wait for their import.
    pub files: u64,
    /// What is left out, and why.
    pub left_out: &'static str,
}

const LEFT_OUT: &str = "passwords' and secrets' hashes, private signing keys, and sealed values: they prove or open \
    something and are made anew elsewhere";

/// Writes everything of a tenant into one gzipped tar archive: `manifest.json`, a file of JSON lines for each table of both
/// stores, the files of its billing reports, and those that were uploaded and wait. The tables of Postgres are read in one
/// snapshot. The file is complete or not there.
pub async fn export(app: &App, tenant: TenantId, path: &Path) -> Result<Exported, Error> {
    let failed = |source: io::Error| Error::internal(format!("writing {}", path.display()), source);
    let unfinished = path.with_extension("unfinished");
    let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = unfinished.display();
            let told = format!(
                "{there} is there: wait for the export that writes it, or remove it if that was killed"
            );
            return Err(Error::Conflict(told.into()));
        }
        opened => opened.map_err(failed)?,
    };
    let outcome = write_archive(app, tenant, path, file).await;
    match outcome {
        Ok(exported) => {
            fs::rename(&unfinished, path).map_err(failed)?;
            audit(app, tenant, Actor::Operator, "tenant.exported", tenant, json!({})).await?;
            operator_audit(app, "tenant.exported", Some(tenant), &json!({ "path": path })).await?;
            Ok(exported)
        }
        Err(error) => {
            // What is left of it is of no use to anybody.
            let _ = fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

async fn write_archive(app: &App, tenant: TenantId, path: &Path, file: fs::File) -> Result<Exported, Error> {
    let failed = |source: io::Error| Error::internal(format!("writing {}", path.display()), source);
    let now = app.clock.now();
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut postgres = BTreeMap::new();
    for table in tables(&mut tx).await? {
        let mut content = nameless_file(app).map_err(failed)?;
        let count = dump_table(&mut tx, &table, &mut content).await?;
        append(&mut archive, &format!("postgres/{table}.ndjson"), content, now).map_err(failed)?;
        postgres.insert(table, count);
    }
    tx.commit().await?;
    let store = app.tenants.open(tenant).await?;
    let mut own = BTreeMap::new();
    for table in store.tables().await? {
        let mut content = nameless_file(app).map_err(failed)?;
        let (mut count, mut page) = (0, 0);
        loop {
            let rows = store.dump(&table, page).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                writeln!(content, "{row}").map_err(failed)?;
            }
            count += rows.len() as u64;
            page += 1;
        }
        append(&mut archive, &format!("tenant/{table}.ndjson"), content, now).map_err(failed)?;
        own.insert(table, count);
    }
    let files = append_files(app, tenant, &mut archive).await?
        + append_uploads(app, tenant, &mut archive, now).map_err(failed)?;
    let exported = Exported {
        tenant: tenant.to_string(),
        at: now,
        path: path.to_owned(),
        postgres,
        tenants: own,
        files,
        left_out: LEFT_OUT,
    };
    let manifest = serde_json::to_vec_pretty(&exported)
        .map_err(|error| Error::internal("writing the archive's manifest", error))?;
    let mut head = header(manifest.len() as u64, now);
    archive.append_data(&mut head, "manifest.json", manifest.as_slice()).map_err(failed)?;
    let file = archive.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(exported)
}

/// The tenant's files of the object storage, one in memory at a time.
async fn append_files(app: &App, tenant: TenantId, archive: &mut Archive) -> Result<u64, Error> {
    use futures_util::TryStreamExt as _;
    use object_store::ObjectStoreExt as _;
    let failed = |source: io::Error| Error::internal("writing the archive", source);
    let unavailable = |error| Error::Unavailable { what: "the object storage", source: Box::new(error) };
    let (mut found, mut count) = (storage::list(app.storage.as_ref(), tenant), 0);
    while let Some(meta) = found.try_next().await? {
        let bytes =
            app.storage.get(&meta.location).await.map_err(unavailable)?.bytes().await.map_err(unavailable)?;
        let below = meta.location.as_ref().split_once('/').map_or("", |(_, below)| below);
        let mut head = header(bytes.len() as u64, meta.last_modified);
        archive.append_data(&mut head, format!("files/{below}"), bytes.as_ref()).map_err(failed)?;
        count += 1;
    }
    Ok(count)
}

/// The files that were uploaded and wait for their import or reconciliation.
fn append_uploads(app: &App, tenant: TenantId, archive: &mut Archive, now: DateTime<Utc>) -> io::Result<u64> {
    let folder = app.settings.data_dir.join(uploads::folder(tenant));
    let waiting = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        found => found?,
    };
    let mut count = 0;
    for entry in waiting {
        let entry = entry?;
        let file = match fs::File::open(entry.path()) {
            // Its import has ended meanwhile: its records are in the tables, or refused.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        // One that still comes goes along as far as it is here.
        let bytes = file.metadata()?.len();
        let name = format!("uploads/{}", entry.file_name().to_string_lossy());
        archive.append_data(&mut header(bytes, now), name, file.take(bytes))?;
        count += 1;
    }
    Ok(count)
}

/// A file without a name: gone when it is closed, whatever happens.
fn nameless_file(app: &App) -> io::Result<fs::File> {
    let path = app.settings.data_dir.join(format!(".export-{}", app.ids.next(app.clock.now())));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn header(bytes: u64, now: DateTime<Utc>) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(now.timestamp()).unwrap_or(0));
    header
}

fn append(archive: &mut Archive, name: &str, mut content: fs::File, now: DateTime<Utc>) -> io::Result<()> {
    let bytes = content.stream_position()?;
    content.rewind()?;
    archive.append_data(&mut header(bytes, now), name, content)
}

async fn dump_table(tx: &mut TenantTx, table: &str, content: &mut fs::File) -> Result<u64, Error> {
    use futures_util::TryStreamExt as _;
    let failed = |source: io::Error| Error::internal(format!("writing the rows of {table}"), source);
    let sealed: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND (attname LIKE '%\\_sealed' OR attname = 'secret_hash')",
    )
    .bind(table)
    .fetch_all(tx.connection())
    .await?;
    let sql = format!("SELECT (to_jsonb(t) - $1::text[])::text FROM {table} t");
    let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).bind(&sealed).fetch(tx.connection());
    let mut count = 0;
    let mut lines = Vec::with_capacity(PAGE * 200);
    while let Some(row) = rows.try_next().await? {
        lines.extend_from_slice(row.as_bytes());
        lines.push(b'\n');
        count += 1;
        if lines.len() >= PAGE * 200 {
            content.write_all(&lines).map_err(failed)?;
            lines.clear();
        }
    }
    content.write_all(&lines).map_err(failed)?;
    Ok(count)
}
