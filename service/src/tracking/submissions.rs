//! Submissions one by one: succeeded, failed, by phone; and the conversations that they came from.

use chrono::{DateTime, Utc};
use domain::ids::{DeliveryId, DestinationId, SourceId, TenantId};
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::{InDoubt, Retried};
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut, push_page};

/// Which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Any, and those on their way too.
    #[default]
    Any,
    /// Taken by the destination (`succeeded_leads`).
    Succeeded,
    /// Taken, and nothing of the destination's answer is kept (S003-21).
    SucceededWithoutResponse,
    /// Failed, held or unknown, and not resolved (`failed_leads`, `resolved = 0`).
    Failed,
    /// Failed once and taken since (`failed_leads`, `resolved = 1`).
    Resolved,
}

/// Which submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// How they ended.
    pub ending: Ending,
    /// Ended at that time or later; one that has failed, last tried then or later.
    pub since: Option<DateTime<Utc>>,
    /// Before that time.
    pub until: Option<DateTime<Utc>>,
    /// Of these channels; all when empty.
    pub channels: Vec<String>,
    /// Of these sources; all when empty.
    pub sources: Vec<SourceId>,
    /// To these destinations; all when empty.
    pub destinations: Vec<DestinationId>,
    /// Whose lead has that phone, in E.164, among its first or its others (S003-23).
    pub phone: Option<String>,
}

/// A submission: a delivery with its lead and its last answer.
#[derive(Clone, Debug, FromRow)]
pub struct SubmissionRow {
    /// The delivery.
    pub id: Uuid,
    /// The lead.
    pub lead_id: Uuid,
    /// Where it went.
    pub destination_id: Uuid,
    /// The delivery's state.
    pub state: String,
    /// Why it failed or is held.
    pub reason: Option<String>,
    /// The destination's own id of the lead (S003-24).
    pub remote_id: Option<String>,
    /// Requests made.
    pub attempts: i16,
    /// The lead's deliveries that a person had tried again, as the journey names them, one for each time.
    pub retried: Vec<String>,
    /// Whether it had failed and was taken since.
    pub resolved: bool,
    /// The first request.
    pub first_at: Option<DateTime<Utc>>,
    /// The last request.
    pub last_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
    /// What was answered last.
    pub response: Option<String>,
    /// With which status.
    pub http_status: Option<i16>,
    /// How the lead arrived.
    pub channel: String,
    /// The conversation that it came from: its id at the source, of channels sms and voice.
    pub session_id: Option<String>,
    /// The same as the carrier names it.
    pub session_key: Option<String>,
    /// The source's short name.
    pub source: String,
    /// The source's kind.
    pub source_kind: String,
    /// The lead's fields as JSON.
    pub lead: Value,
}

impl SubmissionRow {
    /// How often a person had it tried again.
    pub fn retries(&self) -> i64 {
        let own = DeliveryId(self.id).to_string();
        i64::try_from(self.retried.iter().filter(|one| **one == own).count()).unwrap_or(i64::MAX)
    }
}

const SELECT: &str = "SELECT d.id, d.lead_id, d.destination_id, d.state, d.reason, d.remote_id, d.attempts,
        ARRAY(SELECT e.data ->> 'delivery' FROM lead_event e
              WHERE e.tenant_id = d.tenant_id AND e.lead_id = d.lead_id AND e.kind = 'retried'
                AND e.data ->> 'delivery' IS NOT NULL) AS retried,
        (d.state = 'delivered' AND d.failed_once) AS resolved,
        (SELECT started_at FROM delivery_attempt
            WHERE tenant_id = d.tenant_id AND delivery_id = d.id ORDER BY number LIMIT 1) AS first_at, last.started_at AS last_at, d.finished_at, last.response_body AS response, last.http_status,
        l.channel, CASE WHEN l.channel IN ('sms', 'voice') THEN l.external_id END AS session_id,
        l.details ->> 'session_key' AS session_key, s.slug AS source, s.kind AS source_kind,
        jsonb_strip_nulls(jsonb_build_object('external_id', l.external_id, 'lead_type', l.lead_type, 'first_name', l.first_name,
            'last_name', l.last_name, 'phone', l.phone, 'phone_ext', l.phone_ext, 'alt_phones', l.alt_phones, 'email', l.email,
            'alt_emails', l.alt_emails, 'address', l.address, 'city', l.city, 'state', l.state, 'zip', l.zip, 'zip4', l.zip4))
            || l.details AS lead";
const FROM: &str = " FROM delivery d
    CROSS JOIN LATERAL (SELECT * FROM lead WHERE tenant_id = d.tenant_id AND id = d.lead_id LIMIT 1) l
    CROSS JOIN LATERAL (SELECT slug, kind FROM lead_source WHERE tenant_id = d.tenant_id AND id = l.source_id LIMIT 1) s
    LEFT JOIN LATERAL (SELECT started_at, response_body, http_status FROM delivery_attempt
        WHERE tenant_id = d.tenant_id AND delivery_id = d.id ORDER BY number DESC LIMIT 1) last ON true
    WHERE d.tenant_id = ";

/// A page of submissions, the newest lead first.
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page) -> Result<Rows<SubmissionRow>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(FROM).push_bind(tx.tenant().uuid());
    push_filter(&mut query, filter);
    push_page(&mut query, "d.id", page);
    let mut connection = tx.lock().await;
    let rows = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// Gives the failed, held and unknown ones that the filter finds a second chance, up to so many, the oldest first; some at a time: what was
