//! Tracking: what became of every submission (S003). Reads only; each is fresh, nothing is stored a second time.
//!
//! * [`submissions`] – leads that succeeded, leads that failed, conversations, leads by phone.
//! * [`period`] – months of the tenant, lengths of time.
//! * [`rates`] – the failure rate as it is settled: each lead once, by the time of its first submission.
//!
//! What S003 calls a succeeded or a failed lead is a delivery: of one lead, to one destination.

pub mod period;
pub mod rates;
pub mod submissions;
