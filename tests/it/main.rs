//! End-to-end tests, one binary, over the real Postgres, libSQL, HTTP and browser.

mod access;
mod bad_input;
mod billing;
mod billing_http;
mod delivery;
mod faults;
mod http;
mod intake;
mod isolation;
mod overlap;
mod schema;
mod walk;
mod workers;
