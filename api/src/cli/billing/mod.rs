//! `baton billing …`

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Subcommand, ValueEnum};
use domain::billing::{Period, PlanSpec};
use domain::ids::{BillingReportId, LeadId, PartnerId, TenantId};
use entity::partner;
use secrecy::ExposeSecret as _;
use service::App;
use service::access::Actor;
use service::billing::export::{self, Of, READS, Read};
use service::billing::files::Format;
use service::billing::{announce, closing, ingest, links, overview, partners, reports};
use service::database::Mode;

use super::context::Context;
use super::{Done, Failure, Output, Style};

mod catalog;
mod rows;
mod written;

use catalog::{PartnerCommand, PlanCommand, ProductCommand};
use rows::{IngestRow, LinkRow, OverviewRow, ReportRow};

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
        /// Write a closed report's file to standard output, or to --to; `--output xlsx` and `pdf` are the same.
        #[arg(long, value_enum)]
        file: Option<FileFormat>,
        /// Where the file is written.
        #[arg(long, value_name = "FILE")]
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
    /// Tell the partner of a report once more by mail.
    Announce {
        /// The report.
        report: BillingReportId,
    },
    /// Write a read to standard output, as CSV.
    Export {
        /// What is told: of a report, or of a partner's period as it stands, the first six; of a period; of a partner; of a
        /// lead.
        #[arg(value_parser = read_name())]
        read: Read,
        /// Of that closed report; else of a partner's period.
        #[arg(long)]
        report: Option<BillingReportId>,
        /// Of that partner.
        #[arg(long, value_name = "SLUG")]
        partner: Option<String>,
        /// As in 2026-10, 2026-Q4, 2026-W41.
        #[arg(long)]
        period: Option<Period>,
        /// Of that lead.
        #[arg(long)]
        lead: Option<LeadId>,
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

/// The name of a read.
fn read_name() -> impl TypedValueParser<Value = Read> {
    PossibleValuesParser::new(READS.map(Read::as_str))
        .try_map(|name| Read::parse(&name).ok_or("no such read"))
}

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
        Command::Partner(command) => catalog::partners(output, app, tenant, command).await?,
        Command::Product(command) => catalog::products(output, app, tenant, command).await?,
        Command::Plan(command) => catalog::plans(output, app, tenant, command).await?,
        Command::Import { partner, file } => return import(output, app, tenant, &partner, file).await,
        Command::Overview { period } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let rows = overview::partners(&tx, period, app.clock.now()).await?;
            output.list(&rows.into_iter().map(OverviewRow::from).collect::<Vec<_>>())?;
        }
        Command::Report { partner, period, file, to } => {
            let partner = partner_of(app, tenant, &partner).await?;
            match file.map(Format::from).or_else(|| output.file()) {
                Some(format) => written::write_file(app, tenant, &partner, period, format, to).await?,
                None if to.is_some() => {
                    let told = "--to is for a report's file: add --file csv, json, xlsx or pdf";
                    return Err(Failure::Usage(told.to_owned()));
                }
                None => written::report(output, app, tenant, &partner, period).await?,
            }
        }
        Command::List { partner } => {
            let partner = match partner {
                Some(slug) => Some(PartnerId(partner_of(app, tenant, &slug).await?.id)),
                None => None,
            };
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let partners = partners::partners(&tx).await?;
            let rows = reports::list(&tx, partner, None).await?;
            let rows =
                rows.into_iter().map(|row| ReportRow::of(row, &partners)).collect::<Result<Vec<_>, _>>()?;
            output.list(&rows)?;
        }
        Command::Close { partner, period } => {
            let partner = partner_of(app, tenant, &partner).await?;
            let closed = closing::close(app, tenant, PartnerId(partner.id), period, Actor::Operator).await?;
            output.one(&ReportRow::of(closed, &[partner])?)?;
        }
        Command::Reissue { report, reason } => {
            let issued = closing::reissue(app, tenant, report, &reason, Actor::Operator).await?;
            written::show(output, app, tenant, issued).await?;
        }
        Command::Void { report, reason } => {
            let voided = closing::void(app, tenant, report, &reason, Actor::Operator).await?;
            written::show(output, app, tenant, voided).await?;
        }
        Command::Announce { report } => {
            let told = announce::again(app, tenant, report, Actor::Operator).await?;
            Output::note(&format!("{} is told by mail as soon as a worker runs.", told.email));
        }
        Command::Export { read, report, partner, period, lead } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let of = Of { report, partner, period, lead };
            Output::bytes(&export::csv(&tx, read, &of, app.clock.now()).await?)?;
        }
        Command::Diff { before, after } => written::compare(output, app, tenant, before, after).await?,
        Command::Verify { report } => return written::verify(output, app, tenant, report).await,
        Command::Link { report, file, minutes } => {
            let format = Format::from(file);
            let made = links::create(app, tenant, report, format, minutes, Actor::Operator).await?;
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
    Ok(partners::partner_by_slug(&tx, slug).await?)
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
