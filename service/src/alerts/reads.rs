//! Alerts and notices as they are shown.

use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::AlertId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

/// Alerts of a list at most.
pub const ROWS_MAX: usize = 200;

/// An alert as it is shown.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table alert, whose migration says what they mean")]
pub struct AlertRow {
    pub id: Uuid,
    pub rule_id: Option<Uuid>,
    pub kind: String,
    pub title: String,
    pub detail: String,
    pub raised_at: DateTime<Utc>,
    pub cleared_at: Option<DateTime<Utc>>,
}

/// A notice as it is shown.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table alert_notice, whose migration says what they mean")]
pub struct NoticeRow {
    pub id: Uuid,
    pub channel_id: Uuid,
    pub channel: String,
    pub alert_id: Option<Uuid>,
    pub day: Option<NaiveDate>,
    pub state: String,
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// Alerts, newest first: those that are open, or all.
pub async fn alerts(tx: &TenantTx, open_only: bool, rows: usize) -> Result<Vec<AlertRow>, Error> {
    let limit = i64::try_from(rows.min(ROWS_MAX)).unwrap_or(i64::MAX);
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT id, rule_id, kind, title, detail, raised_at, cleared_at FROM alert
         WHERE tenant_id = $1 AND (NOT $2 OR cleared_at IS NULL) ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant().uuid())
    .bind(open_only)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?)
}

/// What was told of those alerts, in order.
pub async fn notices_of(tx: &TenantTx, alerts: &[AlertId]) -> Result<Vec<NoticeRow>, Error> {
    let ids: Vec<Uuid> = alerts.iter().map(|id| id.uuid()).collect();
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT n.id, n.channel_id, c.name AS channel, n.alert_id, n.day, n.state, n.error, n.created_at, n.sent_at
         FROM alert_notice n JOIN alert_channel c ON c.tenant_id = n.tenant_id AND c.id = n.channel_id
         WHERE n.tenant_id = $1 AND n.alert_id = ANY($2) ORDER BY n.id",
    )
    .bind(tx.tenant().uuid())
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?)
}
