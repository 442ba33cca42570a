//! What Baton does: one folder a capability; transactions, outbound calls, jobs.

pub mod access;
pub mod app;
pub mod billing;
pub mod database;
pub mod delivery;
pub mod error;
pub mod intake;
mod naming;
pub mod resealing;
pub mod runtime;
pub mod secrets;
pub mod storage;

pub use app::App;
pub use error::Error;
