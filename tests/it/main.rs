//! End-to-end tests, one binary, over the real Postgres, libSQL, HTTP and browser.

mod intake;
mod schema;
