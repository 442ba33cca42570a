//! The shared Postgres, with real servers, real processes and real kills.

mod access;
mod lifecycle;
mod world;
