//! End-to-end tests, one binary, over the real Postgres, libSQL, HTTP and browser.

mod alerts;
mod bad_input;
mod delivery;
mod faults;
mod http;
mod inbound;
mod intake;
mod isolation;
mod overlap;
mod schema;
mod tracking;
mod workers;
