//! Leads as they are read: filtered, newest first, a page at a time.
//!
//! Ids are `UUIDv7`, so the primary key is the order of receipt: a page is a walk along it from the
//! cursor, whatever lies before. These are the hottest reads, hence statements of our own with a
//! literal LIMIT (a bound one makes Postgres plan each page anew).

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DeliveryId, DestinationId, ImportId, LeadId, SourceId};
use domain::lead::Status;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use crate::database::{StoredJson, TenantTx};
use crate::error::Error;

/// Which leads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeadFilter {
    /// Of these sources; all when empty.
    pub sources: Vec<SourceId>,
    /// Of these states (two letters); all when empty.
    pub states: Vec<String>,
    /// That stand there; all when empty.
    pub statuses: Vec<Status>,
    /// Whose current revision came with that file.
    pub import: Option<ImportId>,
    /// Received at that time or later.
    pub received_from: Option<DateTime<Utc>>,
    /// Received before that time.
    pub received_before: Option<DateTime<Utc>>,
    /// With warnings, or without.
    pub warned: Option<bool>,
    /// Of that user, or in that campaign, of a destination's service.
    pub crm: Option<CrmFilter>,
    /// Words, each of which must be part of a name, the beginning of an e-mail, or of a phone.
    pub search: Option<String>,
}

/// A user or campaign of a destination's service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrmFilter {
    /// Where.
    pub destination: DestinationId,
    /// `user` or `campaign`.
    pub kind: &'static str,
    /// The service's id of it.
    pub remote_id: String,
}

/// Which page of a list that is ordered by id, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows, 1 to [`PAGE_ROWS_MAX`].
    pub rows: usize,
    /// Older than this one.
    pub after: Option<Uuid>,
    /// Newer than this one; the page then ends right before it.
    pub before: Option<Uuid>,
    /// Counts from the end: the rows right before `before`, or the oldest of all.
    pub from_end: bool,
}

/// The most rows of a page.
pub const PAGE_ROWS_MAX: usize = 100;

/// Rows of a page and whether there are more on either side.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// There are older ones.
    pub more_after: bool,
    /// There are newer ones.
    pub more_before: bool,
}

/// A lead as it is shown.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of table lead, whose migration says what they mean")]
pub struct LeadRow {
    pub id: Uuid,
    pub source_id: Uuid,
    pub import_id: Option<Uuid>,
    pub record: Option<i32>,
    pub received_at: DateTime<Utc>,
    pub external_id: Option<String>,
    pub lead_type: Option<String>,
    pub channel: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone: Option<String>,
    pub phone_ext: Option<String>,
    pub alt_phones: Option<Vec<String>>,
    pub email: Option<String>,
    pub alt_emails: Option<Vec<String>>,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub zip: Option<String>,
    pub zip4: Option<String>,
    pub details: StoredJson,
    pub extra: Option<StoredJson>,
    pub warnings: Option<StoredJson>,
}

impl FromRow<'_, PgRow> for LeadRow {
    /// By position in [`COLUMNS`]: looking each up by its name takes longer than reading it.
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            source_id: row.try_get(1)?,
            import_id: row.try_get(2)?,
            record: row.try_get(3)?,
            received_at: row.try_get(4)?,
            external_id: row.try_get(5)?,
            lead_type: row.try_get(6)?,
            channel: row.try_get(7)?,
            first_name: row.try_get(8)?,
            last_name: row.try_get(9)?,
            phone: row.try_get(10)?,
            phone_ext: row.try_get(11)?,
            alt_phones: row.try_get(12)?,
            email: row.try_get(13)?,
            alt_emails: row.try_get(14)?,
            address: row.try_get(15)?,
            city: row.try_get(16)?,
            state: row.try_get(17)?,
            zip: row.try_get(18)?,
            zip4: row.try_get(19)?,
            details: row.try_get(20)?,
            extra: row.try_get(21)?,
            warnings: row.try_get(22)?,
        })
    }
}

