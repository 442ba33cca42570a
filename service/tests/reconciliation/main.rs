//! Reconciliation over the real Postgres, with lists as files and from an API that misbehaves.

mod api;
mod curated;
mod exceptions;
mod lists;
mod pairs;
mod sent_again;
mod world;
