//! Their list of a million rows against a million deliveries: seconds and peak memory, beside one psql `\copy` of the same list.
//!
//! The list comes from the table: most rows are equal, written in another form (phones with brackets, names in capitals);
//! one in a thousand is left out, one in a thousand has another phone, and a tenth is recognised by phone or e-mail alone. The run is in a
//! process of its own, whose peak memory is read when it is done.

use std::path::Path;
use std::time::Instant;

use domain::ids::DestinationId;
use serde::{Deserialize, Serialize};
use service::access;
use service::database::Mode;
use service::delivery::manage;
use service::reconciliation::{Counts, List, Request, run};

use crate::report::{Aim, Line};
use crate::world::{self, World};
use crate::{Outcome, Size, graphql, process};

const TENANT: &str = "tenant-0";
const DESTINATION: &str = "crm";

/// What the comparing process says at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    seconds: f64,
    peak_memory_mb: f64,
    note: String,
}

/// Reconciles as `baton reconcile` does, and prints [`Done`].
pub async fn run_part(data_dir: &Path, file: &Path) -> Outcome<()> {
    let app = world::open(data_dir).await?;
    let tenant = access::tenant(&app, TENANT).await?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let destination = DestinationId(manage::by_slug(&tx, DESTINATION).await?.id);
    drop(tx);
    let list = List::File { path: file.to_owned(), name: "crm.csv".to_owned() };
    let request = Request::whole(destination, list, "bench");
    let started = Instant::now();
    let report = run::run(&app, tenant, request).await?;
    let seconds = started.elapsed().as_secs_f64();
    let done = Done { seconds, peak_memory_mb: process::peak_memory_mb()?, note: note(&report.counts) };
    println!("{}", serde_json::to_string(&done)?);
    app.database.clone().close().await?;
    Ok(())
}

fn note(counts: &Counts) -> String {
    format!(
        "{} ours, {} theirs: {} matched, {} mismatched, {} missing",
        counts.ours, counts.theirs, counts.matched, counts.mismatched, counts.missing
    )
}

/// The figures.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let world = World::new().await?;
    eprintln!("reconcile: filling");
    graphql::fill::fill(&world, 1, size.of(1_000_000)).await?;
    let list = world.folder().join("crm.csv");
    let path = list.display();
    let export = format!(
        "\\copy (SELECT CASE WHEN n % 10 > 0 THEN d.remote_id END AS id,
                CASE WHEN n % 10 > 1 THEN l.external_id END AS external_id,
                CASE WHEN n % 3 = 0 THEN upper(l.first_name) ELSE l.first_name END AS first_name, l.last_name,
                l.email, CASE WHEN n % 1000 = 7 THEN '+13039999999' WHEN n % 2 = 0 THEN l.phone
                    ELSE '(' || substr(l.phone, 3, 3) || ') ' || substr(l.phone, 6, 3) || '-' || substr(l.phone, 9) END AS phone,
                l.state, 'webhook' AS source, 'active' AS status, d.finished_at AS created_at
         FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM delivery) d
         JOIN lead l ON l.id = d.lead_id JOIN destination t ON t.id = d.destination_id AND t.slug = '{DESTINATION}'
         WHERE d.state = 'delivered' AND n % 1000 <> 3) TO '{path}' WITH (FORMAT csv, HEADER)"
    );
    // psql takes a \copy on one line only.
    world.psql(&export.replace('\n', " "))?;
    world.psql(
        "CREATE TABLE list (a text, b text, c text, d text, e text, f text, g text, h text, i text, j text)",
    )?;
    let copy = world.psql(&format!("\\copy list FROM '{path}' WITH (FORMAT csv, HEADER)"))?.as_secs_f64();
    world.psql("DROP TABLE list")?;
    world.psql("CHECKPOINT")?;
    eprintln!("reconcile: comparing");
    let mut command = process::part("run-reconcile")?;
    command.arg(world.folder()).arg(&list);
    let done: Done = serde_json::from_str(&process::run(command)?)?;
    world.close().await?;
    Ok(vec![
        Line::new("reconciliation", "s", done.seconds)
            .beside(copy)
            .note(format!("{}; one \\copy of the list took {copy:.1} s", done.note)),
        Line::new("reconciliation, peak memory", "MB", done.peak_memory_mb).aim(Aim::AtMost(200.0)),
    ])
}
