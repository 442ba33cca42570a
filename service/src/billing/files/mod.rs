//! A closed report as files: CSV, JSON, XLSX, PDF, made once and kept in the object storage.
//!
//! They are made of the stored report and its stored lines alone, a page of lines at a time, so the memory that a file takes
//! does not grow with its lines, and a file that was lost comes out the same, byte for byte, when it is made again.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::billing::{Currency, Period};
use domain::ids::{BillingReportId, PartnerId, RatePlanId, TenantId};
use entity::{Tenanted, billing_report, billing_report_file};
use object_store::path::Path as StorePath;
use object_store::{GetOptions, GetResult, ObjectStore};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::figures::Figures;
use super::rating::Line;
use super::{lines, partners, plans, reports};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

pub mod csv;
mod json;
mod pdf;
mod xlsx;

/// Lines that are read at a time.
const LINES_AT_ONCE: u32 = 5_000;
/// A file longer than this goes up in parts of this size, the least that S3 takes; up to eight of them are under way, and in memory. S3
/// takes ten thousand parts: a file may have 52 GB.
const PART_BYTES: usize = 5 << 20;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Lines alone; its SHA-256 is the report's own.
    Csv,
    /// Everything, for programs.
    Json,
    /// A workbook: totals, subtotals, lines.
    Xlsx,
    /// Pages for an accountant.
    Pdf,
}

/// Every kind of file.
pub const FORMATS: [Format; 4] = [Format::Csv, Format::Json, Format::Xlsx, Format::Pdf];

impl Format {
    /// Its name, which is the file's extension too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pdf => "application/pdf",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = FORMATS.into_iter().find(|format| format.as_str() == text);
        known.ok_or_else(|| Error::invalid("format", "a report's file is csv, json, xlsx or pdf"))
    }
}

/// What a file says beside its lines. Nothing of it changes after the close.
pub(super) struct Head {
    pub(super) report: BillingReportId,
    pub(super) partner_name: String,
    pub(super) partner_slug: String,
    pub(super) tenant_name: String,
    pub(super) period: Period,
    pub(super) time_zone: String,
    pub(super) version: i32,
    pub(super) plan: String,
    pub(super) currency: Currency,
    pub(super) figures: Figures,
    pub(super) line_count: i64,
    pub(super) line_hash: String,
    pub(super) input_hash: String,
    pub(super) closed_at: DateTime<Utc>,
    pub(super) reason: Option<String>,
}

impl Head {
    async fn load(tx: &TenantTx, id: BillingReportId) -> Result<Self, Error> {
        let report = reports::by_id(tx, id).await?;
        let partner = partners::partner(tx, PartnerId(report.partner_id)).await?;
        let plan = plans::plan(tx, RatePlanId(report.plan_id)).await?;
        let tenant = crate::access::own_tenant(tx).await?;
        Ok(Self {
            report: id,
            partner_name: report.partner_name.clone().unwrap_or(partner.name),
            partner_slug: partner.slug,
            tenant_name: report.tenant_name.clone().unwrap_or(tenant.name),
            period: reports::period(&report),
            time_zone: report.time_zone.clone(),
            version: report.version,
            plan: format!("{}, version {}", plan.slug, report.plan_version),
            currency: reports::currency(&report)?,
            figures: reports::figures(&report)?,
            line_count: report.line_count,
            line_hash: hex(&report.line_hash),
            input_hash: hex(&report.input_hash),
            closed_at: report.closed_at,
            reason: report.reason,
        })
    }

    fn money(&self, minor_units: i64) -> String {
        self.currency.show(minor_units)
    }

    /// Why the partner pays less than the gross, a sentence a reason.
    fn savings_explained(&self) -> Vec<String> {
        let totals = self.figures.totals;
        let mut sentences = Vec::new();
        let mut say = |amount: i64, count: i64, text: &str| {
            if count > 0 {
                let actions = counted(count, "action");
                sentences.push(format!("{} {}: {text} ({actions}).", self.money(amount), self.currency));
            }
        };
        say(totals.duplicates, totals.duplicate_actions, "repeats of an earlier action are not charged");
        say(totals.over_cap, totals.capped_actions, "over the cap of a lead user");
        say(totals.not_billable, totals.unbilled_actions, "not billable");
        sentences
    }
}

