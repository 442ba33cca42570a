//! `baton billing …`

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Subcommand, ValueEnum};
use domain::billing::{Currency, Period, PlanSpec, Totals};
use domain::ids::{BillingReportId, PartnerId, RatePlanId, TenantId};
use entity::{billing_report, partner};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use service::App;
use service::billing::catalog::{self, NewPartner};
use service::billing::files::{self, Format};
use service::billing::rating::{self, LineFilter};
use service::billing::{ingest, links, overview, reports};
use service::database::Mode;

use super::context::Context;
use super::{Done, Failure, Output, Row, Style};

/// Who does what a command does, as reports name it.
const BY: &str = "operator";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Partners: the companies that are billed.
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// What lead users act on.
    #[command(subcommand)]
    Product(ProductCommand),
    /// Rate plans and their versions.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Record actions from a file: CSV, JSON, or one JSON object a line.
    Import {
        /// The partner.
        #[arg(long, value_name = "SLUG")]
        partner: String,
        /// The file.
        file: PathBuf,
    },
    /// Every partner's figures for a period.
    Overview {
        /// As in 2026-10, 2026-Q4, 2026-W41.
        #[arg(long)]
        period: Period,
    },
    /// A partner's report: closed, or what it would say now.
    Report {
        /// The partner.
        #[arg(long, value_name = "SLUG")]
        partner: String,
        /// As in 2026-10, 2026-Q4, 2026-W41.
        #[arg(long)]
        period: Period,
        /// Write a closed report's file to standard output, or to --to.
        #[arg(long, value_enum)]
        file: Option<FileFormat>,
        /// Where the file is written.
        #[arg(long, value_name = "FILE", requires = "file")]
        to: Option<PathBuf>,
    },
    /// Closed reports.
    List {
        /// Of that partner alone.
        #[arg(long, value_name = "SLUG")]
        partner: Option<String>,
    },
    /// Close a period: its report is never changed again.
    Close {
        /// The partner.
        #[arg(long, value_name = "SLUG")]
        partner: String,
        /// As in 2026-10, 2026-Q4, 2026-W41.
        #[arg(long)]
        period: Period,
    },
    /// Issue a report again with what is known now, as a new version.
    Reissue {
        /// The report.
        report: BillingReportId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Take a report back; its period can be closed anew.
    Void {
        /// The report.
        report: BillingReportId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// What differs between two reports of a partner, line by line.
    Diff {
        /// The former one.
        before: BillingReportId,
        /// The later one.
        after: BillingReportId,
    },
    /// Make a closed report's files anew and compare them with those that are kept.
    Verify {
        /// The report.
        report: BillingReportId,
    },
    /// Make a link to one file of a report; its secret is shown once.
    Link {
        /// The report.
        report: BillingReportId,
        /// The file.
        #[arg(long, value_enum)]
        file: FileFormat,
        /// How long it lives.
        #[arg(long, default_value_t = 60 * 24)]
        minutes: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Add a partner.
    Add {
        /// Short name in addresses and commands.
        slug: String,
        /// Where its reports are announced.
        #[arg(long)]
        email: String,
        /// The rate plan.
        #[arg(long, value_name = "SLUG")]
        plan: String,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
        /// An IANA name; the tenant's own when absent.
        #[arg(long)]
        time_zone: Option<String>,
        /// Close each period by itself once it is over.
        #[arg(long)]
        closes_itself: bool,
    },
    /// Show all partners.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Add a product.
    Add {
        /// As actions name it.
        slug: String,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show all products.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Print a rate plan to start from.
    Example {
        /// ISO 4217.
        #[arg(long, default_value = "USD")]
        currency: Currency,
    },
    /// Add a rate plan, or a version to one that is there.
    Add {
        /// Short name in commands.
        slug: String,
        /// The version's content, a JSON file; the example without one.
        #[arg(long, value_name = "FILE")]
        spec: Option<PathBuf>,
        /// It rates the periods that begin on this day or later.
        #[arg(long, value_name = "DAY")]
        effective_from: NaiveDate,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show all rate plans with their versions.
    List,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FileFormat {
    Csv,
    Json,
    Xlsx,
    Pdf,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Json => Self::Json,
            FileFormat::Xlsx => Self::Xlsx,
            FileFormat::Pdf => Self::Pdf,
        }
    }
}

macro_rules! row {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? } $columns:expr) => {
        #[derive(Serialize)]
        struct $name { $($field: $kind),* }

        impl Row for $name {
            const COLUMNS: &'static [&'static str] = &$columns;
        }
    };
}

