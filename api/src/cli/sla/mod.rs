//! `baton sla …`: service levels at a terminal.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use domain::ids::{CaseId, PolicyId, SourceId, TenantId};
use domain::sla::{Bucket, Period};
use serde::Serialize;
use service::App;
use service::access;
use service::database::{Mode, TenantTx};
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use service::intake::sources;
use service::sla::reads::{self, ClockFilter, ClockPage, Dimension, Question, Standing};
use service::sla::{bookings, escalation, policies};

use super::context::Context;
use super::{Done, Failure, Output, Row};

mod shown;

use shown::{AdherenceShown, ClockShown};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the share of clocks that were met, and how long they took.
    Adherence {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        span: Span,
        /// For each piece of the span.
        #[arg(long, value_enum)]
        each: Option<Each>,
        /// For each value.
        #[arg(long, value_enum)]
        by: Option<By>,
    },
    /// Show open clocks by the time that is left.
    Open {
        #[command(flatten)]
        which: Which,
        /// Only those that ran out already.
        #[arg(long)]
        overdue: bool,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show clocks that ran out, the latest first.
    Breaches {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        span: Span,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show policies.
    Policies,
    /// Show cases that missed service levels have opened: of the tenant, or of all for the managed-services team.
    Cases {
        /// Open ones of every tenant.
        #[arg(long)]
        all_tenants: bool,
        /// Only open ones.
        #[arg(long)]
        open: bool,
        /// Older than this one, as the list before ended.
        #[arg(long, value_name = "ID", conflicts_with = "all_tenants")]
        after: Option<CaseId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Which clock: processing, response, or one of the tenant's own.
    #[arg(long, default_value = "response")]
    clock: String,
    /// Of these sources.
    #[arg(long, value_name = "SLUG")]
    source: Vec<String>,
    /// Of these states, two letters.
    #[arg(long)]
    state: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Span {
    /// From this time; 30 days before its end when absent.
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Before this time; now when absent.
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
}

impl Span {
    fn period(&self, now: DateTime<Utc>) -> Result<Period, Failure> {
        let until = self.until.unwrap_or(now);
        let from = self.since.unwrap_or(until - TimeDelta::days(30));
        if from >= until {
            return Err(Failure::Usage("--since lies before --until".to_owned()));
        }
        Ok(Period { from, until })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Each {
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    Source,
    LeadType,
    Team,
    Agent,
    Campaign,
    Destination,
    State,
}

impl By {
    fn dimension(self) -> Dimension {
        match self {
            Self::Source => Dimension::Source,
            Self::LeadType => Dimension::LeadType,
            Self::Team => Dimension::Team,
            Self::Agent => Dimension::Agent,
            Self::Campaign => Dimension::Campaign,
            Self::Destination => Dimension::Destination,
            Self::State => Dimension::State,
        }
    }
}

#[derive(Debug, Serialize)]
struct PolicyShown {
    id: String,
    name: String,
    clock: String,
    from: String,
    to: String,
    target_seconds: i32,
    at_risk_percent: i16,
    business_time: bool,
    version: i32,
    enabled: bool,
}

impl Row for PolicyShown {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "clock",
        "from",
        "to",
        "target_seconds",
        "at_risk_percent",
        "business_time",
        "version",
        "enabled",
    ];
}

#[derive(Debug, Serialize)]
struct CaseShown {
    tenant: String,
    id: String,
    clock: String,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    closed_by: Option<String>,
    close_reason: Option<String>,
    met: i32,
    missed: i32,
    bookings: usize,
}

impl Row for CaseShown {
    const COLUMNS: &'static [&'static str] =
        &["tenant", "id", "clock", "opened_at", "closed_at", "close_reason", "met", "missed", "bookings"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    if let Command::Cases { all_tenants: true, .. } = command {
        return context.with_app(async |app| cases_of_all(context, &app).await).await;
    }
    context.with_tenant(async |app, tenant| of_tenant(context, &app, tenant, command).await).await
}

async fn filter(tx: &TenantTx, which: &Which) -> Result<ClockFilter, Failure> {
    let mut filter =
        ClockFilter { clock: which.clock.clone(), states: which.state.clone(), ..ClockFilter::default() };
    for slug in &which.source {
        filter.sources.push(SourceId(sources::by_slug(tx, slug).await?.id));
    }
    Ok(filter)
}

async fn of_tenant(
    context: &Context,
    app: &App,
    tenant: TenantId,
    command: Command,
) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let now = app.clock.now();
    match command {
        Command::Adherence { which, span, each, by } => {
            let bucket = each.map(|each| match each {
                Each::Hour => Bucket::Hour,
                Each::Day => Bucket::Day,
                Each::Week => Bucket::Week,
                Each::Month => Bucket::Month,
            });
            let (filter, period) = (filter(&tx, &which).await?, span.period(now)?);
            let dimension = by.map(By::dimension);
            let question = Question { filter, period, bucket, dimension, compared: true };
            let found = reads::adherence(&tx, &question).await?;
            let slugs = sources::list(&tx).await?;
            let name = |key: &Option<String>| {
                let key = key.clone()?;
                let slug = slugs.iter().find(|source| source.id.to_string() == key);
                Some(slug.map_or(key, |source| source.slug.clone()))
            };
            let rows: Vec<_> = found
                .into_iter()
                .map(|row| (name(&row.key), row))
                .map(|(name, row)| AdherenceShown::of(&row, name))
                .collect();
            context.output.list(&rows)?;
        }
        Command::Open { which, overdue, limit } => {
            let standing = overdue.then_some(Standing::Overdue);
            let rows = reads::open(&tx, &filter(&tx, &which).await?, standing, &ClockPage::first(limit), now)
                .await?;
            let rows: Vec<_> = rows.into_iter().map(|row| ClockShown::of(row, now)).collect();
            context.output.list(&rows)?;
        }
        Command::Breaches { which, span, limit } => {
            let period = span.period(now)?;
            let rows =
                reads::breaches(&tx, &filter(&tx, &which).await?, period, &ClockPage::first(limit)).await?;
            let rows: Vec<_> = rows.into_iter().map(|row| ClockShown::of(row, now)).collect();
            context.output.list(&rows)?;
        }
        Command::Policies => {
            let rows = policies::list(&mut *tx.lock().await, tenant).await?;
            let shown = |row: policies::PolicyRow| PolicyShown {
                id: PolicyId(row.id).to_string(),
                name: row.name,
                clock: row.clock,
                from: row.starts_with,
                to: row.stops_with,
                target_seconds: row.target_s,
                at_risk_percent: row.at_risk_percent,
                business_time: row.calendar_id.is_some(),
                version: row.version,
                enabled: row.enabled,
            };
            context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
        }
        Command::Cases { open, after, .. } => {
            let slug = context.tenant.clone().unwrap_or_default();
            let after = after.map(CaseId::uuid);
            let page = Page { rows: PAGE_ROWS_MAX, after, before: None, from_end: false };
            let found = escalation::cases(&tx, open, page).await?;
            let rows = cases(&tx, &slug, found.rows).await?;
            context.output.list(&rows)?;
            if let Some(last) = rows.last().filter(|_| found.more_after) {
                Output::note(&format!("There are more: --after {}", last.id));
            }
        }
    }
    Ok(Done::Well)
}

async fn cases(
    tx: &TenantTx,
    tenant: &str,
    rows: Vec<escalation::CaseRow>,
) -> Result<Vec<CaseShown>, Failure> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let bookings = bookings::bookings(tx, &ids).await?;
    let shown = |row: escalation::CaseRow| CaseShown {
        tenant: tenant.to_owned(),
        id: CaseId(row.id).to_string(),
        clock: row.clock,
        opened_at: row.opened_at,
        closed_at: row.closed_at,
        closed_by: row.closed_by,
        close_reason: row.close_reason,
        met: row.met_now,
        missed: row.missed_now,
        bookings: bookings.iter().filter(|booking| booking.case_id == row.id).count(),
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// The open cases of every tenant that has one.
async fn cases_of_all(context: &Context, app: &App) -> Result<Done, Failure> {
    let tenants: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT tenants_with_open_cases()").fetch_all(&app.database.app).await?;
    let mut rows = Vec::new();
    for tenant in tenants.into_iter().map(TenantId) {
        let tx = app.begin(tenant, Mode::ReadOnly).await?;
        let slug = access::own_tenant(&tx).await?.slug;
        rows.extend(cases(&tx, &slug, escalation::open_cases(&tx).await?).await?);
    }
    context.output.list(&rows)?;
    if rows.is_empty() {
        Output::note("No tenant has an open case.");
    }
    Ok(Done::Well)
}
