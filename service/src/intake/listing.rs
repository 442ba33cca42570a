//! Imports, refused records and what belongs to a page of them, as people read them: newest first, a page at a time.

use domain::ids::{ImportId, LeadId, SourceId, TenantId};
use entity::{failed_record, import, lead_source};
use sea_orm::FromQueryResult;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::leads::{EventRow, Page, Rows, cut, push_page};
use crate::database::TenantTx;
use crate::error::Error;

/// Which imports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportFilter {
    /// Of these sources; all when empty.
    pub sources: Vec<SourceId>,
    /// In these states, as the column has them; all when empty.
    pub states: Vec<String>,
}

/// Which refused records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedFilter {
    /// Of that import's file: what an earlier import of the same file has kept already is not stored again, and belongs to both. What
    /// a later one refuses that this one took, under another mapping, is not its own.
    pub import: Option<ImportId>,
    /// Of these sources; all when empty.
    pub sources: Vec<SourceId>,
    /// In these states, as the column has them; all when empty.
    pub states: Vec<String>,
    /// With a reason of that code.
    pub code: Option<String>,
}

/// A page of imports, newest first.
pub async fn imports(tx: &TenantTx, filter: &ImportFilter, page: Page) -> Result<Rows<import::Model>, Error> {
    let mut query = of_tenant("import", "*", tx);
    push_sources(&mut query, &filter.sources);
    push_states(&mut query, &filter.states);
    push_page(&mut query, "id", page);
    Ok(cut(fetch(tx, query).await?, page))
}

/// A page of refused records, newest first.
pub async fn failed_records(
    tx: &TenantTx,
    filter: &FailedFilter,
    page: Page,
) -> Result<Rows<failed_record::Model>, Error> {
    let mut query = of_tenant("failed_record", "*", tx);
    push_failed(&mut query, tx.tenant(), filter);
    push_page(&mut query, "id", page);
    Ok(cut(fetch(tx, query).await?, page))
}

/// So many refused records of an import's file in the order of the file, after that record number and id.
pub(super) async fn failed_in_order(
    tx: &TenantTx,
    import: ImportId,
    after: Option<(i32, Uuid)>,
    rows: usize,
) -> Result<Vec<failed_record::Model>, Error> {
    let mut query = of_tenant("failed_record", "*", tx);
    push_failed(&mut query, tx.tenant(), &FailedFilter { import: Some(import), ..FailedFilter::default() });
    if let Some((record, id)) = after {
        query.push(" AND (record, id) > (").push_bind(record).push(", ").push_bind(id).push(")");
    }
    query.push(format!(" ORDER BY record, id LIMIT {rows}"));
    fetch(tx, query).await
}

/// How many refused records the filter finds, counted up to `most` and one more.
pub async fn count_failed_records(tx: &TenantTx, filter: &FailedFilter, most: u32) -> Result<u32, Error> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM failed_record WHERE tenant_id = ");
    query.push_bind(tx.tenant().uuid());
    push_failed(&mut query, tx.tenant(), filter);
    query.push(format!(" LIMIT {}) counted", most.saturating_add(1)));
    let mut connection = tx.lock().await;
    let count: i64 = query.build_query_scalar().fetch_one(&mut *connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Those sources, in no order; ids of other tenants are not found.
pub async fn sources_by_ids(tx: &TenantTx, ids: &[SourceId]) -> Result<Vec<lead_source::Model>, Error> {
    let mut query = of_tenant("lead_source", "*", tx);
    query.push(" AND id = ANY(").push_bind(uuids(ids, SourceId::uuid)).push(")");
    fetch(tx, query).await
}

/// Those imports, in no order; ids of other tenants are not found.
pub async fn imports_by_ids(tx: &TenantTx, ids: &[ImportId]) -> Result<Vec<import::Model>, Error> {
    let mut query = of_tenant("import", "*", tx);
    query.push(" AND id = ANY(").push_bind(uuids(ids, ImportId::uuid)).push(")");
    fetch(tx, query).await
}

/// The stored steps of the journeys of those leads, oldest first.
pub async fn events_of(tx: &TenantTx, leads: &[LeadId]) -> Result<Vec<(LeadId, EventRow)>, Error> {
    #[derive(sqlx::FromRow)]
    struct OfLead {
        lead_id: Uuid,
        #[sqlx(flatten)]
        event: EventRow,
    }
    let mut query = of_tenant("lead_event", "lead_id, id, kind, at, actor, record, data", tx);
    query.push(" AND lead_id = ANY(").push_bind(uuids(leads, LeadId::uuid)).push(") ORDER BY lead_id, id");
    let mut connection = tx.lock().await;
    let rows: Vec<OfLead> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(rows.into_iter().map(|row| (LeadId(row.lead_id), row.event)).collect())
}

fn of_tenant(table: &'static str, columns: &'static str, tx: &TenantTx) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {columns} FROM {table} WHERE tenant_id = "));
    query.push_bind(tx.tenant().uuid());
    query
}

fn push_failed(query: &mut QueryBuilder<Postgres>, tenant: TenantId, filter: &FailedFilter) {
    if let Some(import) = filter.import {
        // An array is made once, before the index on the import is looked into; of a join the planner may think otherwise.
        query
            .push(
                " AND import_id = ANY(ARRAY(
                     SELECT same.id FROM import asked
                     JOIN import same ON same.tenant_id = asked.tenant_id AND same.source_id = asked.source_id
                         AND same.file_hash = asked.file_hash
                     WHERE asked.tenant_id = ",
            )
            .push_bind(tenant.uuid())
            .push(" AND asked.id = ")
            .push_bind(import.uuid())
            .push(
                "))
                 AND (import_id = ",
            )
            .push_bind(import.uuid())
            .push(" OR created_at <= coalesce((SELECT finished_at FROM import WHERE tenant_id = ")
            .push_bind(tenant.uuid())
            .push(" AND id = ")
            .push_bind(import.uuid())
            .push("), 'infinity'))");
    }
    push_sources(query, &filter.sources);
    push_states(query, &filter.states);
    if let Some(code) = &filter.code {
        query.push(" AND reasons @> ").push_bind(serde_json::json!([{ "code": code }]));
    }
}

fn push_sources(query: &mut QueryBuilder<Postgres>, sources: &[SourceId]) {
    if !sources.is_empty() {
        query.push(" AND source_id = ANY(").push_bind(uuids(sources, SourceId::uuid)).push(")");
    }
}

fn push_states(query: &mut QueryBuilder<Postgres>, states: &[String]) {
    if !states.is_empty() {
        query.push(" AND state = ANY(").push_bind(states.to_vec()).push(")");
    }
}

fn uuids<T: Copy>(ids: &[T], uuid: fn(T) -> Uuid) -> Vec<Uuid> {
    ids.iter().copied().map(uuid).collect()
}

async fn fetch<M: FromQueryResult>(
    tx: &TenantTx,
    mut query: QueryBuilder<Postgres>,
) -> Result<Vec<M>, Error> {
    let mut connection = tx.lock().await;
    let rows = query.build().fetch_all(&mut *connection).await?;
    drop(connection);
    rows.into_iter().map(|row| Ok(M::from_query_result(&row.into(), "")?)).collect()
}
