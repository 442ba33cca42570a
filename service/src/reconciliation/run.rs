//! One run, from their list to the evidence.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::alerts::{Kind, Measure};
use domain::ids::{DestinationId, LeadId, ReconciliationId, TenantId};
use domain::reconciliation::State;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::api::{Api, Spool};
use super::exceptions::{self, ExceptionRow, Filter};
use super::findings::{self, Comparison};
use super::ledger::{self, Entry as LedgerEntry};
use super::list::{ListFacts, Reading};
use super::runs::{self, Counts, RunRow};
use super::stage::{self, Scope};
use super::{plans, repair};
use crate::alerts;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::manage;
use crate::error::Error;
use crate::intake::copy::CopyRows;
use crate::suppression::{self, Contact, Entry};

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
    /// When the list was made; now when absent.
    pub as_of: Option<DateTime<Utc>>,
    /// Changes nothing: what it would find is answered and forgotten.
    pub dry_run: bool,
    /// Who asks.
    pub actor: String,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run as it stands; of a dry run, as it would.
    pub run: RunRow,
    /// The first differences.
    pub differences: Vec<ExceptionRow>,
    /// How many missing leads it sent again by itself.
    pub resent: u64,
}

/// Runs a reconciliation to its end.
pub async fn run(app: &App, tenant: TenantId, request: Request) -> Result<Report, Error> {
    let id = begin(app, tenant, &request).await?;
    carry_out(app, tenant, id, &request).await
}

/// Begins a run that goes on by itself; answers its id at once. `keep` lives as long as the run: the file of its list.
pub async fn start(
    app: Arc<App>,
    tenant: TenantId,
    request: Request,
    keep: Option<Box<dyn Send + Sync>>,
) -> Result<ReconciliationId, Error> {
    let id = begin(&app, tenant, &request).await?;
    tokio::spawn(async move {
        // What went wrong stands in the run's row; our own faults belong into the log.
        if let Err(error) = carry_out(&app, tenant, id, &request).await {
            tracing::warn!(reconciliation.id = %id, error = &error as &dyn std::error::Error, "a reconciliation failed");
        }
        drop(keep);
    });
    Ok(id)
}

/// Checks what is asked for and writes the run's row, but for a dry run.
async fn begin(app: &App, tenant: TenantId, request: &Request) -> Result<ReconciliationId, Error> {
    if request.since.zip(request.before).is_some_and(|(since, before)| since >= before) {
        return Err(Error::invalid("since", "the period ends before it begins"));
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    manage::by_id(&tx, request.destination).await?;
    if matches!(request.list, List::Api)
        && Api::of(app, &plans::of(&tx, request.destination).await?)?.is_none()
    {
        let message = "this destination has no API to ask: give a file, or set the API's address and token";
        return Err(Error::invalid("file", message));
    }
    tx.commit().await?;
    let now = app.clock.now();
    let id = ReconciliationId(app.ids.next(now));
    if !request.dry_run {
        insert(app, tenant, id, request, now).await?;
    }
    Ok(id)
}

async fn carry_out(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
) -> Result<Report, Error> {
    let ended = compare(app, tenant, id, request).await;
    if let Err(error) = &ended
        && !request.dry_run
    {
        fail(app, tenant, id, &told(error)).await?;
    }
    let (mut report, most) = ended?;
    if !request.dry_run && most > 0 && report.run.counts.missing > 0 {
        report.resent =
            repair::resend_missing(app, tenant, request.destination, most, &request.actor).await?;
    }
    Ok(report)
}

/// The error for the run's row: of a part that does not answer, also why.
fn told(error: &Error) -> String {
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
) -> Result<(Report, u64), Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let destination = manage::by_id(&tx, request.destination).await?;
    let plan = plans::of(&tx, request.destination).await?;
    tx.commit().await?;
    let (path, _spool) = match &request.list {
        List::File { path, .. } => (path.clone(), None),
        List::Api => {
            let api = Api::of(app, &plan)?.ok_or_else(|| Error::Conflict("its API was taken away".into()))?;
            let spool = Spool::new(app, &id.to_string())?;
            api.spool("prospects", &spool.0).await?;
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
        as_of: request.as_of.unwrap_or_else(|| app.clock.now()),
    };
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    alone(tx.connection(), request.destination).await?;
    if request.dry_run {
        insert_row(tx.connection(), tenant, id, request, app.clock.now()).await?;
    }
    stage::begin(tx.connection()).await?;
    let mut rows = CopyRows::default();
    let (facts, read) = take_in(&mut tx, &path, &mapping, &settings, &mut rows).await?;
    let mut counts = Counts { skipped: facts.skipped, theirs: read, ..Counts::default() };
    let repeated = stage::ours(tx.connection(), tenant.uuid(), &scope).await?;
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
    finish(tx.connection(), &entry, &counts, &facts.hash).await?;
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
    Ok((Report { run, differences, resent: 0 }, u64::from(plan.auto_resend_max.unsigned_abs())))
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
    path: &std::path::Path,
    mapping: &domain::reconciliation::Mapping,
    settings: &domain::intake::Settings,
    rows: &mut CopyRows,
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
        detail: "Open Reconciliation on the dashboard, or run `baton reconcile list`.".to_owned(),
        subject: None,
    };
    alerts::measured(app, tx, Kind::Reconciliation, destination, &finding).await
}

