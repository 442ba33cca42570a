//! What happens while nobody touches the lead: at risk, breached, recorded at its true time.
//!
//! Due clocks are found by the index of `next_at`, tenant by tenant, in batches that other processes pass over. Whatever is
//! found late (after a downtime) is recorded with the time at which it was due.
//!
//! A clock that stops late before its round has told everything itself. It stays in that index until a round has looked
//! whether a case opens for it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use domain::journey::Step;
use sqlx::{FromRow, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::escalation;
use super::steps::{Deadline, Steps};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Clocks of one transaction.
const BATCH: usize = 1_000;
/// Between two looks: the longest that a deadline waits for its record, whose time is true anyway.
const POLL: Duration = Duration::from_secs(2);

/// What a round has recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Clocks that came to be at risk.
    pub at_risk: u64,
    /// Clocks that ran out.
    pub breached: u64,
}

/// Records everything that is due at the clock's time, then looks whether cases open or close.
pub async fn run_due(app: &App) -> Result<Recorded, Error> {
    let now = app.clock.now();
    let tenants: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tenants_with_due_clocks($1) AS due (id) WHERE id NOT IN (SELECT suspended_tenants())",
    )
    .bind(now)
    .fetch_all(&app.database.app)
    .await?;
    let mut all = Recorded::default();
    for tenant in tenants.iter().copied().map(TenantId) {
        let mut missed = false;
        loop {
            let batch = one_batch(app, tenant, now).await?;
            all.at_risk += batch.recorded.at_risk;
            all.breached += batch.recorded.breached;
            missed |= batch.recorded.breached > 0 || batch.stopped_late;
            if !batch.full {
                break;
            }
        }
        if missed {
            escalation::look(app, tenant).await?;
        }
    }
    let with_cases: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tenants_with_open_cases() AS open (id) WHERE id NOT IN (SELECT suspended_tenants())",
    )
    .fetch_all(&app.database.app)
    .await?;
    for tenant in with_cases.into_iter().map(TenantId) {
        escalation::look(app, tenant).await?;
    }
    if all != Recorded::default() {
        metrics::counter!("baton_sla_at_risk_total").increment(all.at_risk);
        metrics::counter!("baton_sla_breached_total").increment(all.breached);
        app.wake.sla();
    }
    Ok(all)
}

/// Works until it is told to stop.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = run_due(&app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "due clocks could not be recorded");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

#[derive(FromRow)]
#[expect(clippy::struct_field_names, reason = "the columns of the table")]
struct Due {
    lead_id: Uuid,
    clock: String,
    stops_with: String,
    at_risk_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    next_at: DateTime<Utc>,
    /// Stopped late, with everything told: what is left is to look whether a case opens.
    stopped: bool,
}

impl Due {
    /// It runs out in this round.
    fn runs_out(&self, now: DateTime<Utc>) -> bool {
        !self.stopped && self.due_at <= now
    }
}

/// What came of one transaction.
#[derive(Default)]
struct Batch {
    recorded: Recorded,
    /// Among them are clocks that stopped late before their round.
    stopped_late: bool,
    /// There may be more.
    full: bool,
}

async fn one_batch(app: &App, tenant: TenantId, now: DateTime<Utc>) -> Result<Batch, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!(
        "SELECT lead_id, clock, stops_with, at_risk_at, due_at, next_at, stopped_at IS NOT NULL AS stopped
         FROM sla_clock
         WHERE tenant_id = $1 AND next_at <= $2 ORDER BY next_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
    );
    let due: Vec<Due> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(now)
        .fetch_all(tx.connection())
        .await?;
    if due.is_empty() {
        return Ok(Batch::default());
    }
    let reasons = reasons(tx.connection(), tenant, &due, now).await?;
    let mut recorded = Recorded::default();
    let mut steps = Steps::default();
    for clock in due.iter().filter(|clock| !clock.stopped) {
        let deadline = Deadline {
            lead: clock.lead_id,
            clock: &clock.clock,
            at_risk_at: clock.at_risk_at,
            due_at: clock.due_at,
        };
        let warned = clock.next_at >= clock.due_at;
        recorded.at_risk += u64::from(!warned);
        if clock.runs_out(now) {
            recorded.breached += 1;
            steps.ran_out(&app.ids, now, &deadline, warned);
        } else {
            let data = deadline.data("is at risk");
            steps.push(app.ids.next(now), clock.lead_id, Step::AtRisk, clock.at_risk_at, data);
        }
    }
    let leads: Vec<Uuid> = due.iter().map(|clock| clock.lead_id).collect();
    let clocks: Vec<&str> = due.iter().map(|clock| clock.clock.as_str()).collect();
    sqlx::query(
        "UPDATE sla_clock c
         SET next_at = CASE WHEN c.due_at > $2 THEN c.due_at END,
             breached_at = CASE WHEN c.due_at <= $2 THEN c.due_at END,
             in_target = CASE WHEN c.due_at <= $2 THEN false END,
             reason = t.reason
         FROM unnest($3::uuid[], $4::text[], $5::text[]) AS t(lead_id, clock, reason)
         WHERE c.tenant_id = $1 AND c.lead_id = t.lead_id AND c.clock = t.clock",
    )
    .bind(tenant.uuid())
    .bind(now)
    .bind(leads)
    .bind(clocks)
    .bind(reasons)
    .execute(tx.connection())
    .await?;
    steps.insert(tx.connection(), tenant).await?;
    tx.commit().await?;
    Ok(Batch { recorded, stopped_late: due.iter().any(|clock| clock.stopped), full: due.len() == BATCH })
}

/// Why each of those clocks runs out, as far as its lead's rows say; none for one that does not.
async fn reasons(
    connection: &mut PgConnection,
    tenant: TenantId,
    due: &[Due],
    now: DateTime<Utc>,
) -> Result<Vec<Option<String>>, Error> {
    let leads: Vec<Uuid> = due
        .iter()
        .filter(|clock| clock.runs_out(now) && clock.stops_with == "delivered")
        .map(|clock| clock.lead_id)
        .collect();
    // Of several deliveries the one that needs a person most tells why.
    let rows: Vec<(Uuid, String, i16, Option<String>)> = if leads.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(
            "SELECT DISTINCT ON (lead_id) lead_id, state, attempts, reason FROM delivery
             WHERE tenant_id = $1 AND lead_id = ANY($2)
             ORDER BY lead_id, array_position(ARRAY['failed', 'held', 'unknown', 'pending', 'delivered'], state)",
        )
        .bind(tenant.uuid())
        .bind(leads)
        .fetch_all(connection)
        .await?
    };
    let deliveries: std::collections::HashMap<Uuid, (String, i16, Option<String>)> =
        rows.into_iter().map(|(lead, state, attempts, reason)| (lead, (state, attempts, reason))).collect();
    Ok(due
        .iter()
        .map(|clock| {
            clock.runs_out(now).then(|| match clock.stops_with.as_str() {
                "delivered" => undelivered(deliveries.get(&clock.lead_id)),
                "contacted" => "nobody has reached the lead".to_owned(),
                other => format!("the lead was not {} in time", other.replace('_', " ")),
            })
        })
        .collect())
}

fn undelivered(delivery: Option<&(String, i16, Option<String>)>) -> String {
    match delivery {
        None => "no destination takes the lead".to_owned(),
        Some((state, attempts, None)) if state == "pending" => {
            format!("not delivered after {attempts} attempts")
        }
        Some((state, _, None)) => format!("the delivery is {state}"),
        Some((state, _, Some(reason))) => format!("the delivery is {state}: {reason}"),
    }
}
