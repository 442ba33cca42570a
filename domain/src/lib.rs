//! The rules of Baton, pure: no async, no clock, no database, no randomness.
//!
//! Whatever needs the time takes it as an argument; whatever needs an id is given one. So each
//! rule can be tested by a table or a property, and gives the same answer on replay.
//!
//! * [`access`] – roles, rights, and the table between them.
//! * [`ids`] – typed identifiers, as every floor uses them.
//! * [`lead`] – what a clean lead is.
//! * [`inbound`] – what a destination reports about its leads.
//! * [`journey`] – the steps of a lead's journey.
//! * [`intake`] – from the cells of a record to a clean lead, or the reasons why not.
//! * [`alerts`] – when something is worth telling a person.
//! * [`delivery`] – destinations as data, outcomes, retry schedule, circuit rules.
//! * [`sla`] – business time, clocks and their deadlines.
//! * [`billing`] – rate plans, rating, duplicates and caps, report totals.
//! * [`reconciliation`] – what we handed over beside what the other side has.

pub mod access;
pub mod alerts;
pub mod billing;
pub mod delivery;
pub mod ids;
pub mod inbound;
pub mod intake;
pub mod journey;
pub mod lead;
pub mod reconciliation;
pub mod sla;