/// A stored step of a lead's journey.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table lead_event, whose migration says what they mean")]
pub struct EventRow {
    pub id: Uuid,
    pub kind: String,
    pub at: DateTime<Utc>,
    pub actor: Option<String>,
    pub record: Option<i32>,
    pub data: Option<serde_json::Value>,
}

const COLUMNS: &str = "id, source_id, import_id, record, received_at, external_id, lead_type, channel, first_name, \
     last_name, phone, phone_ext, alt_phones, email, alt_emails, address, city, state, zip, zip4, details, extra, warnings";

/// A page of leads, newest first.
pub async fn list(tx: &TenantTx, filter: &LeadFilter, page: Page) -> Result<Rows<LeadRow>, Error> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM lead l WHERE l.tenant_id = ").push_bind(tx.tenant().uuid());
    push_filter(&mut query, filter);
    push_page(&mut query, "l.id", page);
    let mut connection = tx.lock().await;
    let rows: Vec<LeadRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// How many leads the filter finds, counted up to `most` and one more.
pub async fn count(tx: &TenantTx, filter: &LeadFilter, most: u32) -> Result<u32, Error> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM lead l WHERE l.tenant_id = ");
    query.push_bind(tx.tenant().uuid());
    push_filter(&mut query, filter);
    query.push(format!(" LIMIT {}) counted", most.saturating_add(1)));
    let mut connection = tx.lock().await;
    let count: i64 = query.build_query_scalar().fetch_one(&mut *connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Those leads, in no order; ids of other tenants are not found.
pub async fn by_ids(tx: &TenantTx, ids: &[LeadId]) -> Result<Vec<LeadRow>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let mut connection = tx.lock().await;
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM lead WHERE tenant_id = ").push_bind(tx.tenant().uuid());
    query.push(" AND id = ANY(").push_bind(ids).push(")");
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// The stored steps of a lead's journey, oldest first.
pub async fn events(tx: &TenantTx, lead: LeadId) -> Result<Vec<EventRow>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT id, kind, at, actor, record, data FROM lead_event WHERE tenant_id = $1 AND lead_id = $2 ORDER BY id",
    )
    .bind(tx.tenant().uuid())
    .bind(lead.uuid())
    .fetch_all(&mut *connection)
    .await?)
}

/// How many leads each source has brought.
pub async fn count_by_source(tx: &TenantTx) -> Result<Vec<(SourceId, i64)>, Error> {
    let mut connection = tx.lock().await;
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT source_id, count(*) FROM lead WHERE tenant_id = $1 GROUP BY source_id")
            .bind(tx.tenant().uuid())
            .fetch_all(&mut *connection)
            .await?;
    Ok(rows.into_iter().map(|(id, count)| (SourceId(id), count)).collect())
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &LeadFilter) {
    if !filter.sources.is_empty() {
        let sources: Vec<Uuid> = filter.sources.iter().map(|id| id.uuid()).collect();
        query.push(" AND l.source_id = ANY(").push_bind(sources).push(")");
    }
    if !filter.states.is_empty() {
        query.push(" AND l.state = ANY(").push_bind(filter.states.clone()).push(")");
    }
    if let Some(import) = filter.import {
        query.push(" AND l.import_id = ").push_bind(import.uuid());
    }
    // The id's time lets the primary key find the place; a minute of slack for clocks that stepped back.
    let slack = TimeDelta::minutes(1);
    if let Some(from) = filter.received_from {
        query.push(" AND l.received_at >= ").push_bind(from);
        query.push(" AND l.id >= ").push_bind(first_id_of(from - slack));
    }
    if let Some(before) = filter.received_before {
        query.push(" AND l.received_at < ").push_bind(before);
        query.push(" AND l.id < ").push_bind(first_id_of(before + slack));
    }
    if let Some(warned) = filter.warned {
        query.push(if warned { " AND l.warnings IS NOT NULL" } else { " AND l.warnings IS NULL" });
    }
    if let Some(crm) = &filter.crm {
        query.push(" AND l.id IN (SELECT c.lead_id FROM crm_link c WHERE c.tenant_id = l.tenant_id AND c.destination_id = ");
        query.push_bind(crm.destination.uuid()).push(" AND c.kind = ").push_bind(crm.kind);
        query.push(" AND c.remote_id = ").push_bind(crm.remote_id.clone()).push(")");
    }
    push_statuses(query, &filter.statuses);
    for word in filter.search.iter().flat_map(|text| text.split_whitespace()).take(5) {
        push_word(query, word);
    }
}

