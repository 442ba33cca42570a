//! End-to-end tests, one binary, over the real Postgres, libSQL, HTTP and browser.

mod bad_input;
mod delivery;
mod destinations;
mod faults;
mod http;
mod intake;
mod isolation;
mod mischief;
mod overlap;
mod schema;
mod workers;
