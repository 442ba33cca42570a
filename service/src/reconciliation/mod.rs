//! Reconciliation: their list beside our deliveries, what differs, and how it is put right.
//!
//! A run, from end to end: their API's pages are spooled to a file, or a person sends one ([`run`]) → the file is read
//! in batches off the async threads and normalised by `domain::reconciliation` ([`list`]) → each batch is copied to a
//! temporary table, beside it stand our deliveries to that destination ([`stage`]) → the database pairs both sides in
//! sets, a statement for each key → pairs that are not equal byte for byte are compared by the rule, what is left over is
//! named ([`findings`]) → the differences meet the exceptions that are known, and counts, evidence and history commit together
//! ([`ledger`]). So a process that dies leaves a run that says so and nothing half-written, and memory does not grow with
//! the lists: they never leave the database and the file. Of their API's list it is also taken over whose each lead is
//! ([`owners`]), before the comparison and in transactions of its own: clocks of service levels must not wait for a run.
//!
//! Invariants:
//! * No network call inside the transaction: pages are fetched before it begins.
//! * A run's evidence and counts never change. What changes is the exception, and each change is a step of its history.
//! * Of two runs on one destination at a time, the second is refused.
//! * A dry run is the same transaction, rolled back.

pub mod api;
pub mod background;
pub mod curated;
pub mod exceptions;
pub mod findings;
pub mod ledger;
pub mod links;
pub mod list;
pub mod nightly;
mod owners;
pub mod plans;
mod progress;
pub mod proof;
mod record;
mod refused;
pub mod repair;
pub mod run;
pub mod runs;
pub mod stage;
mod unpacked;
mod workbook;

pub use progress::Phase;
pub use run::{List, Report, Request};
pub use runs::{Counts, RunRow};
