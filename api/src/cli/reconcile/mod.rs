//! `baton reconcile`: their list beside what we handed over.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::{DestinationId, ExceptionId, ReconciliationId, TenantId};
use domain::reconciliation::State;
use secrecy::SecretString;
use service::App;
use service::access::{self, Actor};
use service::database::Mode;
use service::delivery::manage;
use service::intake::leads::Page;
use service::reconciliation::exceptions::{self, Decision, ExceptionRow, Filter};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::{List, Request, RunRow, proof, repair, run as running, runs};

use super::acts::Act;
use super::context::Context;
use super::{Done, Failure, Output, Style};

mod period;
mod shown;

use period::period;
use shown::{ExceptionShown, PlanShown, Proved, Resent, RunShown};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

/// What the command leaves in the audit log.
pub(super) fn act_of(arguments: &Arguments) -> Option<Act> {
    let act = |action, subject: &dyn std::fmt::Display| Some(Act { action, subject: subject.to_string() });
    match &arguments.command {
        None if arguments.run.dry_run => None,
        None => act("reconciliation.started", &arguments.run.destination.as_deref().unwrap_or("-")),
        Some(Command::Resend { ids, all }) => match (all, ids.first()) {
            (Some(destination), _) => act("reconciliation.resent", destination),
            (None, Some(first)) => act("reconciliation.resent", first),
            (None, None) => None,
        },
        Some(Command::Prove { destination }) => act("reconciliation.proven", destination),
        Some(Command::Accept { id, .. } | Command::Confirm { id } | Command::Reopen { id }) => {
            act("reconciliation.decided", id)
        }
        Some(Command::Plan { destination, .. }) => act("reconciliation.plan_changed", destination),
        Some(Command::Runs { .. } | Command::Show { .. } | Command::List { .. }) => None,
    }
}

/// A run.
#[derive(Debug, Args)]
struct RunArguments {
    /// The destination whose list it is.
    #[arg(long, value_name = "SLUG")]
    destination: Option<String>,
    /// Their list: CSV, XLSX or JSON. Without it, their API is asked page by page.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Leads handed over in that time: 24h, 7d, 30d, or since a day (2026-11-01).
    #[arg(long, value_name = "PERIOD", conflicts_with = "month")]
    since: Option<String>,
    /// Leads handed over in that calendar month of the tenant's zone: 2026-11.
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<String>,
    /// Leads of that channel only.
    #[arg(long, value_parser = ["file", "api", "web", "sms", "voice"])]
    channel: Option<String>,
    /// When the list was made, when that is not now: what was handed over later is not missing.
    #[arg(long, value_name = "TIME")]
    as_of: Option<DateTime<Utc>>,
    /// Show what it would find, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs, newest first.
    Runs {
        /// Only those of this destination.
        #[arg(long, value_name = "SLUG")]
        destination: Option<String>,
    },
    /// One run with its differences.
    Show {
        /// Its id, recon_….
        id: ReconciliationId,
    },
    /// Differences that somebody has to look at.
    List {
        /// Only those of this destination.
        #[arg(long, value_name = "SLUG")]
        destination: Option<String>,
        /// Those that stand there, instead of open and resending.
        #[arg(long, value_parser = ["open", "resending", "resolved", "accepted"])]
        state: Option<String>,
    },
    /// Send missing leads again: those named, or all of a destination.
    Resend {
        /// Their ids, diff_….
        #[arg(required_unless_present = "all")]
        ids: Vec<ExceptionId>,
        /// Every open missing lead of that destination, but for those where two people may have become one.
        #[arg(long, value_name = "SLUG", conflicts_with = "ids")]
        all: Option<String>,
    },
    /// Look up at the destination's API what was sent again.
    Prove {
        /// The destination.
        #[arg(value_name = "SLUG")]
        destination: String,
    },
    /// Leave a difference as it is, and say why.
    Accept {
        /// Its id, diff_….
        id: ExceptionId,
        /// Why it may stay.
        #[arg(long)]
        reason: String,
    },
    /// Call a lead delivered that their list has and our record does not.
    Confirm {
        /// Its id, diff_….
        id: ExceptionId,
    },
    /// Look at an accepted or resolved difference once more.
    Reopen {
        /// Its id, diff_….
        id: ExceptionId,
    },
    /// How a destination's list is read, its API, and when runs begin by themselves.
    Plan {
        /// The destination.
        #[arg(value_name = "SLUG")]
        destination: String,
        /// A JSON file: {"columns": {"phone": "Tel"}, "deleted": […], "`opted_out"`: […], "`our_sources"`: […]}.
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
        /// The API's base, as in <https://app.getbonzo.com/api/v3>.
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// The API's bearer token. It is kept sealed.
        #[arg(long, env = "BATON_API_TOKEN", hide_env_values = true)]
        api_token: Option<SecretString>,
        /// The hour of the tenant's day at which a run begins by itself.
        #[arg(long, value_name = "0-23")]
        nightly_hour: Option<i16>,
        /// How many missing leads a run sends again by itself; 0: a person decides.
        #[arg(long, value_name = "COUNT")]
        auto_resend_max: Option<i32>,
    },
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| match arguments.command {
            None => reconcile(context, &app, tenant, arguments.run).await,
            Some(command) => work(context, &app, tenant, command).await,
        })
        .await
}

