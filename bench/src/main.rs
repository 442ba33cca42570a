//! `bench`: what Baton does a second, beside what the machine allows, as a table of ratios from one run.
//!
//! `bench [access] [import] [rules] [graphql] [delivery] [--scale 0.1] [--output json]`; all of them when none is named. Each measure
//! has a private cluster of its own in a temporary folder, with full durability. Absolute figures drift with the
//! machine, so each stands beside a yardstick that was taken in the same run; `docs/bench.md` says what is compared.
//!
//! The program starts itself again for what must not share a process: the import whose memory is measured, the server,
//! the receiver of deliveries. Needs `psql`, `pgbench` and `wrk`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

mod access;
mod data;
mod delivery;
mod graphql;
mod import;
mod process;
mod receiver;
mod report;
mod rules;
mod world;

use report::{Line, Output};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A result whose error only has to be read by a person.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to measure; everything when none is named.
    measures: Vec<Measure>,
    /// Part of the full size: 1 is a file of 1,000,000 rows, 1,000,000 leads, 100,000 deliveries.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Length of each run under load.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(subcommand)]
    part: Option<Part>,
}

/// How large and how long, the same for all measures.
#[derive(Clone, Copy)]
struct Size {
    scale: f64,
    seconds: u32,
}

impl Size {
    /// That many at full size, at least one hundred.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are positive and small"
    )]
    fn of(self, full: u32) -> u32 {
        ((f64::from(full) * self.scale) as u32).max(100)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    Access,
    Import,
    Rules,
    Graphql,
    Delivery,
}

/// What the program starts itself again for.
#[derive(Subcommand)]
enum Part {
    /// Imports a file and prints time, counts and peak memory.
    #[command(hide = true)]
    RunImport { data_dir: PathBuf, tenant: String, source: String, file: PathBuf },
    /// Serves HTTP on a free port, which it prints.
    #[command(hide = true)]
    Serve { data_dir: PathBuf },
    /// Receives deliveries on a free port, which it prints.
    #[command(hide = true)]
    Receive,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::RunImport { data_dir, tenant, source, file }) => {
            import::run_part(&data_dir, &tenant, &source, &file).await
        }
        Some(Part::Serve { data_dir }) => graphql::serve_part(&data_dir).await,
        Some(Part::Receive) => receiver::part().await,
        None => {
            warn_if_busy();
            let size = Size { scale: arguments.scale, seconds: arguments.seconds };
            let lines = measure(&arguments.measures, size).await?;
            report::print(&lines, arguments.output)
        }
    }
}

/// A ratio of two runs in turn means little while others take the machine in between.
fn warn_if_busy() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let last_minute = load.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    if let Some(load) = last_minute.filter(|load| *load > 1.0) {
        eprintln!(
            "the machine is busy (load {load}): what follows is worth little; run it again when it is quiet"
        );
    }
}

async fn measure(named: &[Measure], size: Size) -> Outcome<Vec<Line>> {
    let wanted = |measure| named.is_empty() || named.contains(&measure);
    let mut lines = Vec::new();
    if wanted(Measure::Rules) {
        lines.extend(rules::measure(size));
    }
    if wanted(Measure::Access) {
        lines.extend(access::measure(size).await?);
    }
    if wanted(Measure::Import) {
        lines.extend(import::measure(size).await?);
    }
    if wanted(Measure::Graphql) {
        lines.extend(graphql::measure(size).await?);
    }
    if wanted(Measure::Delivery) {
        lines.extend(delivery::measure(size).await?);
    }
    Ok(lines)
}
