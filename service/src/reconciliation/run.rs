//! One run, from their list to the evidence.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use domain::alerts::{Kind, Measure};
use domain::ids::{DestinationId, LeadId, ReconciliationId, TenantId};
use domain::reconciliation::State;
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::api::{Api, Spool};
use super::background::Working;
use super::exceptions::{self, ExceptionRow, Filter};
use super::findings::{self, Comparison};
use super::ledger::{self, Entry as LedgerEntry};
use super::list::{ListFacts, Reading};
use super::progress::{Phase, Progress};
use super::runs::{self, Counts, RunRow};
use super::stage::{self, Scope};
use super::{owners, plans, record, repair};
use crate::alerts;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::manage;
use crate::error::Error;
use crate::intake::copy::CopyRows;
use crate::suppression::{self, OptOut};

/// Batches of rows that wait for the database.
const WAITING: usize = 2;
/// Differences that a dry run shows.
pub const SHOWN_MAX: usize = 100;

/// Where their list comes from.
#[derive(Clone, Debug)]
pub enum List {
    /// A file that lies there: CSV, XLSX, JSON, gzip or not.
    File {
        /// Where.
        path: PathBuf,
        /// As people know it.
        name: String,
    },
    /// Their API, page by page.
    Api,
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose list.
    pub destination: DestinationId,
    /// The list.
    pub list: List,
    /// Leads handed over at that time or later.
    pub since: Option<DateTime<Utc>>,
    /// Leads handed over before that time.
    pub before: Option<DateTime<Utc>>,
    /// Leads of that channel.
    pub channel: Option<String>,
    /// When the list was made; now when absent, and a file then sends nothing again by itself.
    pub as_of: Option<DateTime<Utc>>,
    /// Changes nothing: what it would find is answered and forgotten.
    pub dry_run: bool,
    /// Who asks.
    pub actor: String,
}

