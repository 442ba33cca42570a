//! `baton records …`: records that intake refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::{FailedRecordId, ImportId, LeadId, TenantId};
use domain::lead::Issue;
use entity::failed_record;
use serde::Serialize;
use service::App;
use service::access::Actor;
use service::database::Mode;
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use service::intake::listing::{self, FailedFilter};
use service::intake::submit::Outcome;
use service::intake::{export, failed};

use super::context::Context;
use super::{Done, Failure, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show refused records with their reasons, newest first.
    List(Filter),
    /// Show one with its raw text.
    Show {
        /// Its id, failed_….
        id: FailedRecordId,
    },
    /// Write an import's refused records as CSV: the raw columns, then the reasons; formula cells are neutralised.
    Export {
        /// The import.
        #[arg(long, value_name = "ID")]
        import: ImportId,
        /// Where to; standard output when absent.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Correct a refused record and send it in again.
    Correct {
        /// Its id.
        id: FailedRecordId,
        /// A column and its new text, as in --set 'Pri. Phone=303 555 0101'.
        #[arg(long, value_name = "COLUMN=TEXT", required = true, value_parser = column_and_text)]
        set: Vec<(String, String)>,
    },
    /// Leave a refused record as it is: nobody will correct it.
    Dismiss {
        /// Its id.
        id: FailedRecordId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Of this import.
    #[arg(long, value_name = "ID")]
    import: Option<ImportId>,
    /// In these states; open ones when absent.
    #[arg(long, value_parser = ["open", "corrected", "dismissed"], default_values = ["open"])]
    state: Vec<String>,
    /// With a reason of this code.
    #[arg(long)]
    code: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Older than this record: the last one of the page before.
    #[arg(long, value_name = "ID")]
    after: Option<FailedRecordId>,
}

fn column_and_text(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((column, text)) if !column.is_empty() => Ok((column.to_owned(), text.to_owned())),
        _ => Err("it must be COLUMN=TEXT".to_owned()),
    }
}

#[derive(Serialize)]
struct RecordShown {
    id: String,
    import: Option<String>,
    record: i32,
    line: i64,
    state: String,
    codes: Vec<String>,
    why: Vec<String>,
    reasons: Vec<Issue>,
    created_at: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
    lead: Option<String>,
    raw: String,
}

impl Row for RecordShown {
    const COLUMNS: &'static [&'static str] = &["id", "record", "line", "state", "codes", "why"];
}

/// One record with all that is kept of it.
#[derive(Serialize)]
#[serde(transparent)]
struct Whole(RecordShown);

impl Row for Whole {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "import",
        "record",
        "line",
        "state",
        "codes",
        "why",
        "created_at",
        "resolved_at",
        "lead",
        "raw",
    ];
}

impl RecordShown {
    fn new(row: failed_record::Model) -> Result<Self, Failure> {
        let reasons = failed::reasons(&row)?;
        Ok(Self {
            id: FailedRecordId(row.id).to_string(),
            import: row.import_id.map(|id| ImportId(id).to_string()),
            record: row.record,
            line: row.line,
            state: row.state,
            codes: reasons.iter().map(|reason| reason.code.to_string()).collect(),
            why: reasons.iter().map(|reason| format!("{}: {}", reason.field, reason.message)).collect(),
            reasons,
            created_at: row.created_at,
            resolved_at: row.resolved_at,
            lead: row.lead_id.map(|id| LeadId(id).to_string()),
            raw: row.raw,
        })
    }
}

#[derive(Serialize)]
struct Corrected {
    outcome: Outcome,
    lead: Option<String>,
    reasons: Vec<String>,
}

impl Row for Corrected {
    const COLUMNS: &'static [&'static str] = &["outcome", "lead", "reasons"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let actor = Actor::Operator.to_string();
    context
        .with_tenant(async |app, tenant| match command {
            Command::List(filter) => list(context, &app, tenant, filter).await,
            Command::Show { id } => {
                let tx = app.begin(tenant, Mode::ReadOnly).await?;
                let row = failed::by_id(&tx, id).await?;
                context.output.one(&Whole(RecordShown::new(row)?))?;
                Ok(Done::Well)
            }
            Command::Export { import, to } => export(context, &app, tenant, import, to).await,
            Command::Correct { id, set } => correct(context, &app, tenant, id, set).await,
            Command::Dismiss { id } => {
                let row = failed::dismiss(&app, tenant, id, &actor).await?;
                context.output.one(&RecordShown::new(row)?)?;
                Ok(Done::Well)
            }
        })
        .await
}

async fn list(context: &Context, app: &App, tenant: TenantId, filter: Filter) -> Result<Done, Failure> {
    let wanted = FailedFilter {
        import: filter.import,
        states: filter.state,
        code: filter.code,
        ..FailedFilter::default()
    };
    let page = Page {
        rows: filter.limit.clamp(1, PAGE_ROWS_MAX),
        after: filter.after.map(FailedRecordId::uuid),
        before: None,
        from_end: false,
    };
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let found = listing::failed_records(&tx, &wanted, page).await?;
    drop(tx);
    let rows = found.rows.into_iter().map(RecordShown::new).collect::<Result<Vec<_>, _>>()?;
    context.output.list(&rows)?;
    if let Some(last) = rows.last().filter(|_| found.more_after) {
        context.output.note(&format!("There are more: --after {}", last.id));
    }
    Ok(Done::Well)
}

async fn export(
    context: &Context,
    app: &App,
    tenant: TenantId,
    import: ImportId,
    to: Option<PathBuf>,
) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut pieces = export::FailedExport::new(app, &tx, import).await?;
    let mut file = match &to {
        Some(path) => {
            let attempted = || format!("writing {}", path.display());
            Some(std::fs::File::create(path).map_err(|error| Failure::failed(attempted(), error))?)
        }
        None => None,
    };
    while let Some(piece) = pieces.next(&tx).await? {
        match &mut file {
            Some(file) => std::io::Write::write_all(file, &piece)
                .map_err(|error| Failure::failed("writing the export", error))?,
            None => context.output.bytes(&piece)?,
        }
    }
    Ok(Done::Well)
}

async fn correct(
    context: &Context,
    app: &App,
    tenant: TenantId,
    id: FailedRecordId,
    set: Vec<(String, String)>,
) -> Result<Done, Failure> {
    let values: BTreeMap<String, String> = set.into_iter().collect();
    let actor = Actor::Operator.to_string();
    let answer = failed::correct(app, tenant, id, &values, &actor).await?;
    let refused = answer.outcome == Outcome::Rejected;
    context.output.one(&Corrected {
        outcome: answer.outcome,
        lead: answer.lead.map(|id| id.to_string()),
        reasons: answer
            .reasons
            .iter()
            .map(|reason| format!("{}: {}", reason.field, reason.message))
            .collect(),
    })?;
    Ok(if refused { Done::WithFailures } else { Done::Well })
}
