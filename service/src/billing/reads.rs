//! By lead user, and how a partner's periods went.

use std::cmp::Reverse;

use domain::billing::{Group, Period, Totals};
use domain::ids::{BillingReportId, PartnerId};
use entity::billing_report;

use super::figures::Figures;
use super::{rating, reports};
use crate::database::TenantTx;
use crate::error::Error;

/// Periods of a trend at most.
pub const TREND_PERIODS_MAX: usize = 60;

type UserRow = (String, i64, i64, i64, i64, i64, i64, i64, i64, i64);

/// What a partner's period says of each lead user so far, the highest gross first.
pub async fn draft_lead_users(
    tx: &TenantTx,
    partner: PartnerId,
    period: Period,
) -> Result<Vec<Group>, Error> {
    rating::summed(tx, partner, period, |book, summary| {
        let mut groups: Vec<Group> = book
            .users
            .iter()
            .zip(&summary.users)
            .filter(|(_, totals)| totals.actions > 0)
            .map(|((_, email), totals)| Group { name: email.clone(), totals: *totals })
            .collect();
        // They are in the order of their addresses, which a stable sort keeps among equals.
        groups.sort_by_key(|group| Reverse(group.totals.gross));
        groups
    })
    .await
}

/// What a closed report says of each lead user, the highest gross first. For a page at most
/// [`rating::PAGE_LINES_MAX`] are asked for.
pub async fn lead_users(
    tx: &TenantTx,
    report: BillingReportId,
    (offset, limit): (usize, usize),
) -> Result<Vec<Group>, Error> {
    let rows: Vec<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT u.email, count(*), count(*) FILTER (WHERE l.fate = 'duplicate'), count(*) FILTER (WHERE l.fate = 'over_cap'),
                count(*) FILTER (WHERE l.fate = 'not_billable'), sum(l.price)::bigint, sum(l.billed)::bigint,
                coalesce(sum(l.price) FILTER (WHERE l.fate = 'duplicate'), 0)::bigint, sum(l.over_cap)::bigint,
                coalesce(sum(l.price) FILTER (WHERE l.fate = 'not_billable'), 0)::bigint
         FROM bill_line l JOIN lead_user u ON u.tenant_id = l.tenant_id AND u.id = l.lead_user_id
         WHERE l.tenant_id = $1 AND l.report_id = $2
         GROUP BY u.email ORDER BY 6 DESC, u.email COLLATE \"C\" LIMIT {limit} OFFSET {offset}"
    )))
    .bind(tx.tenant().uuid())
    .bind(report.uuid())
    .fetch_all(&mut *tx.lock().await)
    .await?;
    let group = |(
        name,
        actions,
        duplicate,
        capped,
        unbilled,
        gross,
        billed,
        duplicates,
        over_cap,
        not_billable,
    ): UserRow| {
        let totals = Totals {
            actions,
            duplicate_actions: duplicate,
            capped_actions: capped,
            unbilled_actions: unbilled,
            gross,
            billed,
            duplicates,
            over_cap,
            not_billable,
        };
        Group { name, totals }
    };
    Ok(rows.into_iter().map(group).collect())
}

/// A period that counts, and what it added up to.
#[derive(Clone, Debug)]
pub struct TrendPoint {
    /// The period.
    pub period: Period,
    /// Its report.
    pub report: billing_report::Model,
    /// What it added up to.
    pub figures: Figures,
}

/// The partner's closed periods that count, the oldest first, the latest `periods` of them.
pub async fn trend(tx: &TenantTx, partner: PartnerId, periods: usize) -> Result<Vec<TrendPoint>, Error> {
    let mut points = Vec::new();
    for report in reports::list(tx, Some(partner), None).await? {
        if report.state == "closed" && points.len() < periods.min(TREND_PERIODS_MAX) {
            let figures = reports::figures(&report)?;
            points.push(TrendPoint { period: reports::period(&report), report, figures });
        }
    }
    points.reverse();
    Ok(points)
}
