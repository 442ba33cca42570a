//! Intake: records come in as files, requests and corrections; leads and refused records come out.
//!
//! The rules are `domain::intake`; here are their transactions. One lead's way: [`submit`] → [`lane`] or, for a
//! file, [`imports::receive`] and [`run`] → [`reader`] → [`prepare`]; then [`merge`] → rows.

pub mod copy;
mod ending;
pub mod export;
pub mod failed;
pub mod idempotency;
pub mod imports;
pub mod lane;
pub mod leads;
pub mod listing;
pub mod merge;
pub mod prepare;
pub mod raw;
pub mod reader;
pub mod revise;
mod rewrite;
pub mod run;
pub mod sources;
mod stage;
pub mod stored;
pub mod submit;
pub mod together;
pub mod uploads;
pub mod worker;

/// How often a transaction that met another is tried again.
const CONTENTION_RETRIES: u32 = 10;
