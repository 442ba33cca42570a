//! Reports as they are shown.

use chrono::{DateTime, Utc};
use domain::ids::DestinationId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

/// Reports of a list at most.
pub const ROWS_MAX: usize = 200;

/// A report as it is shown; without its body, which holds a lead's data.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table inbound_hook, whose migration says what they mean")]
pub struct HookRow {
    pub id: Uuid,
    pub destination_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub state: String,
    pub lead_id: Option<Uuid>,
    pub result: Option<String>,
    pub processed_at: Option<DateTime<Utc>>,
}

/// Reports, newest first, of one destination or of all.
pub async fn list(
    tx: &TenantTx,
    destination: Option<DestinationId>,
    rows: usize,
) -> Result<Vec<HookRow>, Error> {
    let limit = i64::try_from(rows.min(ROWS_MAX)).unwrap_or(i64::MAX);
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT id, destination_id, received_at, state, lead_id, result, processed_at FROM inbound_hook
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR destination_id = $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant().uuid())
    .bind(destination.map(DestinationId::uuid))
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?)
}