row!(PartnerRow { slug: String, name: String, email: String, currency: String, time_zone: String, closes_itself: bool, id: String }
    ["slug", "name", "email", "currency", "time_zone", "closes_itself", "id"]);
row!(ProductRow { slug: String, name: String, description: Option<String> } ["slug", "name", "description"]);
row!(PlanRow { slug: String, name: String, version: i32, effective_from: NaiveDate, currency: String, id: String, spec: serde_json::Value }
    ["slug", "name", "version", "effective_from", "currency", "id"]);
row!(IngestRow { records: u64, accepted: u64, repeated: u64, refused: u64 } ["records", "accepted", "repeated", "refused"]);
row!(SumRow {
    name: String, actions: i64, gross: String, duplicates: String, over_cap: String, not_billable: String, billed: String, savings: String,
} ["name", "actions", "gross", "duplicates", "over_cap", "not_billable", "billed", "savings"]);
row!(OverviewRow {
    partner: String, state: String, actions: i64, gross: String, duplicates: String, over_cap: String, not_billable: String,
    billed: String, currency: String, problem: Option<String>,
} ["partner", "state", "actions", "gross", "duplicates", "over_cap", "not_billable", "billed", "currency"]);
row!(ReportRow {
    partner: String, period: String, version: i32, state: String, lines: i64, gross: String, billed: String, currency: String,
    closed_at: DateTime<Utc>, csv_sha256: String, id: String,
} ["partner", "period", "version", "state", "lines", "gross", "billed", "currency", "closed_at", "id"]);
row!(DifferenceRow {
    email: String, product: String, occurred_at: DateTime<Utc>, billed_before: Option<String>, billed_after: Option<String>,
    fate_before: Option<String>, fate_after: Option<String>, action: String,
} ["email", "product", "occurred_at", "billed_before", "billed_after", "fate_before", "fate_after", "action"]);
row!(VerifyRow { format: String, kept: Option<String>, made: String, same: bool } ["format", "same", "made"]);
row!(LinkRow { report: String, path: String, expires_at: DateTime<Utc> } ["report", "path", "expires_at"]);

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    if let Command::Plan(PlanCommand::Example { currency }) = command {
        return Output::json(&PlanSpec::standard(currency)).map(|()| Done::Well);
    }
    context.with_tenant(async |app, tenant| dispatch(context, &app, tenant, command).await).await
}

async fn dispatch(
    context: &Context,
    app: &Arc<App>,
    tenant: TenantId,
    command: Command,
) -> Result<Done, Failure> {
    let output = context.output;
    match command {
        Command::Partner(command) => partners(output, app, tenant, command).await?,
        Command::Product(command) => products(output, app, tenant, command).await?,
        Command::Plan(command) => plans(output, app, tenant, command).await?,
        Command::Import { partner, file } => return import(output, app, tenant, &partner, file).await,
        Command::Overview { period } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let rows = overview::partners(&tx, period, app.clock.now()).await?;
            output.list(&rows.into_iter().map(OverviewRow::from).collect::<Vec<_>>())?;
        }
        Command::Report { partner, period, file, to } => {
            let partner = partner_of(app, tenant, &partner).await?;
            match file {
                Some(format) => write_file(app, tenant, &partner, period, format.into(), to).await?,
                None => report(output, app, tenant, &partner, period).await?,
            }
        }
        Command::List { partner } => {
            let partner = match partner {
                Some(slug) => Some(PartnerId(partner_of(app, tenant, &slug).await?.id)),
                None => None,
            };
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let partners = catalog::partners(&tx).await?;
            let rows = reports::list(&tx, partner, None).await?;
            let rows =
                rows.into_iter().map(|row| ReportRow::of(row, &partners)).collect::<Result<Vec<_>, _>>()?;
            output.list(&rows)?;
        }
        Command::Close { partner, period } => {
            let partner = partner_of(app, tenant, &partner).await?;
            let closed = reports::close(app, tenant, PartnerId(partner.id), period, BY).await?;
            output.one(&ReportRow::of(closed, &[partner])?)?;
        }
        Command::Reissue { report, reason } => {
            let issued = reports::reissue(app, tenant, report, &reason, BY).await?;
            show(output, app, tenant, issued).await?;
        }
        Command::Void { report, reason } => {
            let voided = reports::void(app, tenant, report, &reason, BY).await?;
            show(output, app, tenant, voided).await?;
        }
        Command::Diff { before, after } => difference(output, app, tenant, before, after).await?,
        Command::Verify { report } => return verify(output, app, tenant, report).await,
        Command::Link { report, file, minutes } => {
            let format = Format::from(file);
            let made = links::create(app, tenant, report, format, minutes, BY).await?;
            Output::note("The link is shown this once; put the server's address in front of it.");
            let secret = made.secret.expose_secret();
            let path = format!("/reports/{report}/report.{}?link={secret}", format.as_str());
            output.one(&LinkRow { report: report.to_string(), path, expires_at: made.row.expires_at })?;
        }
    }
    Ok(Done::Well)
}

