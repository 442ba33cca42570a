//! Runs as they are read.

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, ReconciliationId};
use serde::Serialize;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut, push_page};

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow, Serialize)]
pub struct Counts {
    /// Our deliveries within the scope that we call delivered.
    pub ours: i32,
    /// Records of their list.
    pub theirs: i32,
    /// Rows of their list that are no record.
    pub skipped: i32,
    /// Both have it and say the same.
    pub matched: i32,
    /// Both have it and differ in a field.
    pub mismatched: i32,
    /// We handed it over and it is not there.
    pub missing: i32,
    /// Of these, another lead's record there has its phone, e-mail or id.
    pub merge_suspected: i32,
    /// It is there and our record does not call it delivered.
    pub unconfirmed: i32,
    /// Further records there of a lead that is there.
    pub duplicated: i32,
    /// There though refused or held back by us, or with our mark and unknown to us.
    pub unexpected: i32,
    /// Theirs alone.
    pub extra_known: i32,
    /// Matched, and there before we handed it over.
    pub pre_existing: i32,
    /// They know a field that we do not.
    pub enriched: i32,
    /// They say that the person wants no more contact.
    pub opted_out: i32,
}

impl Counts {
    /// What somebody has to look at.
    pub fn differences(&self) -> i32 {
        self.mismatched + self.missing + self.unconfirmed + self.duplicated + self.unexpected
    }
}

/// A run.
#[derive(Clone, Debug, FromRow)]
#[expect(
    missing_docs,
    reason = "the columns of table reconciliation_run, whose migration says what they mean"
)]
pub struct RunRow {
    pub id: Uuid,
    pub destination_id: Uuid,
    pub origin: String,
    pub file_name: Option<String>,
    pub list_hash: Option<Vec<u8>>,
    pub since: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
    pub channel: Option<String>,
    pub as_of: DateTime<Utc>,
    pub actor: String,
    pub state: String,
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub phase: Option<String>,
    pub records: i32,
    pub tries: i32,
    #[sqlx(flatten)]
    pub counts: Counts,
}

const COLUMNS: &str = "id, destination_id, origin, file_name, list_hash, since, before, channel, as_of, actor, state, error,
    created_at, finished_at, ours, theirs, skipped, matched, mismatched, missing, merge_suspected, unconfirmed, duplicated,
    unexpected, extra_known, pre_existing, enriched, opted_out, phase, records, tries";

/// A page of runs, newest first.
pub async fn list(
    tx: &TenantTx,
    destination: Option<DestinationId>,
    page: Page,
) -> Result<Rows<RunRow>, Error> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM reconciliation_run r WHERE r.tenant_id = ").push_bind(tx.tenant().uuid());
    if let Some(destination) = destination {
        query.push(" AND r.destination_id = ").push_bind(destination.uuid());
    }
    push_page(&mut query, "r.id", page);
    let mut connection = tx.lock().await;
    let rows: Vec<RunRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// The runs of those ids.
pub async fn by_ids(tx: &TenantTx, ids: &[Uuid]) -> Result<Vec<RunRow>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM reconciliation_run WHERE tenant_id = $1 AND id = ANY ($2)");
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(ids)
        .fetch_all(&mut *connection)
        .await?)
}

/// The run of that id.
pub async fn by_id(tx: &TenantTx, id: ReconciliationId) -> Result<RunRow, Error> {
    by_ids(tx, &[id.uuid()]).await?.pop().ok_or_else(|| Error::not_found("reconciliation", id))
}