/// What they know of a person's wish goes into the lead's journey, once.
async fn opt_out(app: &App, tx: &mut TenantTx, leads: &[Uuid], run: ReconciliationId) -> Result<(), Error> {
    let now = app.clock.now();
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, data)
         SELECT $1, o.lead, o.id, 'opted_out', $2, 'reconciliation', jsonb_build_object('reconciliation', $3::text)
         FROM unnest($4::uuid[], $5::uuid[]) AS o (lead, id)
         WHERE NOT EXISTS (SELECT FROM lead_event e WHERE e.tenant_id = $1 AND e.lead_id = o.lead AND e.kind = 'opted_out')",
    )
    .bind(tenant)
    .bind(now)
    .bind(run.to_string())
    .bind(leads)
    .bind(leads.iter().map(|_| app.ids.next(now)).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    let contacts: Vec<(Uuid, Option<String>, Option<String>)> =
        sqlx::query_as("SELECT id, phone, email FROM lead WHERE tenant_id = $1 AND id = ANY ($2)")
            .bind(tenant)
            .bind(leads)
            .fetch_all(tx.connection())
            .await?;
    let id = tx.tenant();
    for (lead, phone, email) in contacts {
        for contact in phone.map(Contact::Phone).into_iter().chain(email.map(Contact::Email)) {
            let entry = Entry {
                contact,
                reason: Some("wants no more contact, says the destination".to_owned()),
                lead: Some(LeadId(lead)),
                actor: "reconciliation".to_owned(),
            };
            suppression::enter(app, tx.connection(), id, &entry).await?;
        }
    }
    Ok(())
}

async fn insert(
    app: &App,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    // A run that its process did not end: nobody holds its lock, or this one will be refused and say so.
    sqlx::query(
        "UPDATE reconciliation_run SET state = 'failed', error = 'it was interrupted; run it again', finished_at = $3
         WHERE tenant_id = $1 AND destination_id = $2 AND state = 'running' AND created_at + interval '6 hours' < $3",
    )
    .bind(tenant.uuid())
    .bind(request.destination.uuid())
    .bind(now)
    .execute(tx.connection())
    .await?;
    insert_row(tx.connection(), tenant, id, request, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn insert_row(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: ReconciliationId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (origin, name) = match &request.list {
        List::File { name, .. } => ("file", Some(name.as_str())),
        List::Api => ("api", None),
    };
    sqlx::query(
        "INSERT INTO reconciliation_run (tenant_id, id, destination_id, origin, file_name, since, before, channel, as_of,
             actor, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', $11)",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(request.destination.uuid())
    .bind(origin)
    .bind(name)
    .bind(request.since)
    .bind(request.before)
    .bind(request.channel.as_deref())
    .bind(request.as_of.unwrap_or(now))
    .bind(&request.actor)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn fail(app: &App, tenant: TenantId, id: ReconciliationId, reason: &str) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE reconciliation_run SET state = 'failed', error = $3, finished_at = $4
         WHERE tenant_id = $1 AND id = $2 AND state = 'running'",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(reason)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn finish(
    connection: &mut PgConnection,
    entry: &LedgerEntry<'_>,
    counts: &Counts,
    hash: &[u8],
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE reconciliation_run SET state = 'done', finished_at = $3, list_hash = $4, ours = $5, theirs = $6,
             skipped = $7, matched = $8, mismatched = $9, missing = $10, merge_suspected = $11, unconfirmed = $12,
             duplicated = $13, unexpected = $14, extra_known = $15, pre_existing = $16, enriched = $17, opted_out = $18
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(entry.tenant)
    .bind(entry.run.uuid())
    .bind(entry.now)
    .bind(hash)
    .bind(counts.ours)
    .bind(counts.theirs)
    .bind(counts.skipped)
    .bind(counts.matched)
    .bind(counts.mismatched)
    .bind(counts.missing)
    .bind(counts.merge_suspected)
    .bind(counts.unconfirmed)
    .bind(counts.duplicated)
    .bind(counts.unexpected)
    .bind(counts.extra_known)
    .bind(counts.pre_existing)
    .bind(counts.enriched)
    .bind(counts.opted_out)
    .execute(connection)
    .await?;
    Ok(())
}
