//! What Baton does: one folder a capability; transactions, outbound calls, jobs.

pub mod access;
pub mod app;
pub mod database;
pub mod delivery;
pub mod error;
pub mod intake;
mod naming;
pub mod reconciliation;
pub mod runtime;
pub mod secrets;

pub use app::App;
pub use error::Error;
