//! The shared Postgres as `baton doctor` sees it: one finding a fact, with what to do about each fault.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use sqlx::PgPool;

use super::cluster::OWNER;
use super::{Database, Error, Settings, Target, place, roles, system};

/// Below this much free room a warning is given, in bytes.
const FREE_BYTES_LOW: u64 = 5 << 30;
/// Below this much Postgres is about to stop writing, in bytes.
const FREE_BYTES_FEW: u64 = 512 << 20;
/// What to do about a full disk.
pub const MORE_ROOM: &str = "free some room, or move the data folder (--data-dir) to a larger disk";
/// The oldest version that has what Baton uses, as `server_version_num`.
const OLDEST_VERSION: i32 = 150_000;

/// How good a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, and will not for long or not for everything.
    Warn,
    /// Baton cannot serve.
    Fail,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about, such as `migrations`.
    pub name: &'static str,
    /// How good it is.
    pub state: State,
    /// What was found.
    pub what: String,
    /// What to do; none when nothing is to be done.
    pub remedy: Option<String>,
}

/// All facts, in the order in which they matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The facts.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of all states.
    pub fn state(&self) -> State {
        self.findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
    }

    fn ok(&mut self, name: &'static str, what: impl Into<String>) {
        self.findings.push(Finding { name, state: State::Ok, what: what.into(), remedy: None });
    }

    fn fault(
        &mut self,
        name: &'static str,
        state: State,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding { name, state, what: what.into(), remedy: Some(remedy.into()) });
    }
}

/// Looks at the server that the settings name. `known` are the names of all migrations of this build, in order.
///
/// Uses the private cluster like any other command: it starts it if need be, and stops it again if nobody else uses it.
/// Never fails: what cannot be read is itself a finding.
pub async fn inspect(settings: &Settings, known: &[String]) -> Report {
    let mut report = Report { findings: Vec::new() };
    match Database::connect(settings).await {
        Ok(database) => {
            report.ok("server", database.server());
            look(&mut report, &database, known).await;
            if let Err(error) = database.close().await {
                let remedy = "see server.log in the private cluster's folder";
                report.fault("server", State::Warn, chain(&error), remedy);
            }
        }
        Err(error) => report.fault("server", State::Fail, chain(&error), remedy_of(&error, settings)),
    }
    report.findings.extend(disk(&settings.data_dir));
    report
}

async fn look(report: &mut Report, database: &Database, known: &[String]) {
    let reader = database.owner.as_ref().unwrap_or(&database.app);
    if let Err(error) = version(report, reader).await {
        unreadable(report, "version", &error);
    }
    if let Err(error) = owner(report, database).await {
        unreadable(report, "owner role", &error);
    }
    match roles::bypasses(&database.app).await {
        Ok((role, reasons)) if reasons.is_empty() => {
            report.ok("login role", format!("`{role}` owns nothing and cannot bypass row-level security"));
        }
        Ok((role, reasons)) => report.fault(
            "login role",
            State::Fail,
            format!("`{role}` could bypass row-level security, because {}", reasons.join(" and ")),
            format!(
                "correct the role, or remove BATON_DATABASE__APP_URL to let Baton use `{}`",
                roles::APP_ROLE
            ),
        ),
        Err(error) => report.fault("login role", State::Fail, chain(&error), "see the server's log"),
    }
    if let Err(error) = migrations(report, reader, known).await {
        unreadable(report, "migrations", &error);
    }
    if let Err(error) = jobs(report, reader).await {
        unreadable(report, "jobs", &error);
    }
    if let Some(owner) = &database.owner
        && let Err(error) = destinations(report, owner).await
    {
        unreadable(report, "destinations", &error);
    }
    if let Err(error) = size(report, reader).await {
        unreadable(report, "database size", &error);
    }
}

async fn version(report: &mut Report, reader: &PgPool) -> Result<(), sqlx::Error> {
    let read = "SELECT current_setting('server_version'), current_setting('server_version_num')::int";
    let (text, number): (String, i32) = sqlx::query_as(read).fetch_one(reader).await?;
    if number >= OLDEST_VERSION {
        report.ok("version", format!("PostgreSQL {text}"));
    } else {
        report.fault("version", State::Fail, format!("PostgreSQL {text}"), "use PostgreSQL 15 or newer");
    }
    Ok(())
}

