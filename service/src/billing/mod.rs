//! Billing: what partners pay for their leads' actions, and the reports that say so.
//!
//! * [`partners`], [`products`], [`plans`] – who is billed, for what, by which rate plan and version.
//! * [`record`] – actions in: one, a batch, a file ([`ingest`]).
//! * [`book`], [`facts`] – a period's actions out of the store, as numbers: one COPY, one pass.
//! * [`rating`] – a period rated: [`Figures`], lines, a page of lines. Nothing is stored: a draft is a read.
//! * [`closing`] – close, reissue, void. [`reports`] – closed reports. [`difference`] – what differs between two.
//! * [`announce`] – the partner is told of a report by mail.
//! * [`lines`] – the lines of a closed report. [`files`] – CSV, JSON, XLSX and PDF made of them, in the object storage.
//! * [`links`] – links to one file, and who fetched what.
//! * [`reads`], [`overview`] – by lead user, by period, all partners; [`export`] – every read as CSV.
//! * [`schedule`] – periods that close by themselves, a job each.
//!
//! Invariants
//! * Actions are appended and never changed; a closed report's lines and figures are never changed, which the database
//!   enforces. The SHA-256 of a closed report's CSV is stored with it, so that whoever has the file can check it.
//! * Of a partner and period one report counts. An action is a line of at most one report that counts, of its own period or,
//!   when it came in after that one was closed, of a later one as an adjustment that names its own.
//! * Closing and recording exclude each other by partner: what commits before the close is in the report, what comes
//!   after is late.
//! * Files are made of the stored lines alone, so the same report gives the same bytes whenever it is asked for.

use domain::ids::PartnerId;
use sqlx::PgConnection;

use crate::error::Error;

pub mod announce;
pub mod book;
mod check;
pub mod closing;
mod copy;
pub mod difference;
pub mod export;
pub mod facts;
mod figures;
pub mod files;
mod folding;
pub mod ingest;
mod late;
pub mod lines;
pub mod links;
pub mod overview;
pub mod partners;
pub mod plans;
pub mod products;
pub mod rating;
pub mod reads;
pub mod record;
pub mod reports;
pub mod schedule;
mod stage;

pub use figures::{Figures, Named, Repeated};

/// Holds off a close of the partner's periods until the transaction ends; any number may record at a time.
async fn lock_for_recording(connection: &mut PgConnection, partner: PartnerId) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
        .bind(format!("billing/{}", partner.uuid()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Holds off recording, and every other close of the partner's, until the transaction ends.
async fn lock_for_closing(connection: &mut PgConnection, partner: PartnerId) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("billing/{}", partner.uuid()))
        .execute(connection)
        .await?;
    Ok(())
}