/// The lowest id of that millisecond.
pub(crate) fn first_id_of(at: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::from(u64::try_from(at.timestamp_millis()).unwrap_or(0)) << 80)
}

fn push_statuses(query: &mut QueryBuilder<Postgres>, statuses: &[Status]) {
    if statuses.is_empty() {
        return;
    }
    let any = "EXISTS (SELECT FROM delivery d WHERE d.tenant_id = l.tenant_id AND d.lead_id = l.id";
    query.push(" AND (false");
    for status in statuses {
        query.push(match status {
            Status::Accepted => format!(" OR NOT {any} AND d.state <> 'rejected')"),
            Status::Failed => format!(" OR {any} AND d.state = 'failed')"),
            Status::Held => {
                format!(
                    " OR ({any} AND d.state IN ('held', 'unknown')) AND NOT {any} AND d.state = 'failed'))"
                )
            }
            Status::Pending => {
                format!(
                    " OR ({any} AND d.state = 'pending') AND NOT {any} AND d.state IN ('failed', 'held', 'unknown')))"
                )
            }
            Status::Delivered => format!(
                " OR ({any} AND d.state = 'delivered') AND NOT {any} AND d.state NOT IN ('delivered', 'rejected')))"
            ),
        });
    }
    query.push(")");
}

fn push_word(query: &mut QueryBuilder<Postgres>, word: &str) {
    let like = |text: &str| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    query.push(" AND (l.first_name ILIKE ").push_bind(format!("%{}%", like(word)));
    query.push(" OR l.last_name ILIKE ").push_bind(format!("%{}%", like(word)));
    query.push(" OR l.email LIKE ").push_bind(format!("{}%", like(&word.to_lowercase())));
    query.push(" OR l.external_id = ").push_bind(word.to_owned());
    if digits.len() >= 3 {
        query.push(" OR l.phone LIKE ").push_bind(format!("%{digits}%"));
    }
    query.push(")");
}

/// Cursor, order and a literal limit of one row more than wanted.
pub(crate) fn push_page(query: &mut QueryBuilder<Postgres>, id: &str, page: Page) {
    if let Some(after) = page.after {
        query.push(format!(" AND {id} < ")).push_bind(after);
    }
    if let Some(before) = page.before {
        query.push(format!(" AND {id} > ")).push_bind(before);
    }
    let order = if page.from_end { "ASC" } else { "DESC" };
    query.push(format!(" ORDER BY {id} {order} LIMIT {}", page.rows + 1));
}

/// Takes the surplus row off and says what it meant.
pub(crate) fn cut<T>(mut rows: Vec<T>, page: Page) -> Rows<T> {
    let more = rows.len() > page.rows;
    rows.truncate(page.rows);
    if page.from_end {
        rows.reverse();
        Rows { rows, more_after: page.before.is_some(), more_before: more }
    } else {
        Rows { rows, more_after: more, more_before: page.after.is_some() }
    }
}

/// The state of each of the leads' deliveries, for their status.
pub async fn delivery_states(
    tx: &TenantTx,
    leads: &[LeadId],
) -> Result<Vec<(LeadId, DeliveryId, String)>, Error> {
    let ids: Vec<Uuid> = leads.iter().map(|id| id.uuid()).collect();
    let mut connection = tx.lock().await;
    let rows: Vec<(Uuid, Uuid, String)> =
        sqlx::query_as("SELECT lead_id, id, state FROM delivery WHERE tenant_id = $1 AND lead_id = ANY($2)")
            .bind(tx.tenant().uuid())
            .bind(ids)
            .fetch_all(&mut *connection)
            .await?;
    Ok(rows.into_iter().map(|(lead, id, state)| (LeadId(lead), DeliveryId(id), state)).collect())
}