/// done stays done when a later part fails. An unknown one, which may have arrived already, goes along where a second copy does no harm: the
/// destination can be asked first, or recognises it. Elsewhere it is left: each is a decision. Beside what it came to stands whether there
/// may be more.
pub async fn retry_all(
    app: &App,
    tenant: TenantId,
    filter: Filter,
    most: usize,
    actor: &str,
) -> Result<(Retried, bool), Error> {
    const SOME: usize = 1_000;
    let filter = Filter { ending: Ending::Failed, ..filter };
    let (mut total, mut left) = (Retried::default(), most);
    let mut after = Uuid::nil();
    while left > 0 {
        let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
        let mut query = QueryBuilder::new("SELECT d.id");
        query.push(FROM).push_bind(tenant.uuid());
        push_filter(&mut query, &filter);
        // Ids rise: what fails again meanwhile is not met twice.
        query.push(" AND d.id > ").push_bind(after).push(" ORDER BY d.id LIMIT ");
        query.push_bind(i64::try_from(left.min(SOME)).unwrap_or(i64::MAX));
        let ids: Vec<Uuid> = query.build_query_scalar().fetch_all(tx.connection()).await?;
        drop(tx);
        let Some(last) = ids.last() else { return Ok((total, false)) };
        after = *last;
        let ids: Vec<DeliveryId> = ids.into_iter().map(DeliveryId).collect();
        let some = app.retries().retry_each(tenant, &ids, InDoubt::Leave, actor).await?;
        left = left.saturating_sub(usize::try_from(some.retried).unwrap_or(usize::MAX));
        total += some;
    }
    Ok((total, true))
}

fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    let (condition, at) = match filter.ending {
        Ending::Any => ("", "coalesce(d.finished_at, last.started_at, d.due_at)"),
        Ending::Succeeded => (" AND d.state = 'delivered'", "d.finished_at"),
        Ending::SucceededWithoutResponse => {
            (" AND d.state = 'delivered' AND coalesce(last.response_body, '') = ''", "d.finished_at")
        }
        Ending::Failed => {
            // What is held was perhaps never sent: then it counts by when it became due.
            (
                " AND d.state IN ('failed', 'held', 'unknown')",
                "coalesce(d.finished_at, last.started_at, d.due_at)",
            )
        }
        Ending::Resolved => (" AND d.state = 'delivered' AND d.failed_once", "d.finished_at"),
    };
    query.push(condition);
    if let Some(since) = filter.since {
        query.push(format!(" AND {at} >= ")).push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(format!(" AND {at} < ")).push_bind(until);
    }
    if !filter.channels.is_empty() {
        query.push(" AND l.channel = ANY(").push_bind(filter.channels.clone()).push(")");
    }
    if !filter.sources.is_empty() {
        let ids: Vec<Uuid> = filter.sources.iter().map(|id| id.uuid()).collect();
        query.push(" AND l.source_id = ANY(").push_bind(ids).push(")");
    }
    if !filter.destinations.is_empty() {
        let ids: Vec<Uuid> = filter.destinations.iter().map(|id| id.uuid()).collect();
        query.push(" AND d.destination_id = ANY(").push_bind(ids).push(")");
    }
    if let Some(phone) = &filter.phone {
        query.push(" AND (l.phone = ").push_bind(phone.clone());
        query.push(" OR l.alt_phones @> ARRAY[").push_bind(phone.clone()).push("])");
    }
}

/// A conversation and how it ended. It closes when its lead is submitted, whether that succeeds or fails; the person is told the
/// same either way (S003-5, S003-6, S003-7).
#[derive(Clone, Debug, FromRow)]
pub struct SessionRow {
    /// The lead that came of it.
    pub lead_id: Uuid,
    /// Its id at the source.
    pub session_id: String,
    /// The carrier's name for it.
    pub session_key: Option<String>,
    /// `sms` or `voice`.
    pub channel: String,
    /// When the lead came in.
    pub received_at: DateTime<Utc>,
    /// When its lead was first submitted, or found to be one that cannot be; none while that is to come.
    pub closed_at: Option<DateTime<Utc>>,
    /// `submitted`, `failed`, or none while it is open.
    pub closed_by: Option<String>,
}

/// Conversations, the newest first.
pub async fn sessions(tx: &TenantTx, open_only: bool, page: Page) -> Result<Rows<SessionRow>, Error> {
    let mut query = QueryBuilder::new(
        "SELECT l.id AS lead_id, l.external_id AS session_id, l.details ->> 'session_key' AS session_key, l.channel, l.received_at,
                e.closed_at, e.closed_by
         FROM lead l LEFT JOIN LATERAL (
             SELECT min(coalesce(d.finished_at, d.due_at)) AS closed_at,
                    CASE WHEN bool_or(d.state IN ('failed', 'held', 'unknown', 'rejected')) THEN 'failed' ELSE 'submitted' END AS closed_by
             FROM delivery d WHERE d.tenant_id = l.tenant_id AND d.lead_id = l.id AND d.state <> 'pending' HAVING count(*) > 0
         ) e ON true
         WHERE l.channel IN ('sms', 'voice') AND l.external_id IS NOT NULL AND l.tenant_id = ",
    );
    query.push_bind(tx.tenant().uuid());
    if open_only {
        query.push(" AND e.closed_at IS NULL");
    }
    push_page(&mut query, "l.id", page);
    let mut connection = tx.lock().await;
    let rows = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}
