//! A page of 50 leads with their deliveries and attempts over HTTP, beside pgbench with the same three statements.
//!
//! The server is the real router over a real socket in a process of its own; `wrk` asks on 16 connections, each request
//! for another of a hundred pages of twenty tenants, with a tenant's access token. pgbench runs the very statements that
//! the server sent for these pages (read from the log of Postgres), with their values in place of the parameters, prepared,
//! as a role that no policy holds back, without BEGIN and COMMIT: nothing that a database client does could be faster.

use std::path::Path;

use serde_json::Value;
use tokio::net::TcpListener;

use crate::access;
use crate::process::{self, Listening};
use crate::report::{Aim, Line};
use crate::world::{self, World};
use crate::{Outcome, Size};

pub mod fill;
mod load;
mod pages;
mod yardstick;

pub use fill::Tenant;

const TENANTS: u32 = 20;
/// pgbench takes at most 128 scripts.
const PAGES_PER_TENANT: usize = 5;
const CONNECTIONS: u32 = 16;
/// What proving the caller may cost of a page.
const AUTHENTICATION_PERCENT_MAX: f64 = 5.0;

/// Serves the app of that folder until the process is killed.
pub async fn serve_part(data_dir: &Path) -> Outcome<()> {
    let app = world::open(data_dir).await?;
    let router = api::http::router(app, api::http::Options::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, router).await?;
    Ok(())
}

/// Requests a second of both, their ratio, and what a request costs.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let world = World::new().await?;
    let leads_each = size.of(1_000_000) / TENANTS;
    eprintln!("graphql: filling {TENANTS} tenants with {leads_each} leads each");
    let tenants = fill::fill(&world, TENANTS, leads_each).await?;
    let mut command = process::part("serve")?;
    command.arg(world.folder());
    let server = Listening::start(command)?;

    let (pages, statements) = pages::gather(&world, &server, &tenants).await?;
    let folder = world.folder();
    // Both warm; then each in turn, so that a drift of the machine meets both.
    load::run(folder, &server, &tenants, &pages, (CONNECTIONS, 3)).await?;
    yardstick::run(&world, &tenants, &pages, &statements, (CONNECTIONS, 3)).await?;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..2 {
        ours.push(load::run(folder, &server, &tenants, &pages, (CONNECTIONS, size.seconds)).await?);
        theirs
            .push(yardstick::run(&world, &tenants, &pages, &statements, (CONNECTIONS, size.seconds)).await?);
    }
    let secured = yardstick::run_secured(&world, &tenants, &pages, &statements, (CONNECTIONS, size.seconds));
    let secured = secured.await?;
    let with_key =
        load::run_as(folder, &server, &pages, (CONNECTIONS, size.seconds), |page| &tenants[page.tenant].key);
    let with_key = with_key.await?;
    let single = load::run(folder, &server, &tenants, &pages, (1, size.seconds.min(5))).await?;
    let crowd = load::run(folder, &server, &tenants, &pages, (64, size.seconds)).await?;
    drop(server);
    world.close().await?;

    let mean =
        |values: Vec<f64>| values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap_or(1));
    let rate = mean(ours.iter().map(|run| run.per_second).collect());
    let cpu = mean(ours.iter().map(|run| run.cpu_us).collect());
    let pgbench = mean(theirs.iter().map(|run| run.per_second).collect());
    let last = &ours[1];
    let proof = access::authentication(size).await?;
    let share = |of: f64| of * 100.0 / cpu;
    let sent = f64::from(u32::try_from(statements.count)?);
    Ok(vec![
        Line::new("graphql page", "requests/s", rate).beside(pgbench).aim(Aim::RatioAtLeast(0.5)).note(
            format!(
                "p50 {:.1} ms, p99 {:.1} ms; pgbench {:.1} ms",
                last.p50_ms, last.p99_ms, theirs[1].mean_ms
            ),
        ),
        Line::new("graphql page against pgbench with row-level security", "requests/s", rate)
            .beside(secured.per_second)
            .note("BEGIN, SET LOCAL, the three statements, COMMIT, as the restricted role"),
        Line::new("graphql page, processor time of the server", "µs/request", cpu)
            .note(format!("{:.0} kB an answer", last.answer_bytes / 1_000.0)),
        Line::new("authentication's share of that time, access token", "%", share(proof.token))
            .aim(Aim::AtMost(AUTHENTICATION_PERCENT_MAX))
            .note(format!("{:.1} µs", proof.token)),
        Line::new("authentication's share of that time, API key", "%", share(proof.key))
            .aim(Aim::AtMost(AUTHENTICATION_PERCENT_MAX))
            .note(format!(
                "{:.1} µs; a session {:.1} µs, {:.1} %",
                proof.key,
                proof.session,
                share(proof.session)
            )),
        Line::new("graphql page with API keys against access tokens", "requests/s", with_key.per_second)
            .beside(rate)
            .note(format!("{:.0} µs of the server each", with_key.cpu_us)),
        Line::new("graphql page, one connection", "requests/s", single.per_second)
            .note(format!("p50 {:.1} ms, p99 {:.1} ms", single.p50_ms, single.p99_ms)),
        Line::new("graphql page, 64 connections", "requests/s", crowd.per_second)
            .note(format!("p50 {:.1} ms, p99 {:.1} ms", crowd.p50_ms, crowd.p99_ms)),
        Line::new("graphql page, SQL statements", "a request", sent)
            .aim(Aim::AtMost(5.0))
            .note("BEGIN with the tenant, one a level of the query, COMMIT"),
    ])
}

/// A member of an answer, or an error that names it.
fn at<'a>(value: &'a Value, pointer: &str) -> Outcome<&'a Value> {
    value.pointer(pointer).ok_or_else(|| format!("the answer has no {pointer}: {value:.300}").into())
}
