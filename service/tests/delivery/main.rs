//! Deliveries over the real Postgres and a receiver on a socket, with every kind of answer.

mod breaker;
mod claiming;
mod handover;
mod outcomes;
mod retrying;
mod safety;
mod suppressed;
mod unsure;
mod world;
