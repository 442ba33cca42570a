//! Billing: partners and what they pay, rate plans, drafts, closed reports and their files.

mod catalog;
mod difference;
mod mutations;
mod queries;
mod recording;
mod report;
mod types;

pub(super) use mutations::BillingMutations;
pub(super) use queries::BillingQueries;