async fn partner_of(app: &App, tenant: TenantId, slug: &str) -> Result<partner::Model, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    Ok(catalog::partner_by_slug(&tx, slug).await?)
}

async fn show(
    output: Output,
    app: &App,
    tenant: TenantId,
    report: billing_report::Model,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let partner = catalog::partner(&tx, PartnerId(report.partner_id)).await?;
    output.one(&ReportRow::of(report, &[partner])?)
}

async fn partners(
    output: Output,
    app: &App,
    tenant: TenantId,
    command: PartnerCommand,
) -> Result<(), Failure> {
    match command {
        PartnerCommand::Add { slug, email, plan, name, time_zone, closes_itself } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let plan = RatePlanId(catalog::plan_by_slug(&tx, &plan).await?.id);
            drop(tx);
            let new = NewPartner { slug, name, email, plan, time_zone, closes_itself };
            output.one(&PartnerRow::from(catalog::create_partner(app, tenant, new).await?))
        }
        PartnerCommand::List => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let rows = catalog::partners(&tx).await?;
            output.list(&rows.into_iter().map(PartnerRow::from).collect::<Vec<_>>())
        }
    }
}

async fn products(
    output: Output,
    app: &App,
    tenant: TenantId,
    command: ProductCommand,
) -> Result<(), Failure> {
    let row = |row: entity::product::Model| ProductRow {
        slug: row.slug,
        name: row.name,
        description: row.description,
    };
    match command {
        ProductCommand::Add { slug, name } => {
            output.one(&row(catalog::create_product(app, tenant, slug, name, None).await?))
        }
        ProductCommand::List => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            output.list(&catalog::products(&tx).await?.into_iter().map(row).collect::<Vec<_>>())
        }
    }
}

