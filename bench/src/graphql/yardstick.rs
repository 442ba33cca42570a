//! pgbench with the statements of the pages.

use std::fmt::Write as _;
use std::path::PathBuf;

use service::database::cluster::OWNER;
use uuid::Uuid;

use super::Tenant;
use super::pages::{Page, STATES, Statements};
use crate::world::World;
use crate::{Outcome, process};

/// What pgbench reached.
pub struct Run {
    /// Pages a second.
    pub per_second: f64,
    /// Mean time of a page.
    pub mean_ms: f64,
}

/// The three statements alone.
pub async fn run(
    world: &World,
    tenants: &[Tenant],
    pages: &[Page],
    statements: &Statements,
    load: (u32, u32),
) -> Outcome<Run> {
    let scripts = scripts(world, tenants, pages, statements, false)?;
    pgbench(world, OWNER, &scripts, load).await
}

/// The three statements in the tenant's transaction, under the policies.
pub async fn run_secured(
    world: &World,
    tenants: &[Tenant],
    pages: &[Page],
    statements: &Statements,
    load: (u32, u32),
) -> Outcome<Run> {
    let scripts = scripts(world, tenants, pages, statements, true)?;
    pgbench(world, "baton_app", &scripts, load).await
}

/// A script a page.
fn scripts(
    world: &World,
    tenants: &[Tenant],
    pages: &[Page],
    statements: &Statements,
    secured: bool,
) -> Outcome<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let tenant = &tenants[page.tenant];
        let id = tenant.id.uuid().to_string();
        let states = format!("{{{}}}", STATES.join(","));
        let mut leads = vec![id.clone(), array(&[tenant.source.uuid()]), states];
        let of_leads = if let Some(after) = page.after {
            leads.push(after.to_string());
            &statements.next_page
        } else {
            &statements.first_page
        };
        let mut script = String::new();
        if secured {
            writeln!(
                script,
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET LOCAL app.tenant_id = '{id}';"
            )?;
        }
        writeln!(script, "{};", with_values(of_leads, &leads))?;
        writeln!(script, "{};", with_values(&statements.deliveries, &[id.clone(), array(&page.leads)]))?;
        writeln!(script, "{};", with_values(&statements.attempts, &[id, array(&page.deliveries)]))?;
        if secured {
            writeln!(script, "COMMIT;")?;
        }
        let path = world.folder().join(format!("page-{number}.sql"));
        std::fs::write(&path, script)?;
        paths.push(path);
    }
    Ok(paths)
}

fn array(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

/// The statement with its values in place of the parameters. None of the values has a quote.
fn with_values(statement: &str, values: &[String]) -> String {
    // The highest first: `$1` is the beginning of `$10`.
    values.iter().enumerate().rev().fold(statement.to_owned(), |text, (index, value)| {
        text.replace(&format!("${}", index + 1), &format!("'{value}'"))
    })
}

async fn pgbench(
    world: &World,
    role: &str,
    scripts: &[PathBuf],
    (clients, seconds): (u32, u32),
) -> Outcome<Run> {
    let mut command = world.client("pgbench", role)?;
    command.args(["-n", "-M", "prepared", "-j", "2"]);
    command.args(["-c", &clients.to_string(), "-T", &seconds.to_string()]);
    for script in scripts {
        command.arg("-f").arg(script);
    }
    eprintln!("graphql: pgbench as {role}");
    let text = tokio::task::spawn_blocking(move || process::run(command)).await??;
    let figure = |label: &str| -> Outcome<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        let first = line.and_then(|line| line.split_whitespace().next());
        Ok(first.ok_or_else(|| format!("pgbench said no `{label}`: {text}"))?.parse()?)
    };
    let run = Run { per_second: figure("tps = ")?, mean_ms: figure("latency average = ")? };
    eprintln!("graphql: {:.0} pages/s", run.per_second);
    Ok(run)
}
