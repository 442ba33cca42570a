//! Exceptions as people work on them: listed, taken over, accepted, reopened.

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, ExceptionId, ReconciliationId, TenantId};
use domain::reconciliation::{Outcome, State};
use sqlx::{AssertSqlSafe, FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut, push_page};

/// An exception with the evidence of the last run that saw it.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of their tables, whose migration says what they mean")]
pub struct ExceptionRow {
    pub id: Uuid,
    pub destination_id: Uuid,
    pub kind: String,
    pub lead_id: Option<Uuid>,
    pub delivery_id: Option<Uuid>,
    pub remote_id: Option<String>,
    pub state: String,
    pub owner: Option<String>,
    pub reason: Option<String>,
    pub first_run_id: Uuid,
    pub last_run_id: Uuid,
    pub opened_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub fields: Option<serde_json::Value>,
    pub ours: Option<serde_json::Value>,
    pub theirs: Option<serde_json::Value>,
    pub merge_suspected: bool,
}

/// A step of an exception's history.
#[derive(Clone, Debug, FromRow)]
#[expect(
    missing_docs,
    reason = "the columns of table reconciliation_step, whose migration says what they mean"
)]
pub struct StepRow {
    pub exception_id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub state: String,
    pub note: Option<String>,
}

/// Which exceptions.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of that destination.
    pub destination: Option<DestinationId>,
    /// Seen by that run, with the evidence of that run.
    pub run: Option<ReconciliationId>,
    /// Of these states; all when empty.
    pub states: Vec<State>,
    /// Of these kinds; all when empty.
    pub kinds: Vec<Outcome>,
}

const COLUMNS: &str =
    "e.id, e.destination_id, e.kind, e.lead_id, e.delivery_id, e.remote_id, e.state, e.owner, e.reason,
    e.first_run_id, e.last_run_id, e.opened_at, e.updated_at, d.fields, d.ours, d.theirs, d.merge_suspected";

/// A page of exceptions, newest first.
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page) -> Result<Rows<ExceptionRow>, Error> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM reconciliation_exception e"));
    push_filter(&mut query, tx, filter);
    push_page(&mut query, "e.id", page);
    let mut connection = tx.lock().await;
    let rows: Vec<ExceptionRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// How many the filter finds, counted up to `most` and one more.
pub async fn count(tx: &TenantTx, filter: &Filter, most: u32) -> Result<u32, Error> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM reconciliation_exception e");
    push_filter(&mut query, tx, filter);
    query.push(format!(" LIMIT {}) counted", most.saturating_add(1)));
    let mut connection = tx.lock().await;
    let count: i64 = query.build_query_scalar().fetch_one(&mut *connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn push_filter(query: &mut QueryBuilder<Postgres>, tx: &TenantTx, filter: &Filter) {
    let run = filter.run.map(ReconciliationId::uuid);
    query.push(" JOIN reconciliation_difference d ON d.tenant_id = e.tenant_id AND d.exception_id = e.id AND d.run_id = ");
    match run {
        Some(run) => query.push_bind(run),
        None => query.push("e.last_run_id"),
    };
    query.push(" WHERE e.tenant_id = ").push_bind(tx.tenant().uuid());
    if let Some(destination) = filter.destination {
        query.push(" AND e.destination_id = ").push_bind(destination.uuid());
    }
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" AND e.state = ANY(").push_bind(states).push(")");
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<&str> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        query.push(" AND e.kind = ANY(").push_bind(kinds).push(")");
    }
}

/// The first differences of a run, oldest first.
pub async fn of_run(tx: &TenantTx, run: ReconciliationId, most: usize) -> Result<Vec<ExceptionRow>, Error> {
    let page = Page { rows: most, after: None, before: None, from_end: true };
    let mut rows = list(tx, &Filter { run: Some(run), ..Filter::default() }, page).await?.rows;
    rows.reverse();
    Ok(rows)
}

/// The exceptions of those ids.
pub async fn by_ids(tx: &TenantTx, ids: &[ExceptionId]) -> Result<Vec<ExceptionRow>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM reconciliation_exception e JOIN reconciliation_difference d
           ON d.tenant_id = e.tenant_id AND d.exception_id = e.id AND d.run_id = e.last_run_id
         WHERE e.tenant_id = $1 AND e.id = ANY ($2)"
    );
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?)
}

/// The exception of that id.
pub async fn by_id(tx: &TenantTx, id: ExceptionId) -> Result<ExceptionRow, Error> {
    by_ids(tx, &[id]).await?.pop().ok_or_else(|| Error::not_found("difference", id))
}