async fn plans(output: Output, app: &App, tenant: TenantId, command: PlanCommand) -> Result<(), Failure> {
    if let PlanCommand::Add { slug, spec, effective_from, name } = command {
        let spec = match spec {
            Some(file) => {
                let attempted = format!("reading the rate plan {}", file.display());
                let text = std::fs::read(file).map_err(|error| Failure::failed(attempted.clone(), error))?;
                let json =
                    serde_json::from_slice(&text).map_err(|error| Failure::failed(attempted, error))?;
                catalog::read_spec(json)?
            }
            None => PlanSpec::standard(Currency::USD),
        };
        let tx = app.begin(tenant, Mode::ReadOnly).await?;
        let known = catalog::plan_by_slug(&tx, &slug).await;
        drop(tx);
        match known {
            Ok(plan) => {
                catalog::add_version(app, tenant, RatePlanId(plan.id), effective_from, &spec, BY).await?;
            }
            Err(service::Error::NotFound { .. }) => {
                catalog::create_plan(app, tenant, slug, name, effective_from, &spec, BY).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut rows = Vec::new();
    for plan in catalog::plans(&tx).await? {
        for version in catalog::versions(&tx, RatePlanId(plan.id)).await? {
            rows.push(PlanRow {
                slug: plan.slug.clone(),
                name: plan.name.clone(),
                version: version.row.version,
                effective_from: version.row.effective_from,
                currency: version.spec.currency.to_string(),
                id: RatePlanId(plan.id).to_string(),
                spec: version.row.spec,
            });
        }
    }
    output.list(&rows)
}

async fn import(
    output: Output,
    app: &Arc<App>,
    tenant: TenantId,
    slug: &str,
    file: PathBuf,
) -> Result<Done, Failure> {
    let partner = partner_of(app, tenant, slug).await?;
    let attempted = format!("opening {}", file.display());
    let file = File::open(file).map_err(|error| Failure::failed(attempted, error))?;
    let sum = ingest::ingest(app, tenant, PartnerId(partner.id), file).await?;
    if output.style() == Style::Json {
        Output::json(&sum)?;
    } else {
        for refusal in &sum.refusals {
            for fault in &refusal.faults {
                Output::note(&format!("line {}: {}: {}", refusal.line, fault.field, fault.message));
            }
        }
        let row = IngestRow {
            records: sum.records,
            accepted: sum.accepted,
            repeated: sum.repeated,
            refused: sum.refused,
        };
        output.one(&row)?;
    }
    Ok(if sum.refused > 0 { Done::WithFailures } else { Done::Well })
}

async fn report(
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

async fn write_file(
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
    let bytes = files::read(app, &file).await?;
    match to {
        Some(path) => {
            let attempted = format!("writing {}", path.display());
            std::fs::write(path, bytes).map_err(|error| Failure::failed(attempted, error))
        }
        None => Output::bytes(&bytes),
    }
}

async fn difference(
    output: Output,
    app: &App,
    tenant: TenantId,
    before: BillingReportId,
    after: BillingReportId,
) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let difference = reports::difference(&tx, before, after).await?;
    let currency = reports::currency(&difference.after)?;
    Output::note(&format!(
        "{} lines differ; {} note of {} {currency}",
        difference.changed,
        difference.note(),
        currency.show(difference.amount())
    ));
    let show = |amount: Option<i64>| amount.map(|amount| currency.show(amount));
    let row = |line: reports::ChangedLine| DifferenceRow {
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

async fn verify(
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

impl From<partner::Model> for PartnerRow {
    fn from(row: partner::Model) -> Self {
        Self {
            slug: row.slug,
            name: row.name,
            email: row.email,
            currency: row.currency,
            time_zone: row.time_zone,
            closes_itself: row.closes_itself,
            id: PartnerId(row.id).to_string(),
        }
    }
}

impl SumRow {
    fn of(currency: Currency, name: &str, totals: &Totals) -> Self {
        Self {
            name: name.to_owned(),
            actions: totals.actions,
            gross: currency.show(totals.gross),
            duplicates: currency.show(totals.duplicates),
            over_cap: currency.show(totals.over_cap),
            not_billable: currency.show(totals.not_billable),
            billed: currency.show(totals.billed),
            savings: currency.show(totals.savings()),
        }
    }
}

impl From<overview::PartnerPeriod> for OverviewRow {
    fn from(row: overview::PartnerPeriod) -> Self {
        let show = |amount| row.currency.show(amount);
        let state = match &row.report {
            Some(report) => format!("closed, version {}", report.version),
            None if row.problem.is_some() => "cannot be rated".to_owned(),
            None if row.over => "over".to_owned(),
            None => "open".to_owned(),
        };
        Self {
            state,
            actions: row.totals.actions,
            gross: show(row.totals.gross),
            duplicates: show(row.totals.duplicates),
            over_cap: show(row.totals.over_cap),
            not_billable: show(row.totals.not_billable),
            billed: show(row.totals.billed),
            currency: row.currency.to_string(),
            problem: row.problem.clone(),
            partner: row.partner.slug,
        }
    }
}

impl ReportRow {
    fn of(row: billing_report::Model, partners: &[partner::Model]) -> Result<Self, service::Error> {
        let currency = reports::currency(&row)?;
        let partner = partners.iter().find(|partner| partner.id == row.partner_id);
        Ok(Self {
            partner: partner.map_or_else(String::new, |partner| partner.slug.clone()),
            period: reports::period(&row).to_string(),
            version: row.version,
            lines: row.line_count,
            gross: currency.show(row.gross),
            billed: currency.show(row.billed),
            currency: currency.to_string(),
            closed_at: row.closed_at,
            csv_sha256: files::hex(&row.line_hash),
            id: BillingReportId(row.id).to_string(),
            state: row.state,
        })
    }
}
