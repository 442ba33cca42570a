//! Reports: as figures, as files, compared, verified.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use domain::billing::Period;
use domain::ids::{BillingReportId, PartnerId, TenantId};
use entity::{billing_report, partner};
use futures_util::TryStreamExt as _;
use service::App;
use service::billing::difference::{self, ChangedLine};
use service::billing::files::{self, Format};
use service::billing::rating::{self, LineFilter};
use service::billing::{partners, reports};
use service::database::Mode;

use super::rows::{DifferenceRow, ReportRow, SumRow, VerifyRow};
use crate::cli::{Done, Failure, Output, Style};

pub(super) async fn show(
    output: Output,
    app: &App,
    tenant: TenantId,
    report: billing_report::Model,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let partner = partners::partner(&tx, PartnerId(report.partner_id)).await?;
    output.one(&ReportRow::of(report, &[partner])?)
}

pub(super) async fn report(
    output: Output,
    app: &App,
    tenant: TenantId,
    partner: &partner::Model,
    period: Period,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let id = PartnerId(partner.id);
    let (currency, figures) = if let Some(report) = reports::live(&tx, id, period).await? {
        Output::note(&format!("Closed: {}, version {}.", BillingReportId(report.id), report.version));
        (reports::currency(&report)?, reports::figures(&report)?)
    } else {
        Output::note("A draft: nothing is closed yet.");
        let draft = rating::draft(&tx, id, period, None, LineFilter::default(), (0, 0)).await?;
        (draft.book.rules.currency(), draft.figures)
    };
    if output.style() == Style::Json {
        let sums = |groups: Vec<SumRow>| serde_json::to_value(groups).unwrap_or_default();
        return Output::json(&serde_json::json!({
            "partner": partner.slug,
            "period": period.to_string(),
            "currency": currency,
            "totals": SumRow::of(currency, "total", &figures.totals),
            "adjustments": SumRow::of(currency, "adjustments", &figures.adjustments),
            "products": sums(figures.products.iter().map(|one| SumRow::of(currency, &one.slug, &one.totals)).collect()),
            "lead_types": sums(figures.lead_types.iter().map(|one| SumRow::of(currency, &one.name, &one.totals)).collect()),
        }));
    }
    let mut rows: Vec<SumRow> =
        figures.products.iter().map(|one| SumRow::of(currency, &one.slug, &one.totals)).collect();
    rows.push(SumRow::of(currency, "total", &figures.totals));
    output.list(&rows)
}

pub(super) async fn write_file(
    app: &Arc<App>,
    tenant: TenantId,
    partner: &partner::Model,
    period: Period,
    format: Format,
    to: Option<PathBuf>,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let live = reports::live(&tx, PartnerId(partner.id), period).await?;
    drop(tx);
    let report = live.ok_or_else(|| {
        service::Error::Conflict(format!("{period} is not closed: only a closed report has files").into())
    })?;
    let file = files::ensure(app, tenant, BillingReportId(report.id), format).await?;
    let mut pieces = files::open(app, &file, 0..u64::try_from(file.bytes).unwrap_or(0)).await?;
    let failed = |error| Failure::failed("reading the file from the object storage", error);
    let Some(path) = to else {
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            Output::bytes(&piece)?;
        }
        return Ok(());
    };
    // The file is complete or not there.
    let unfinished = path.with_extension("unfinished");
    let attempted = |error| Failure::failed(format!("writing {}", path.display()), error);
    let mut out = File::create(&unfinished).map_err(attempted)?;
    while let Some(piece) = pieces.try_next().await.map_err(failed)? {
        out.write_all(&piece).map_err(attempted)?;
    }
    out.sync_all().and_then(|()| std::fs::rename(&unfinished, &path)).map_err(attempted)
}

pub(super) async fn compare(
    output: Output,
    app: &App,
    tenant: TenantId,
    before: BillingReportId,
    after: BillingReportId,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let difference = difference::between(&tx, before, after).await?;
    let currency = reports::currency(&difference.after)?;
    Output::note(&format!(
        "{} lines differ; {} note of {} {currency}",
        difference.changed,
        difference.note(),
        currency.show(difference.amount())
    ));
    let show = |amount: Option<i64>| amount.map(|amount| currency.show(amount));
    let row = |line: ChangedLine| DifferenceRow {
        email: line.email,
        product: line.product,
        occurred_at: line.occurred_at,
        billed_before: show(line.billed_before),
        billed_after: show(line.billed_after),
        fate_before: line.fate_before,
        fate_after: line.fate_after,
        action: line.action.to_string(),
    };
    output.list(&difference.lines.into_iter().map(row).collect::<Vec<_>>())
}

pub(super) async fn verify(
    output: Output,
    app: &Arc<App>,
    tenant: TenantId,
    report: BillingReportId,
) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let row = reports::by_id(&tx, report).await?;
    let kept = files::of_report(&tx, report).await?;
    drop(tx);
    let mut rows = Vec::new();
    for format in files::FORMATS {
        let made = files::hex(&files::hash_again(app, tenant, report, format).await?);
        let kept =
            kept.iter().find(|file| file.format == format.as_str()).map(|file| files::hex(&file.sha256));
        // The CSV's hash was taken when the period was closed, before any file was made.
        let closed = (format == Format::Csv).then(|| files::hex(&row.line_hash));
        let same = [&kept, &closed].into_iter().flatten().all(|known| *known == made);
        rows.push(VerifyRow { format: format.as_str().to_owned(), kept, made, same });
    }
    let good = rows.iter().all(|row| row.same);
    output.list(&rows)?;
    Ok(if good { Done::Well } else { Done::Badly })
}
