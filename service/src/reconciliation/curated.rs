//! Users and campaigns of a destination's service, kept here and kept current.

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, TenantId};
use domain::reconciliation::curated::{Change, Entry, changes};
use entity::{Tenanted, crm_change, crm_record};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::plans;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// The tables that are kept: what the service calls them, what we do.
const TABLES: [(&str, &str); 2] = [("users", "user"), ("campaigns", "campaign")];
/// Records of one table at most.
const RECORDS_MAX: usize = 50_000;

/// Users and campaigns of one list that is shown.
pub const SHOWN_MAX: i64 = 500;

/// What a synchronisation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Records that were not known.
    pub added: u64,
    /// Records that say something else.
    pub changed: u64,
    /// Records that the service does not have any more.
    pub removed: u64,
}

/// Reads both tables of the destination's service and writes what changed. Both are read before anything is written.
///
/// A table that is empty where it had records is not believed: it stays as it was, and the other one is written all the same. That
/// is an [`Error::Conflict`] that says so, and what was written: whoever asked for both has not got both.
pub async fn sync(app: &App, tenant: TenantId, destination: DestinationId) -> Result<Synced, Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let api = plans::api(app, &tx, destination).await?;
    tx.commit().await?;
    let api = api.ok_or_else(|| {
        Error::Conflict("this destination has no API to ask: set the API's address and token".into())
    })?;
    let mut lists = Vec::new();
    for (collection, kind) in TABLES {
        let records = api.all(collection, RECORDS_MAX).await?;
        lists.push((kind, records.iter().filter_map(Entry::read).collect::<Vec<_>>()));
    }
    let mut synced = Synced::default();
    let mut disbelieved = Vec::new();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    for (kind, listed) in lists {
        let known: Vec<Entry> =
            list(&tx, destination, Some(kind), false).await?.into_iter().map(entry).collect();
        if listed.is_empty() && known.iter().any(|entry| entry.active) {
            disbelieved.push(kind);
            continue;
        }
        for change in changes(&known, &listed) {
            write(app, &tx, destination, kind, change, &mut synced).await?;
        }
        sqlx::query(
            "UPDATE crm_record SET synced_at = $4 WHERE tenant_id = $1 AND destination_id = $2 AND kind = $3",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(kind)
        .bind(app.clock.now())
        .execute(&mut *tx.lock().await)
        .await?;
    }
    tx.commit().await?;
    if disbelieved.is_empty() { Ok(synced) } else { Err(in_part(&disbelieved, synced)) }
}

/// What is said when tables were not believed.
fn in_part(disbelieved: &[&str], synced: Synced) -> Error {
    let Synced { added, changed, removed } = synced;
    let rest = if disbelieved.len() < TABLES.len() {
        format!("; the rest was read: {added} new, {changed} changed, {removed} gone")
    } else {
        String::new()
    };
    let none = disbelieved.join(" and no ");
    let message = format!(
        "the service lists no {none} although it had some: what is known of them was left as it was{rest}"
    );
    Error::Conflict(message.into())
}

/// The records of a destination, by kind and name.
pub async fn list(
    tx: &TenantTx,
    destination: DestinationId,
    kind: Option<&str>,
    active: bool,
) -> Result<Vec<crm_record::Model>, Error> {
    let mut query =
        crm_record::Entity::of(tx.tenant()).filter(crm_record::Column::DestinationId.eq(destination.uuid()));
    if let Some(kind) = kind {
        query = query.filter(crm_record::Column::Kind.eq(kind));
    }
    if active {
        query = query.filter(crm_record::Column::Active.eq(true));
    }
    Ok(query
        .order_by_asc(crm_record::Column::Kind)
        .order_by_asc(crm_record::Column::Name)
        .order_by_asc(crm_record::Column::RemoteId)
        .all(tx)
        .await?)
}

/// A user or campaign as it is shown.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of table crm_record, whose migration says what they mean")]
pub struct CrmRow {
    pub destination_id: Uuid,
    pub kind: String,
    pub remote_id: String,
    pub name: String,
    pub email: Option<String>,
    pub active: bool,
    pub data: Value,
    pub first_seen_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub synced_at: DateTime<Utc>,
    /// Leads that are this user's, or in this campaign, and that the viewer sees: counted up to 1,000. 0 when not asked for.
    pub leads: i64,
}

/// Which users and campaigns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrmFilter {
    /// Of that destination; of every one when absent.
    pub destination: Option<DestinationId>,
    /// `user` or `campaign`.
    pub kind: Option<String>,
    /// Also those that the service does not have or call active any more.
    pub inactive: bool,
    /// Part of the name or the e-mail, in any case.
    pub search: Option<String>,
    /// Whether the leads of each are counted.
    pub count: bool,
}

