//! The lines of a closed report, with the names that people read.

use chrono::{DateTime, Utc};
use domain::ids::{BillingReportId, LeadActionId, LeadId};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rating::{Line, LineFilter, LinePage, PAGE_LINES_MAX};
use crate::database::TenantTx;
use crate::error::Error;

#[derive(sqlx::FromRow)]
struct Row {
    line: i32,
    email: String,
    product: String,
    lead_type: String,
    action_type: String,
    level: String,
    occurred_at: DateTime<Utc>,
    price: i64,
    billed: i64,
    over_cap: i64,
    fate: String,
    reason: Option<String>,
    duplicate_of: Option<Uuid>,
    own_period: Option<String>,
    action_id: Uuid,
}

impl From<Row> for Line {
    fn from(row: Row) -> Self {
        Self {
            line: row.line.into(),
            email: row.email,
            product: row.product,
            lead_type: row.lead_type,
            action_type: row.action_type,
            level: row.level,
            occurred_at: row.occurred_at,
            price: row.price,
            billed: row.billed,
            over_cap: row.over_cap,
            fate: row.fate,
            reason: row.reason,
            duplicate_of: row.duplicate_of.map(LeadActionId),
            own_period: row.own_period,
            action: LeadActionId(row.action_id),
        }
    }
}

const COLUMNS: &str =
    "l.line, u.email, p.slug AS product, l.lead_type, l.action_type, l.level, l.occurred_at, l.price,
    l.billed, l.over_cap, l.fate, l.reason, l.duplicate_of, l.own_period, l.action_id";
const TABLES: &str = "FROM bill_line l
    JOIN lead_user u ON u.tenant_id = l.tenant_id AND u.id = l.lead_user_id
    JOIN product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
    WHERE l.tenant_id = ";

/// The lines after that one, in their order, at most `limit`.
pub async fn after(
    tx: &TenantTx,
    report: BillingReportId,
    line: i64,
    limit: u32,
) -> Result<Vec<Line>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(format!("SELECT {COLUMNS} {TABLES}"));
    query.push_bind(tx.tenant().uuid()).push(" AND l.report_id = ").push_bind(report.uuid());
    query.push(format!(" AND l.line > {line} ORDER BY l.line LIMIT {limit}"));
    let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *tx.lock().await).await?;
    Ok(rows.into_iter().map(Line::from).collect())
}

/// A page of a closed report's lines.
pub async fn page(
    tx: &TenantTx,
    report: BillingReportId,
    filter: &LineFilter,
    (offset, limit): (usize, usize),
) -> Result<LinePage, Error> {
    let filtered = |select: &str| {
        let mut query = QueryBuilder::<Postgres>::new(format!("SELECT {select} {TABLES}"));
        query.push_bind(tx.tenant().uuid()).push(" AND l.report_id = ").push_bind(report.uuid());
        if let Some(fate) = &filter.fate {
            query.push(" AND l.fate = ").push_bind(fate.clone());
        }
        if let Some(product) = &filter.product {
            query.push(" AND p.slug = ").push_bind(product.clone());
        }
        if let Some(email) = &filter.email {
            query.push(" AND position(").push_bind(email.to_lowercase()).push(" IN u.email) > 0");
        }
        query
    };
    let mut connection = tx.lock().await;
    let total = filtered("count(*)").build_query_scalar().fetch_one(&mut *connection).await?;
    let mut query = filtered(COLUMNS);
    query.push(format!(" ORDER BY l.line LIMIT {} OFFSET {offset}", limit.min(PAGE_LINES_MAX)));
    let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(LinePage { lines: rows.into_iter().map(Line::from).collect(), total })
}

/// What reports that count say of one lead's actions, at most [`PAGE_LINES_MAX`] lines.
pub async fn of_lead(tx: &TenantTx, lead: LeadId) -> Result<Vec<(BillingReportId, Line)>, Error> {
    #[derive(sqlx::FromRow)]
    struct OfReport {
        report_id: Uuid,
        #[sqlx(flatten)]
        row: Row,
    }
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT l.report_id, {COLUMNS} FROM lead_action a
         JOIN billing_report r ON r.tenant_id = a.tenant_id AND r.partner_id = a.partner_id AND r.state = 'closed'
         JOIN bill_line l ON l.tenant_id = r.tenant_id AND l.report_id = r.id AND l.action_id = a.id
         JOIN lead_user u ON u.tenant_id = l.tenant_id AND u.id = l.lead_user_id
         JOIN product p ON p.tenant_id = l.tenant_id AND p.id = l.product_id
         WHERE a.tenant_id = "
    ));
    query.push_bind(tx.tenant().uuid()).push(" AND a.lead_id = ").push_bind(lead.uuid());
    query.push(format!(" ORDER BY l.occurred_at, l.action_id LIMIT {PAGE_LINES_MAX}"));
    let rows: Vec<OfReport> = query.build_query_as().fetch_all(&mut *tx.lock().await).await?;
    Ok(rows.into_iter().map(|one| (BillingReportId(one.report_id), one.row.into())).collect())
}
