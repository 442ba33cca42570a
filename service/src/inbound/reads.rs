//! Reports as they are shown.

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, InboundHookId};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut, push_page};

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
    pub confirmation: Option<String>,
}

const COLUMNS: &str = "id, destination_id, received_at, state, lead_id, result, processed_at, confirmation";

/// Which reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookFilter {
    /// Of that destination.
    pub destination: Option<DestinationId>,
    /// In these states, as the column has them; all when empty.
    pub states: Vec<String>,
}

/// A page of reports, newest first.
pub async fn list(tx: &TenantTx, filter: &HookFilter, page: Page) -> Result<Rows<HookRow>, Error> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM inbound_hook WHERE tenant_id = ").push_bind(tx.tenant().uuid());
    if let Some(destination) = filter.destination {
        query.push(" AND destination_id = ").push_bind(destination.uuid());
    }
    if !filter.states.is_empty() {
        query.push(" AND state = ANY (").push_bind(filter.states.clone()).push(")");
    }
    push_page(&mut query, "id", page);
    let mut connection = tx.lock().await;
    let rows: Vec<HookRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// One report, and its body as it came.
pub async fn by_id(tx: &TenantTx, id: InboundHookId) -> Result<(HookRow, String), Error> {
    #[derive(FromRow)]
    struct Whole {
        #[sqlx(flatten)]
        row: HookRow,
        body: String,
    }
    let sql = format!("SELECT {COLUMNS}, body FROM inbound_hook WHERE tenant_id = $1 AND id = $2");
    let mut connection = tx.lock().await;
    let whole: Option<Whole> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(id.uuid())
        .fetch_optional(&mut *connection)
        .await?;
    whole.map(|whole| (whole.row, whole.body)).ok_or_else(|| Error::not_found("report", id))
}