async fn reconcile(
    context: &Context,
    app: &App,
    tenant: TenantId,
    arguments: RunArguments,
) -> Result<Done, Failure> {
    let slug = arguments
        .destination
        .ok_or_else(|| Failure::Usage("which destination? Say --destination SLUG".to_owned()))?;
    let (destination, zone) = {
        let tx = app.begin(tenant, Mode::ReadOnly).await?;
        let row = manage::by_slug(&tx, &slug).await?;
        (DestinationId(row.id), access::own_tenant(&tx).await?.time_zone)
    };
    let zone: chrono_tz::Tz = zone
        .parse()
        .map_err(|_| Failure::failed("reading the tenant's time zone", format!("`{zone}` is none")))?;
    let (since, before) =
        period(arguments.since.as_deref(), arguments.month.as_deref(), app.clock.now(), zone)?;
    let list = match arguments.file {
        Some(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            List::File { path, name }
        }
        None => List::Api,
    };
    let request = Request {
        destination,
        list,
        since,
        before,
        channel: arguments.channel,
        as_of: arguments.as_of,
        dry_run: arguments.dry_run,
        actor: Actor::Operator.to_string(),
    };
    let report = running::run(app, tenant, request).await?;
    let mut shown = RunShown::new(report.run, &slug);
    shown.resent = (report.resent > 0).then_some(report.resent);
    shown.found = report.differences.into_iter().map(ExceptionShown::from).collect();
    if arguments.dry_run {
        Output::note("A dry run: nothing was changed.");
    }
    print(context, &shown)
}

fn print(context: &Context, shown: &RunShown) -> Result<Done, Failure> {
    context.output.one(shown)?;
    if context.output.style() == Style::Table && !shown.found.is_empty() {
        Output::text("\nDifferences\n")?;
        context.output.list(&shown.found)?;
        let left = usize::try_from(shown.differences).unwrap_or(0).saturating_sub(shown.found.len());
        if left > 0 {
            Output::note(&format!(
                "… and {left} more: baton reconcile list --destination {}",
                shown.destination
            ));
        }
    }
    Ok(if shown.differences > 0 { Done::WithFailures } else { Done::Well })
}

