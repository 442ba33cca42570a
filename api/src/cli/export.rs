//! `baton export …`: a tenant's figures as files.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use domain::sla::Period;
use serde::Serialize;
use service::database::Mode;
use service::sla::parquet;

use super::context::Context;
use super::{Done, Failure, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write leads, service-level clocks, refusals and amounts as Parquet files, one folder a day, without personal data.
    Parquet {
        /// Where to; days that are there are written anew.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// From the day of this time; 30 days back when absent.
        #[arg(long, value_name = "TIME")]
        since: Option<DateTime<Utc>>,
        /// To the day of this time; now when absent.
        #[arg(long, value_name = "TIME")]
        until: Option<DateTime<Utc>>,
    },
}

#[derive(Debug, Serialize)]
struct Shown {
    files: usize,
    rows: usize,
    folder: String,
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &["files", "rows", "folder"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let Command::Parquet { out, since, until } = command;
    context
        .with_tenant(async |app, tenant| {
            let until = until.unwrap_or_else(|| app.clock.now());
            let from = since.unwrap_or(until - TimeDelta::days(30));
            if from >= until {
                return Err(Failure::Usage("--since lies before --until".to_owned()));
            }
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let written = parquet::export(&tx, Period { from, until }, &out).await?;
            let folder = out.display().to_string();
            context.output.one(&Shown { files: written.files, rows: written.rows, folder })?;
            Ok(Done::Well)
        })
        .await
}
