//! Billing: what a lead user's actions cost the partner, to the minor unit, and why.
//!
//! * [`Currency`] – an ISO 4217 code with its minor digits; every amount is an integer of minor units.
//! * [`PlanSpec`] – a version of a rate plan as data; [`Rules`] is the same, checked and ready to rate with.
//! * [`Cycle`], [`Period`] – billing periods in the partner's zone.
//! * [`rate`] – each action of a period to its fate; [`rate_late`] – actions that came in after their period was closed.
//! * [`Totals`], [`Summary`] – what a report adds up to.
//!
//! Always: `gross = billed + duplicates + over cap + not billable`, whatever the order in which actions come in; no lead user
//! is billed above the cap in its period.
//!
//! The sample of twenty actions that the rules were agreed on lies beside this file (`sample.csv`); `docs/billing-sample.md`
//! explains its figures.

mod late;
mod money;
mod period;
mod plan;
mod rating;
mod rules;
mod summary;

pub use late::{Settled, rate_late};
pub use money::{Currency, InvalidAmount, InvalidCurrency};
pub use period::{Cycle, InvalidPeriod, Period};
pub use plan::{
    CapPer, CapSpec, DuplicateField, DuplicateSpec, LeadTypeSpec, LevelSpec, OverrideSpec, PlanSpec, Window,
};
pub use rating::{Action, Charged, Fate, Rated, rate};
pub use rules::{InvalidPlan, Reason, Rules, UNKNOWN};
pub use summary::{Group, Repeats, Sizes, Summary, Totals};

/// The sample that the rules were agreed on: a header and twenty actions of one lead user, in the order of time.
pub const SAMPLE_CSV: &str = include_str!("sample.csv");
