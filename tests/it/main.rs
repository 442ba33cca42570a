//! End-to-end tests, one binary, over the real Postgres, libSQL, HTTP and browser.

mod access;
mod alerts;
mod bad_input;
mod billing;
mod billing_http;
mod billing_late;
mod billing_told;
mod confirming;
mod delivery;
mod destinations;
mod exact;
mod faults;
mod frames;
mod http;
mod inbound;
mod intake;
mod isolation;
mod mischief;
mod overlap;
mod reconciling;
mod schema;
mod sla;
mod suspended;
mod tracking;
mod walk;
mod workers;