/// A count with its noun, as in `1 action`, `2 actions`.
fn counted(count: i64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The name that a file is saved under.
pub fn file_name(partner_slug: &str, report: &billing_report::Model, format: Format) -> String {
    format!("{partner_slug}-{}-v{}.{}", reports::period(report), report.version, format.as_str())
}

/// The files of a report that were made.
pub async fn of_report(
    tx: &TenantTx,
    report: BillingReportId,
) -> Result<Vec<billing_report_file::Model>, Error> {
    use billing_report_file::Column;
    let query = billing_report_file::Entity::of(tx.tenant()).filter(Column::ReportId.eq(report.uuid()));
    Ok(query.order_by_asc(Column::Format).all(tx).await?)
}

/// Makes what is missing of a report's files. What cannot be made now is made when somebody asks for it.
pub(super) async fn make_all(app: &Arc<App>, tenant: TenantId, report: BillingReportId) {
    for format in FORMATS {
        if let Err(error) = ensure(app, tenant, report, format).await {
            tracing::warn!(
                report.id = %report,
                format = format.as_str(),
                error = &error as &dyn std::error::Error,
                "a report's file could not be made; it is made when somebody asks for it"
            );
        }
    }
}

/// The file, made if it is not there yet.
pub async fn ensure(
    app: &Arc<App>,
    tenant: TenantId,
    report: BillingReportId,
    format: Format,
) -> Result<billing_report_file::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    reports::by_id(&tx, report).await?;
    let known = of_report(&tx, report).await?.into_iter().find(|file| file.format == format.as_str());
    drop(tx);
    if let Some(file) = known {
        return Ok(file);
    }
    let made = make(app, tenant, report, format).await?;
    let stored_as = format!("{}/reports/{}.{}", tenant.uuid(), report.uuid(), format.as_str());
    store(app, &stored_as, made.file).await?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "INSERT INTO billing_report_file (tenant_id, report_id, format, stored_as, bytes, sha256, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(report.uuid())
    .bind(format.as_str())
    .bind(&stored_as)
    .bind(made.bytes)
    .bind(made.sha256.as_slice())
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    let file = of_report(&tx, report).await?.into_iter().find(|file| file.format == format.as_str());
    tx.commit().await?;
    file.ok_or_else(|| Error::internal("keeping a report's file", "its row is not there"))
}

/// A file that was just made.
struct Made {
    file: File,
    bytes: i64,
    sha256: [u8; 32],
}

/// Makes the file in a temporary one: lines are read page by page on this side and written on another thread.
async fn make(app: &App, tenant: TenantId, report: BillingReportId, format: Format) -> Result<Made, Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let head = Head::load(&tx, report).await?;
    let (sender, mut receiver) = mpsc::channel::<Vec<Line>>(2);
    let writing = tokio::task::spawn_blocking(move || -> std::io::Result<Made> {
        let mut file = tempfile::tempfile()?;
        let lines = std::iter::from_fn(|| receiver.blocking_recv()).flatten();
        let out = BufWriter::with_capacity(1 << 17, &mut file);
        match format {
            Format::Csv => csv::write(&head, lines, out)?,
            Format::Json => json::write(&head, lines, out)?,
            Format::Xlsx => xlsx::write(&head, lines, out)?,
            Format::Pdf => pdf::write(&head, lines, out)?,
        }
        let (bytes, sha256) = measure(&mut file)?;
        Ok(Made { file, bytes, sha256 })
    });
    let fed = feed(&tx, report, sender).await;
    let made = writing.await.map_err(|error| Error::internal("writing a report's file", error))?;
    // Without all of the lines the file must not be kept, however well it was written.
    fed?;
    made.map_err(|error| Error::internal("writing a report's file", error))
}

