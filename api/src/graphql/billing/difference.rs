//! What differs between two reports.

use async_graphql::{Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use service::billing::difference::{ChangedLine, Difference};
use service::billing::reports;

use super::catalog::Partner;
use super::report::BillingReport;
use super::types::{BillLineFate, money};
use crate::graphql::error::ApiError;

/// What differs between two reports of a partner.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingDifference {
    before: BillingReport,
    after: BillingReport,
    /// DEBIT: the partner owes more; CREDIT: less.
    note: BillingNote,
    /// After less before.
    amount: Decimal,
    /// Lines that are not the same in both.
    changed: i64,
    /// The first 1,000 of them, by lead user and time.
    lines: Vec<BillLineChange>,
}

/// What a difference is paid by.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum BillingNote {
    None,
    Debit,
    Credit,
}

/// A line that is not the same in two reports; null where a report does not have the action.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillLineChange {
    action: ID,
    email: String,
    product: String,
    occurred_at: DateTime<Utc>,
    billed_before: Option<Decimal>,
    billed_after: Option<Decimal>,
    fate_before: Option<BillLineFate>,
    fate_after: Option<BillLineFate>,
}

impl BillingDifference {
    pub(super) fn of(difference: Difference, partner: &Partner) -> Result<Self, ApiError> {
        let currency = reports::currency(&difference.after)?;
        let note = match difference.note() {
            "debit" => BillingNote::Debit,
            "credit" => BillingNote::Credit,
            _ => BillingNote::None,
        };
        let amount = money(currency, difference.amount());
        let fate = |word: Option<String>| word.as_deref().and_then(BillLineFate::of);
        let change = |line: ChangedLine| BillLineChange {
            action: ID(line.action.to_string()),
            email: line.email,
            product: line.product,
            occurred_at: line.occurred_at,
            billed_before: line.billed_before.map(|amount| money(currency, amount)),
            billed_after: line.billed_after.map(|amount| money(currency, amount)),
            fate_before: fate(line.fate_before),
            fate_after: fate(line.fate_after),
        };
        Ok(Self {
            note,
            amount,
            changed: difference.changed,
            lines: difference.lines.into_iter().map(change).collect(),
            before: BillingReport::of(difference.before, partner.clone())?,
            after: BillingReport::of(difference.after, partner.clone())?,
        })
    }
}
