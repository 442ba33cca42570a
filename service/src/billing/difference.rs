//! What differs between two reports of one partner.

use chrono::{DateTime, Utc};
use domain::ids::{BillingReportId, LeadActionId};
use entity::billing_report;

use super::reports::by_id;
use crate::database::TenantTx;
use crate::error::Error;

/// Lines of a difference that are told one by one.
pub const DIFFERENCES_MAX: i64 = 1_000;

/// A line that is not the same in two reports. Amounts are minor units; none where a report does not have the action.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct ChangedLine {
    /// The action.
    #[sqlx(try_from = "uuid::Uuid")]
    pub action: LeadActionId,
    /// The lead user.
    pub email: String,
    /// The product's slug.
    pub product: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What the former report charged.
    pub billed_before: Option<i64>,
    /// What the later one charges.
    pub billed_after: Option<i64>,
    /// Its fate in the former one.
    pub fate_before: Option<String>,
    /// Its fate in the later one.
    pub fate_after: Option<String>,
}

/// What differs between two reports of a partner. Amounts are minor units.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The former one.
    pub before: billing_report::Model,
    /// The later one.
    pub after: billing_report::Model,
    /// Lines that are not the same in both.
    pub changed: i64,
    /// The first [`DIFFERENCES_MAX`] of them, by lead user and time.
    pub lines: Vec<ChangedLine>,
}

/// What the partner owes more by the later report (a debit note), or less (a credit note, negative). Minor units.
pub fn amount(before: &billing_report::Model, after: &billing_report::Model) -> i64 {
    after.billed - before.billed
}

impl Difference {
    /// What the partner owes more (a debit note), or less (a credit note, negative).
    pub fn amount(&self) -> i64 {
        amount(&self.before, &self.after)
    }

    /// `debit`, `credit`, or `none`.
    pub fn note(&self) -> &'static str {
        match self.amount() {
            0 => "none",
            1.. => "debit",
            _ => "credit",
        }
    }
}

const CHANGED: &str = "FROM (SELECT * FROM bill_line WHERE tenant_id = $1 AND report_id = $2) a
    FULL JOIN (SELECT * FROM bill_line WHERE tenant_id = $1 AND report_id = $3) b ON b.action_id = a.action_id
    WHERE (a.billed, a.fate, a.price) IS DISTINCT FROM (b.billed, b.fate, b.price)";

/// Compares two reports of one partner line by line.
pub async fn between(
    tx: &TenantTx,
    before: BillingReportId,
    after: BillingReportId,
) -> Result<Difference, Error> {
    let (before, after) = (by_id(tx, before).await?, by_id(tx, after).await?);
    if before.partner_id != after.partner_id {
        return Err(Error::invalid("after", "the two reports are of different partners"));
    }
    let mut connection = tx.lock().await;
    let changed = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) {CHANGED}")))
        .bind(tx.tenant().uuid())
        .bind(before.id)
        .bind(after.id)
        .fetch_one(&mut *connection)
        .await?;
    let lines = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT c.action, u.email, p.slug AS product, c.occurred_at, c.billed_before, c.billed_after, c.fate_before, c.fate_after
         FROM (SELECT coalesce(a.action_id, b.action_id) AS action, coalesce(a.lead_user_id, b.lead_user_id) AS lead_user_id,
                   coalesce(a.product_id, b.product_id) AS product_id, coalesce(a.occurred_at, b.occurred_at) AS occurred_at,
                   a.billed AS billed_before, b.billed AS billed_after, a.fate AS fate_before, b.fate AS fate_after {CHANGED}) c
         JOIN lead_user u ON u.tenant_id = $1 AND u.id = c.lead_user_id
         JOIN product p ON p.tenant_id = $1 AND p.id = c.product_id
         ORDER BY u.email COLLATE \"C\", c.occurred_at, c.action LIMIT {DIFFERENCES_MAX}"
    )))
    .bind(tx.tenant().uuid())
    .bind(before.id)
    .bind(after.id)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    Ok(Difference { before, after, changed, lines })
}