async fn owner(report: &mut Report, database: &Database) -> Result<(), sqlx::Error> {
    let Some(owner) = &database.owner else {
        let remedy = "set DATABASE_URL where migrations are to run";
        report.fault("owner role", State::Warn, "not given: migrations cannot run from here", remedy);
        return Ok(());
    };
    let may_create = "SELECT current_user::text, has_schema_privilege(current_schema(), 'CREATE')";
    let (role, may_create): (String, bool) = sqlx::query_as(may_create).fetch_one(owner).await?;
    if may_create {
        report.ok("owner role", format!("`{role}` may make tables"));
    } else {
        let remedy = format!("let an administrator run: GRANT CREATE, USAGE ON SCHEMA public TO {role}");
        report.fault("owner role", State::Fail, format!("`{role}` may not make tables"), remedy);
    }
    Ok(())
}

async fn migrations(report: &mut Report, reader: &PgPool, known: &[String]) -> Result<(), sqlx::Error> {
    let there = "SELECT to_regclass('seaql_migrations') IS NOT NULL";
    let applied: Vec<String> = if sqlx::query_scalar(there).fetch_one(reader).await? {
        sqlx::query_scalar("SELECT version::text FROM seaql_migrations ORDER BY version")
            .fetch_all(reader)
            .await?
    } else {
        Vec::new()
    };
    let pending: Vec<&str> =
        known.iter().filter(|name| !applied.contains(name)).map(String::as_str).collect();
    let newer: Vec<&str> = applied.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
    if !newer.is_empty() {
        let what = format!("the database has migrations that this build does not know: {}", newer.join(", "));
        report.fault("migrations", State::Fail, what, "run the newer build of baton");
    } else if pending.is_empty() {
        report.ok("migrations", format!("{} applied, none pending", applied.len()));
    } else {
        let what = format!("{} applied, pending: {}", applied.len(), pending.join(", "));
        report.fault("migrations", State::Fail, what, "run `baton migrate`");
    }
    Ok(())
}

/// Jobs whose time came longer ago than this are overdue: no worker runs, or it cannot keep up.
const JOB_OVERDUE_S: f64 = 300.0;

async fn jobs(report: &mut Report, reader: &PgPool) -> Result<(), sqlx::Error> {
    if !sqlx::query_scalar("SELECT to_regclass('baton_jobs._private_jobs') IS NOT NULL")
        .fetch_one(reader)
        .await?
    {
        report.fault("jobs", State::Fail, "the queue of background jobs is missing", "run `baton migrate`");
        return Ok(());
    }
    let read = "SELECT count(*) FILTER (WHERE attempts < max_attempts),
                       count(*) FILTER (WHERE attempts >= max_attempts AND locked_at IS NULL),
                       extract(epoch FROM now() - min(run_at) FILTER (WHERE attempts < max_attempts AND locked_at IS NULL))::float8,
                       (SELECT count(*) FROM baton_jobs._private_workers WHERE last_heartbeat_at > now() - interval '2 minutes')
                FROM baton_jobs._private_jobs";
    let (waiting, given_up, oldest_s, workers): (i64, i64, Option<f64>, i64) =
        sqlx::query_as(read).fetch_one(reader).await?;
    let what = format!("{waiting} waiting, {given_up} given up, {workers} workers");
    if oldest_s.is_some_and(|seconds| seconds > JOB_OVERDUE_S) {
        let remedy = "start `baton serve` or `baton worker`; if one runs, see its log";
        report.fault("jobs", State::Warn, format!("{what}; the oldest is overdue"), remedy);
    } else if given_up > 0 {
        let remedy = "the log of the worker says why; they are kept for 30 days";
        report.fault("jobs", State::Warn, what, remedy);
    } else {
        report.ok("jobs", what);
    }
    Ok(())
}

/// Stopped destinations that are named one by one.
const STOPPED_SHOWN: usize = 5;

