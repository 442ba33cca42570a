//! Billing: partners and what they pay, rate plans, drafts, closed reports and their files.

mod catalog;
mod mutations;
mod queries;
mod report;
mod types;

pub(super) use mutations::BillingMutations;
pub(super) use queries::BillingQueries;