/// Users and campaigns by name, up to [`SHOWN_MAX`].
pub async fn shown(tx: &TenantTx, filter: &CrmFilter) -> Result<Vec<CrmRow>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT r.*, CASE WHEN $7 THEN (SELECT count(*) FROM (
                    SELECT FROM crm_link l CROSS JOIN LATERAL (SELECT FROM lead WHERE tenant_id = $1 AND id = l.lead_id LIMIT 1) seen
                    WHERE l.tenant_id = $1 AND l.destination_id = r.destination_id AND l.kind = r.kind AND l.remote_id = r.remote_id
                    LIMIT 1000) counted) ELSE 0 END AS leads
         FROM (SELECT destination_id, kind, remote_id, name, email, active, data, first_seen_at, changed_at, synced_at
               FROM crm_record
               WHERE tenant_id = $1 AND ($2::uuid IS NULL OR destination_id = $2) AND ($3::text IS NULL OR kind = $3)
                 AND (active OR $4) AND ($5::text IS NULL OR strpos(lower(name), $5) > 0 OR strpos(email, $5) > 0)
               ORDER BY name, remote_id LIMIT $6) r
         ORDER BY r.name, r.remote_id",
    )
    .bind(tx.tenant().uuid())
    .bind(filter.destination.map(DestinationId::uuid))
    .bind(&filter.kind)
    .bind(filter.inactive)
    .bind(filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_lowercase))
    .bind(SHOWN_MAX)
    .bind(filter.count)
    .fetch_all(&mut *connection)
    .await?)
}

/// The latest changes of a destination's records, newest first.
pub async fn latest_changes(
    tx: &TenantTx,
    destination: DestinationId,
    most: u64,
) -> Result<Vec<crm_change::Model>, Error> {
    Ok(crm_change::Entity::of(tx.tenant())
        .filter(crm_change::Column::DestinationId.eq(destination.uuid()))
        .order_by_desc(crm_change::Column::Id)
        .limit(most)
        .all(tx)
        .await?)
}

fn entry(row: crm_record::Model) -> Entry {
    let data = match row.data {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    Entry { remote_id: row.remote_id, name: row.name, email: row.email, active: row.active, data }
}

async fn write(
    app: &App,
    tx: &TenantTx,
    destination: DestinationId,
    kind: &str,
    change: Change,
    synced: &mut Synced,
) -> Result<(), Error> {
    let now = app.clock.now();
    let (remote_id, word, fields) = match change {
        Change::Added(entry) => {
            synced.added += 1;
            let id = entry.remote_id.clone();
            row(tx, destination, kind, entry, now, true).insert(tx).await?;
            (id, "added", Map::new())
        }
        Change::Changed(entry, fields) => {
            synced.changed += 1;
            let id = entry.remote_id.clone();
            row(tx, destination, kind, entry, now, false).update(tx).await?;
            (id, "changed", fields)
        }
        Change::Removed(id) => {
            synced.removed += 1;
            let gone = crm_record::ActiveModel {
                tenant_id: Set(tx.tenant().uuid()),
                destination_id: Set(destination.uuid()),
                kind: Set(kind.to_owned()),
                remote_id: Set(id.clone()),
                active: Set(false),
                changed_at: Set(now),
                ..Default::default()
            };
            gone.update(tx).await?;
            (id, "removed", Map::new())
        }
    };
    let change = crm_change::ActiveModel {
        tenant_id: Set(tx.tenant().uuid()),
        id: Set(app.ids.next(now)),
        destination_id: Set(destination.uuid()),
        kind: Set(kind.to_owned()),
        remote_id: Set(remote_id),
        at: Set(now),
        change: Set(word.to_owned()),
        fields: Set(Value::Object(fields)),
    };
    change.insert(tx).await?;
    Ok(())
}

fn row(
    tx: &TenantTx,
    destination: DestinationId,
    kind: &str,
    entry: Entry,
    now: DateTime<Utc>,
    new: bool,
) -> crm_record::ActiveModel {
    let mut row = crm_record::ActiveModel {
        tenant_id: Set(tx.tenant().uuid()),
        destination_id: Set(destination.uuid()),
        kind: Set(kind.to_owned()),
        remote_id: Set(entry.remote_id),
        name: Set(entry.name),
        email: Set(entry.email),
        active: Set(entry.active),
        data: Set(Value::Object(entry.data)),
        changed_at: Set(now),
        synced_at: Set(now),
        ..Default::default()
    };
    if new {
        row.first_seen_at = Set(now);
    }
    row
}
