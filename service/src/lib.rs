//! What Baton does: one folder a capability; transactions, outbound calls, jobs.

pub mod database;
pub mod delivery;
pub mod runtime;
pub mod secrets;
