//! What Baton does: one folder a capability; transactions, outbound calls, jobs.

pub mod access;
pub mod alerts;
pub mod app;
pub mod billing;
pub mod database;
pub mod delivery;
pub mod error;
pub mod inbound;
pub mod intake;
pub mod jobs;
pub mod mail;
mod naming;
pub mod reconciliation;
pub mod resealing;
pub mod runtime;
pub mod secrets;
mod sheet;
pub mod sla;
pub mod storage;
pub mod suppression;
pub mod tracking;

pub use app::App;
pub use error::Error;