async fn feed(tx: &TenantTx, report: BillingReportId, sender: mpsc::Sender<Vec<Line>>) -> Result<(), Error> {
    let mut last = 0;
    loop {
        let page = lines::after(tx, report, last, LINES_AT_ONCE).await?;
        let Some(line) = page.last() else { return Ok(()) };
        last = line.line;
        // The writer has met an error, and tells of it, or has all that it wants.
        if sender.send(page).await.is_err() {
            return Ok(());
        }
    }
}

fn measure(file: &mut File) -> std::io::Result<(i64, [u8; 32])> {
    file.rewind()?;
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
    file.rewind()?;
    Ok((i64::try_from(bytes).unwrap_or(i64::MAX), hash.finalize().into()))
}

async fn store(app: &App, stored_as: &str, file: File) -> Result<(), Error> {
    let failed =
        |error: std::io::Error| Error::Unavailable { what: "the object storage", source: Box::new(error) };
    let store: Arc<dyn ObjectStore> = Arc::clone(&app.storage);
    let place = StorePath::from(stored_as);
    let mut writer = object_store::buffered::BufWriter::with_capacity(store, place, PART_BYTES);
    let mut file = tokio::fs::File::from_std(file);
    match tokio::io::copy(&mut file, &mut writer).await {
        Ok(_) => writer.shutdown().await.map_err(failed),
        Err(error) => {
            // What was sent so far is thrown away; when that fails too, the first error is the one to tell.
            let _ = writer.abort().await;
            Err(failed(error))
        }
    }
}

/// The bytes of a stored file, from one to before another, as a stream.
pub async fn open(
    app: &App,
    file: &billing_report_file::Model,
    range: std::ops::Range<u64>,
) -> Result<futures_util::stream::BoxStream<'static, Result<bytes::Bytes, std::io::Error>>, Error> {
    use futures_util::{StreamExt as _, TryStreamExt as _};
    if range.is_empty() {
        return Ok(futures_util::stream::empty().boxed());
    }
    let options = GetOptions { range: Some(range.into()), ..Default::default() };
    let found = kept(app, file, options).await?;
    Ok(found.into_stream().map_err(std::io::Error::other).boxed())
}

/// All bytes of a file, for commands.
pub async fn read(app: &App, file: &billing_report_file::Model) -> Result<Vec<u8>, Error> {
    let found = kept(app, file, GetOptions::default()).await?;
    Ok(found.bytes().await.map_err(unavailable)?.to_vec())
}

/// What the storage has of a file. One that it has lost, or never had since it was changed for another, is made again.
async fn kept(app: &App, file: &billing_report_file::Model, options: GetOptions) -> Result<GetResult, Error> {
    let place = StorePath::from(file.stored_as.as_str());
    match app.storage.get_opts(&place, options.clone()).await {
        Err(object_store::Error::NotFound { .. }) => {
            Box::pin(make_again(app, file)).await?;
            app.storage.get_opts(&place, options).await.map_err(unavailable)
        }
        found => found.map_err(unavailable),
    }
}

/// Makes a file where it should be: the same, or it is not given out.
async fn make_again(app: &App, file: &billing_report_file::Model) -> Result<(), Error> {
    let (tenant, report) = (TenantId(file.tenant_id), BillingReportId(file.report_id));
    tracing::warn!(
        report.id = %report, format = file.format.as_str(),
        "a report's file is not where it was kept; it is made again"
    );
    let made = make(app, tenant, report, file.format.parse()?).await?;
    if made.sha256.as_slice() != file.sha256 {
        return Err(Error::internal("making a report's file again", "it is not the one that was kept"));
    }
    store(app, &file.stored_as, made.file).await
}

fn unavailable(error: object_store::Error) -> Error {
    Error::Unavailable { what: "the object storage", source: Box::new(error) }
}

/// Makes a file anew, beside the one that is kept, and answers its hash: the same bytes have the same one.
pub async fn hash_again(
    app: &App,
    tenant: TenantId,
    report: BillingReportId,
    format: Format,
) -> Result<[u8; 32], Error> {
    Ok(make(app, tenant, report, format).await?.sha256)
}