impl Request {
    /// The whole list against everything that was handed over to the destination.
    pub fn whole(destination: DestinationId, list: List, actor: impl Into<String>) -> Self {
        Self {
            destination,
            list,
            since: None,
            before: None,
            channel: None,
            as_of: None,
            dry_run: false,
            actor: actor.into(),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run as it stands; of a dry run, as it would.
    pub run: RunRow,
    /// What it counted.
    pub counts: Counts,
    /// The first differences.
    pub differences: Vec<ExceptionRow>,
    /// How many missing leads it sent again by itself.
    pub resent: u64,
}

/// Runs a reconciliation to its end.
pub async fn run(app: &App, tenant: TenantId, request: Request) -> Result<Report, Error> {
    check(app, tenant, &request).await?;
    let id = ReconciliationId(app.ids.next(app.clock.now()));
    // Before its row is there to be seen: a row without it is one that nobody works on.
    let working = Working::on(app, id).await?;
    if !request.dry_run {
        let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
        record::insert(tx.connection(), tenant, id, &request, None, app.clock.now()).await?;
        tx.commit().await?;
    }
    let report = carry_out(app, tenant, id, &request).await;
    drop(working);
    report
}

/// Runs the reconciliation of that id to its end, or once more when it has failed; `before` is done first, when its row is there to be seen.
/// Nothing is done when it is done, or somebody works on it.
pub(super) async fn try_again(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    before: impl Future<Output = ()>,
) -> Result<(), Error> {
    let Some(working) = Working::try_on(app, &id).await? else { return Ok(()) };
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let begun = record::begin_try(tx.connection(), tenant, id, request, app.clock.now()).await?;
    tx.commit().await?;
    if begun {
        before.await;
        carry_out(app, tenant, id, request).await?;
    }
    drop(working);
    Ok(())
}

/// Checks what is asked for: the period, the destination, its API where that is the list.
pub(super) async fn check(app: &App, tenant: TenantId, request: &Request) -> Result<(), Error> {
    if request.since.zip(request.before).is_some_and(|(since, before)| since >= before) {
        return Err(Error::invalid("since", "the period ends before it begins"));
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    manage::by_id(&tx, request.destination).await?;
    if matches!(request.list, List::Api) && plans::api(app, &tx, request.destination).await?.is_none() {
        let message = "this destination has no API to ask: give a file, or set the API's address and token";
        return Err(Error::invalid("file", message));
    }
    Ok(tx.commit().await?)
}

/// Does the work of a run whose row is there. What goes wrong stands in the row.
pub(super) async fn carry_out(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
) -> Result<Report, Error> {
    let progress = Progress::default();
    let comparing = Box::pin(compare(app, tenant, id, request, &progress));
    let ended = if request.dry_run {
        comparing.await
    } else {
        progress.while_running((app, tenant, id), comparing).await
    };
    if let Err(error) = &ended
        && !request.dry_run
    {
        record::fail(app, tenant, id, &told(error)).await?;
    }
    let (mut report, most) = ended?;
    if !request.dry_run && most > 0 && report.counts.missing > 0 {
        // What an older list called missing, of which nobody knows when it was made, is not this one's to send.
        let found = (request.destination, Some(id));
        report.resent = repair::resend_missing(app, tenant, found, most, &request.actor).await?;
    }
    Ok(report)
}

/// The error for the row of a run or a proof: of a part that does not answer, also why.
pub(super) fn told(error: &Error) -> String {
    match error {
        Error::Unavailable { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

async fn compare(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    progress: &Progress,
) -> Result<(Report, u64), Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let destination = manage::by_id(&tx, request.destination).await?;
    let plan = plans::of(&tx, request.destination).await?;
    tx.commit().await?;
    // Before the list is read: what is handed over while their pages are fetched may be on none of them.
    let as_of = request.as_of.unwrap_or_else(|| app.clock.now());
    let (path, _spool) = match &request.list {
        List::File { path, .. } => (path.clone(), None),
        List::Api => {
            let api = Api::of(app, &destination, &plan)?;
            let api = api.ok_or_else(|| Error::Conflict("its API was taken away".into()))?;
            let spool = Spool::new(app, &id.to_string())?;
            progress.enter(Phase::Fetching);
            api.spool("prospects", &spool.0, progress).await?;
            if !request.dry_run {
                owners::take_over(app, tenant, request.destination, &spool.0).await?;
            }
            (spool.0.clone(), Some(spool))
        }
    };
    let mapping = plans::mapping(&plan)?;
    let settings = app.intake_settings();
    let scope = Scope {
        destination: request.destination,
        since: request.since,
        before: request.before,
        channel: request.channel.clone(),
        as_of,
    };
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    alone(tx.connection(), request.destination).await?;
    if request.dry_run {
        record::insert(tx.connection(), tenant, id, request, None, app.clock.now()).await?;
    }
    stage::begin(tx.connection()).await?;
    let mut rows = CopyRows::default();
    progress.enter(Phase::Reading);
    let (facts, read) = take_in(&mut tx, (&path, &mapping), &settings, &mut rows, progress).await?;
    progress.enter(Phase::Comparing);
    let mut counts = Counts { skipped: facts.skipped, theirs: read, ..Counts::default() };
    let repeated = stage::ours(tx.connection(), tenant.uuid(), &scope, app.clock.now()).await?;
    counts.theirs -= repeated;
    counts.skipped += repeated;
    stage::pair(tx.connection()).await?;
    let comparison = Comparison {
        tenant: tenant.uuid(),
        fallback: destination.first_name_fallback.clone(),
        fields: &facts.fields,
    };
    let opted_out = findings::pairs(tx.connection(), &comparison, &mut counts).await?;
    findings::missing(tx.connection(), tenant.uuid(), &mut counts).await?;
    findings::left_over(&mut tx, (&scope, &mapping), &settings, &mut rows, &mut counts).await?;
    counts.ours = expected(tx.connection()).await?;
    let now = app.clock.now();
    let entry = LedgerEntry { tenant: tenant.uuid(), run: id, scope: &scope, actor: &request.actor, now };
    ledger::write(tx.connection(), &entry).await?;
    opt_out(app, &mut tx, &opted_out, id).await?;
    record::finish(tx.connection(), &entry, &counts, &facts.hash).await?;
    if !request.dry_run {
        tell(app, &tx, request.destination, &destination.name).await?;
    }
    let run = runs::by_id(&tx, id).await?;
    let differences = exceptions::of_run(&tx, id, SHOWN_MAX).await?;
    if request.dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    // What was handed over after an old export was made is not on it: to send that again by itself would double it. A list without a single
    // record says more about the list than about the leads.
    let is_trusted = run.as_of_known && counts.theirs > 0;
    let most = if is_trusted { u64::from(plan.auto_resend_max.unsigned_abs()) } else { 0 };
    Ok((Report { run, counts, differences, resent: 0 }, most))
}

/// Of two runs on one destination at a time, one: the other would count what the first is about to write.
async fn alone(connection: &mut PgConnection, destination: DestinationId) -> Result<(), Error> {
    let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 5))")
        .bind(format!("reconciliation of {destination}"))
        .fetch_one(connection)
        .await?;
    if got {
        Ok(())
    } else {
        Err(Error::Conflict("this destination is being reconciled already; wait for it to end".into()))
    }
}

/// Reads the list on a thread of its own while its batches are copied.
async fn take_in(
    tx: &mut TenantTx,
    (path, mapping): (&std::path::Path, &domain::reconciliation::Mapping),
    settings: &domain::intake::Settings,
    rows: &mut CopyRows,
    progress: &Progress,
) -> Result<(ListFacts, i32), Error> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let reading = Reading {
        path: path.to_owned(),
        mapping: mapping.clone(),
        regions: settings.phone_regions.clone(),
        sender,
    };
    let reader = tokio::task::spawn_blocking(move || reading.read());
    let mut read = 0;
    while let Some(batch) = receiver.recv().await {
        stage::theirs(tx.connection(), &batch, rows).await?;
        progress.add(batch.len());
        read += i32::try_from(batch.len()).unwrap_or(i32::MAX);
    }
    let facts = reader.await.map_err(|error| Error::internal("reading a list", error))??;
    Ok((facts, read))
}

async fn expected(connection: &mut PgConnection) -> Result<i32, Error> {
    let ours: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_temp.recon_ours WHERE in_scope AND delivery_state = 'delivered'",
    )
    .fetch_one(connection)
    .await?;
    Ok(i32::try_from(ours).unwrap_or(i32::MAX))
}

/// Lets the tenant's alert rules judge how many differences nobody has settled.
async fn tell(app: &App, tx: &TenantTx, destination: DestinationId, name: &str) -> Result<(), Error> {
    let filter = Filter { destination: Some(destination), states: vec![State::Open], ..Filter::default() };
    let open = exceptions::count(tx, &filter, 1_000_000).await?;
    let finding = alerts::Finding {
        measure: Measure::Count(i64::from(open)),
        title: format!("{open} open differences with {name}"),
        detail: alerts::OPEN_DIFFERENCES.to_owned(),
        subject: None,
    };
    alerts::measured(app, tx, Kind::Reconciliation, destination, &finding).await
}

/// What they know of a person's wish goes into the suppression list and the lead's journey, once.
async fn opt_out(app: &App, tx: &mut TenantTx, leads: &[Uuid], run: ReconciliationId) -> Result<(), Error> {
    let tenant = tx.tenant();
    for lead in leads {
        let out = OptOut {
            lead: LeadId(*lead),
            at: app.clock.now(),
            actor: "reconciliation",
            reason: "wants no more contact, says the destination",
            data: json!({ "reconciliation": run }),
        };
        suppression::opted_out(app, tx.connection(), tenant, &out).await?;
    }
    Ok(())
}