/// The history of those exceptions, oldest first.
pub async fn steps(tx: &TenantTx, ids: &[ExceptionId]) -> Result<Vec<StepRow>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT exception_id, at, actor, state, note FROM reconciliation_step
         WHERE tenant_id = $1 AND exception_id = ANY ($2) ORDER BY exception_id, at, id",
    )
    .bind(tx.tenant().uuid())
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?)
}

/// How many exceptions of a destination stand where: open, resending, resolved, accepted.
pub async fn standing(tx: &TenantTx, destination: DestinationId) -> Result<[i64; 4], Error> {
    let mut connection = tx.lock().await;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT state, count(*) FROM reconciliation_exception WHERE tenant_id = $1 AND destination_id = $2 GROUP BY 1",
    )
    .bind(tx.tenant().uuid())
    .bind(destination.uuid())
    .fetch_all(&mut *connection)
    .await?;
    Ok(State::ALL
        .map(|state| rows.iter().find(|(name, _)| name == state.as_str()).map_or(0, |(_, count)| *count)))
}

/// What a person decides about an exception.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It may stay, for this reason.
    Accept(String),
    /// It is looked at once more.
    Reopen,
    /// It was put right by hand, as the note says.
    Resolve(String),
    /// Somebody takes care of it; none gives it back.
    Assign(Option<String>),
}

/// Writes a person's decision.
pub async fn decide(
    app: &App,
    tenant: TenantId,
    id: ExceptionId,
    decision: Decision,
    actor: &str,
) -> Result<ExceptionRow, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let stands: Option<(String, Option<String>)> = sqlx::query_as(
        "SELECT state, owner FROM reconciliation_exception WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(tx.connection())
    .await?;
    let Some((state, owner)) = stands else { return Err(Error::not_found("difference", id)) };
    let from = read_state(id.uuid(), &state)?;
    let step = |to: State| from.to(to).map_err(|error| Error::Conflict(error.to_string().into()));
    let (to, owner, note) = match decision {
        Decision::Accept(reason) => (step(State::Accepted)?, owner, Some(said("reason", &reason)?)),
        Decision::Resolve(note) => (step(State::Resolved)?, owner, Some(said("note", &note)?)),
        Decision::Reopen => (step(State::Open)?, owner, None),
        Decision::Assign(owner) => {
            let owner = owner.map(|owner| said("owner", &owner)).transpose()?;
            let note =
                owner.as_ref().map_or("given back".to_owned(), |owner| format!("taken over by {owner}"));
            (from, owner, Some(note))
        }
    };
    let reason = if to == from { None } else { Some(note.clone()) };
    sqlx::query(
        "UPDATE reconciliation_exception SET state = $3, owner = $4, updated_at = $5,
             reason = CASE WHEN $6 THEN $7 ELSE reason END
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(to.as_str())
    .bind(owner)
    .bind(app.clock.now())
    .bind(reason.is_some())
    .bind(reason.flatten())
    .execute(tx.connection())
    .await?;
    write_steps(app, &mut tx, &[id.uuid()], actor, to, note.as_deref()).await?;
    let row = by_id(&tx, id).await?;
    tx.commit().await?;
    Ok(row)
}

fn said(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 500 {
        return Err(Error::invalid(field, format!("the {field} has 1 to 500 characters")));
    }
    Ok(text.to_owned())
}

fn read_state(id: Uuid, text: &str) -> Result<State, Error> {
    State::parse(text).ok_or_else(|| {
        Error::internal(format!("reading reconciliation_exception.state of {id}"), format!("it is `{text}`"))
    })
}

/// Appends a step to the history of each.
pub(super) async fn write_steps(
    app: &App,
    tx: &mut TenantTx,
    exceptions: &[Uuid],
    actor: &str,
    state: State,
    note: Option<&str>,
) -> Result<(), Error> {
    let now = app.clock.now();
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "INSERT INTO reconciliation_step (tenant_id, exception_id, id, at, actor, state, note)
         SELECT $1, s.exception, s.id, $2, $3, $4, $5 FROM unnest($6::uuid[], $7::uuid[]) AS s (exception, id)",
    )
    .bind(tenant)
    .bind(now)
    .bind(actor)
    .bind(state.as_str())
    .bind(note)
    .bind(exceptions)
    .bind(exceptions.iter().map(|_| app.ids.next(now)).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}
