//! Service levels: clocks that start and stop with a lead's journey, and what they came to.
//!
//! A clock starts in the transaction of the event that starts it ([`clocks::received`], [`clocks::occurred`]) with its
//! deadlines already reckoned, and stops in the transaction of the event that stops it. What happens while nobody touches the
//! lead is recorded by [`due`]: it finds due clocks by their index, so it costs what is due and not what is open, and it
//! records each at its true time, however late it comes. So a process that was down changes no result.
//!
//! * [`calendars`], [`policies`] – what is promised. A policy's versions are never changed; a clock keeps its own.
//! * [`clocks`] – start and stop. [`pauses`] – stand still, go on.
//! * [`agents`] – whose a lead is before it was reached.
//! * [`due`] – at risk, breached; the worker.
//! * [`escalation`], [`bookings`] – cases, help that can be booked.
//! * [`reads`], [`sources`], [`what_if`], [`export`], [`parquet`] – what it came to.
//!
//! Deliberately absent: a job for each deadline. A million open clocks would be a million jobs.

pub(crate) mod agents;
pub mod bookings;
pub mod calendars;
pub mod clocks;
pub mod contact;
pub mod costs;
pub mod due;
pub mod escalation;
pub mod export;
mod filter;
mod lists;
mod open;
pub mod parquet;
pub mod pauses;
pub mod policies;
pub mod reads;
pub mod sources;
mod steps;
mod stopping;
pub mod what_if;