#[expect(clippy::too_many_lines, reason = "one arm a command")]
async fn work(context: &Context, app: &App, tenant: TenantId, command: Command) -> Result<Done, Failure> {
    let actor = Actor::Operator.to_string();
    match command {
        Command::Runs { destination } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let destination = of_slug(&tx, destination.as_deref()).await?;
            let slugs = super::deliveries::slugs_of_destinations(&tx).await?;
            let page = Page { rows: 100, after: None, before: None, from_end: false };
            let rows = runs::list(&tx, destination, page).await?.rows;
            let shown = |row: RunRow| {
                let slug = slugs.get(&row.destination_id).cloned().unwrap_or_default();
                RunShown::new(row, &slug)
            };
            context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
        }
        Command::Show { id } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let row = runs::by_id(&tx, id).await?;
            let slug = manage::by_id(&tx, DestinationId(row.destination_id)).await?.slug;
            let mut shown = RunShown::new(row, &slug);
            let found = exceptions::of_run(&tx, id, running::SHOWN_MAX).await?;
            shown.found = found.into_iter().map(ExceptionShown::from).collect();
            return print(context, &shown).map(|_| Done::Well);
        }
        Command::List { destination, state } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let states = match state.as_deref().and_then(State::parse) {
                Some(state) => vec![state],
                None => vec![State::Open, State::Resending],
            };
            let destination = of_slug(&tx, destination.as_deref()).await?;
            let filter = Filter { destination, states, ..Filter::default() };
            let page = Page { rows: 1_000, after: None, before: None, from_end: false };
            let rows = exceptions::list(&tx, &filter, page).await?.rows;
            context.output.list(&rows.into_iter().map(ExceptionShown::from).collect::<Vec<_>>())?;
        }
        Command::Resend { ids, all } => {
            let resent = match all {
                Some(slug) => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let destination = DestinationId(manage::by_slug(&tx, &slug).await?.id);
                    drop(tx);
                    repair::resend_missing(app, tenant, (destination, None), u64::MAX, &actor).await?
                }
                None => repair::resend(app, tenant, &ids, &actor).await?,
            };
            context.output.one(&Resent { resent })?;
            if resent > 0 {
                Output::note("A running server or worker sends them now; without one: baton worker");
            }
        }
        Command::Prove { destination } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let destination = DestinationId(manage::by_slug(&tx, &destination).await?.id);
            drop(tx);
            let proved = proof::prove(app, tenant, destination, &actor).await?;
            context.output.one(&Proved {
                found: proved.found,
                absent: proved.absent,
                waiting: proved.waiting,
            })?;
            if proved.absent > 0 {
                return Ok(Done::WithFailures);
            }
        }
        Command::Accept { id, reason } => {
            show(context, exceptions::decide(app, tenant, id, Decision::Accept(reason), &actor).await?)?;
        }
        Command::Confirm { id } => {
            repair::confirm(app, tenant, id, &actor).await?;
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            show(context, exceptions::by_id(&tx, id).await?)?;
        }
        Command::Reopen { id } => {
            show(context, exceptions::decide(app, tenant, id, Decision::Reopen, &actor).await?)?;
        }
        Command::Plan { destination, mapping, api_url, api_token, nightly_hour, auto_resend_max } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let id = DestinationId(manage::by_slug(&tx, &destination).await?.id);
            drop(tx);
            let mapping = mapping.map(|path| read_mapping(&path)).transpose()?;
            let change = PlanChange {
                mapping,
                api_url: api_url.map(Some),
                api_token,
                nightly_hour: nightly_hour.map(Some),
                auto_resend_max,
            };
            let plan = plans::change(app, tenant, id, change).await?;
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let api = plans::has_api(app, &tx, id).await?;
            drop(tx);
            context.output.one(&PlanShown {
                destination,
                mapping: plan.mapping,
                api,
                api_url: plan.api_url,
                api_token: if plan.api_token_sealed.is_some() { "set" } else { "not set" },
                nightly_hour: plan.nightly_hour,
                auto_resend_max: plan.auto_resend_max,
            })?;
        }
    }
    Ok(Done::Well)
}

fn show(context: &Context, row: ExceptionRow) -> Result<(), Failure> {
    context.output.one(&ExceptionShown::from(row))
}

async fn of_slug(
    tx: &service::database::TenantTx,
    slug: Option<&str>,
) -> Result<Option<DestinationId>, Failure> {
    Ok(match slug {
        Some(slug) => Some(DestinationId(manage::by_slug(tx, slug).await?.id)),
        None => None,
    })
}

fn read_mapping(path: &std::path::Path) -> Result<serde_json::Value, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", path.display())))
}