/// Destinations that take no leads, over all tenants: only the owner sees those.
async fn destinations(report: &mut Report, owner: &PgPool) -> Result<(), sqlx::Error> {
    // A schema from before destinations had a breaker: the migrations say what to do.
    let known = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('destination') AND attname = 'breaker')";
    if !sqlx::query_scalar(known).fetch_one(owner).await? {
        return Ok(());
    }
    let stopped: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT t.slug, d.slug, d.breaker,
                (SELECT count(*) FROM (SELECT FROM delivery w WHERE w.tenant_id = d.tenant_id AND w.destination_id = d.id
                                       AND w.state = 'pending' LIMIT 10000) waiting)
         FROM destination d JOIN tenant t ON t.id = d.tenant_id
         WHERE d.enabled AND d.breaker <> 'closed' ORDER BY 4 DESC, 1, 2",
    )
    .fetch_all(owner)
    .await?;
    if stopped.is_empty() {
        report.ok("destinations", "leads flow to all of them");
        return Ok(());
    }
    let told = |(tenant, slug, breaker, waiting): &(String, String, String, i64)| {
        let why = if breaker == "held" { "is held" } else { "does not answer" };
        format!("{tenant}/{slug} {why}, {waiting} leads wait")
    };
    let mut what = stopped.iter().take(STOPPED_SHOWN).map(told).collect::<Vec<_>>().join("; ");
    if stopped.len() > STOPPED_SHOWN {
        let _ = write!(what, "; and {} more", stopped.len() - STOPPED_SHOWN);
    }
    let remedy = "correct the credentials of a held one, then `baton destination resume SLUG --tenant TENANT`; one that does not answer is tried again by itself";
    report.fault("destinations", State::Warn, what, remedy);
    Ok(())
}

async fn size(report: &mut Report, reader: &PgPool) -> Result<(), sqlx::Error> {
    let read = "SELECT pg_size_pretty(pg_database_size(current_database()))";
    let size: String = sqlx::query_scalar(read).fetch_one(reader).await?;
    report.ok("database size", size);
    Ok(())
}

/// How much room is left for the data folder; none when no folder above it is there either.
pub fn disk(data_dir: &Path) -> Option<Finding> {
    // The folder may not have been made yet: then the one that it will be made in.
    let start = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let folder = start.ancestors().find(|folder| folder.exists())?;
    let fault =
        |state, what, remedy: &str| Finding { name: "disk", state, what, remedy: Some(remedy.to_owned()) };
    let space = match system::disk_space(folder) {
        Ok(space) => space,
        Err(error) => {
            let what = format!("cannot read the free room of {}: {error}", folder.display());
            return Some(fault(State::Warn, what, "check that the data folder can be read"));
        }
    };
    let what = format!(
        "{} of {} free for {}",
        gigabytes(space.free_bytes),
        gigabytes(space.total_bytes),
        data_dir.display()
    );
    Some(match space.free_bytes {
        free if free < FREE_BYTES_FEW => fault(State::Fail, what, MORE_ROOM),
        free if free < FREE_BYTES_LOW => fault(State::Warn, what, MORE_ROOM),
        _ => Finding { name: "disk", state: State::Ok, what, remedy: None },
    })
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes >> 30, ((bytes % (1 << 30)) * 10) >> 30)
}

fn unreadable(report: &mut Report, name: &'static str, error: &sqlx::Error) {
    report.fault(name, State::Fail, format!("cannot be read: {}", chain(error)), "see the server's log");
}

fn remedy_of(error: &Error, settings: &Settings) -> String {
    match (error, settings.target()) {
        (Error::Connect { .. }, Ok(Target::Given(given))) => {
            let owner = given.owner.as_ref().or(given.app.as_ref()).map(place).unwrap_or_default();
            format!("check {}, that {owner} is reachable from here, and the user's password", given.named_by)
        }
        (Error::Connect { role, .. }, _) if role == OWNER => {
            "see server.log in the private cluster's folder".to_owned()
        }
        _ => "do what the message says, then run `baton doctor` again".to_owned(),
    }
}

/// An error with each of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}
