//! Clocks stand still for a reason that their policy knows, and go on.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{LeadId, TenantId};
use domain::journey::Step;
use sqlx::PgConnection;

use super::open::{OPEN, Open, terms};
use super::policies::Ready;
use super::steps::{Deadline, Steps};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Pauses a clock of a lead for one of its policy's reasons, or (without a reason) lets it go on.
pub async fn set_paused(
    app: &App,
    tenant: TenantId,
    lead: LeadId,
    clock: &str,
    reason: Option<&str>,
    actor: &str,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!("{OPEN} AND clock = $3 FOR UPDATE");
    let open: Option<Open> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind([lead.uuid()])
        .bind(clock)
        .fetch_optional(tx.connection())
        .await?;
    let open = open.ok_or_else(|| Error::not_found("open clock", format!("{clock} of {lead}")))?;
    let terms = terms(tx.connection(), tenant, std::slice::from_ref(&open)).await?;
    let ready = terms.get(&(open.policy_id, open.version)).ok_or_else(|| {
        Error::internal(
            "reading a clock's policy",
            format!("sla_policy_version {} is missing", open.policy_id),
        )
    })?;
    if open.breached_at.is_some() || open.due_at.is_some_and(|due| due <= now) {
        return Err(Error::Conflict("the clock has run out; a pause would change nothing".into()));
    }
    let mut steps = Steps::default();
    let (step, data) = match (reason, open.paused_at) {
        (Some(_), Some(_)) => return Err(Error::Conflict("the clock is paused already".into())),
        (None, None) => return Err(Error::Conflict("the clock is running".into())),
        (Some(reason), None) => {
            // At risk, and nobody has recorded it yet: while it stands still nothing else would.
            if let (Some(at_risk_at), Some(due_at)) = (open.at_risk_at, open.due_at)
                && at_risk_at <= now
                && open.next_at == Some(at_risk_at)
            {
                let deadline = Deadline { lead: open.lead_id, clock: &open.clock, at_risk_at, due_at };
                let data = deadline.data("is at risk");
                steps.push(app.ids.next(now), open.lead_id, Step::AtRisk, at_risk_at, data);
            }
            pause(tx.connection(), tenant, &open, ready, reason, now).await?;
            (Step::Paused, serde_json::json!({ "clock": clock, "reason": reason }))
        }
        (None, Some(_)) => {
            let due_at = resume(tx.connection(), tenant, &open, ready, now).await?;
            (Step::Resumed, serde_json::json!({ "clock": clock, "due_at": due_at }))
        }
    };
    steps.push_by(app.ids.next(now), lead.uuid(), step, now, Some(actor.to_owned()), data);
    steps.insert(tx.connection(), tenant).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(())
}

async fn pause(
    connection: &mut PgConnection,
    tenant: TenantId,
    open: &Open,
    ready: &Ready,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let allowed = &ready.row.pause_reasons;
    if !allowed.iter().any(|one| one == reason) {
        let message = if allowed.is_empty() {
            "the policy lets nobody pause its clocks".to_owned()
        } else {
            format!("the policy knows these reasons: {}", allowed.join(", "))
        };
        return Err(Error::invalid("reason", message));
    }
    let used = TimeDelta::microseconds(open.used_us) + ready.terms.elapsed(open.running_from, now);
    sqlx::query(
        "UPDATE sla_clock SET used_us = $4, paused_at = $5, pause_reason = $6, due_at = NULL, at_risk_at = NULL, next_at = NULL
         WHERE tenant_id = $1 AND lead_id = $2 AND clock = $3",
    )
    .bind(tenant.uuid())
    .bind(open.lead_id)
    .bind(&open.clock)
    .bind(used.num_microseconds().unwrap_or(i64::MAX))
    .bind(now)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

async fn resume(
    connection: &mut PgConnection,
    tenant: TenantId,
    open: &Open,
    ready: &Ready,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    let deadlines = ready
        .terms
        .resume(now, TimeDelta::microseconds(open.used_us))
        .map_err(|error| Error::Conflict(error.to_string().into()))?;
    // One that was at risk before it was paused has told so: what comes next is its deadline.
    sqlx::query(
        "UPDATE sla_clock SET running_from = $4, paused_at = NULL, pause_reason = NULL, at_risk_at = $5, due_at = $6,
                              next_at = CASE WHEN $5 <= $4 THEN $6 ELSE least($5, $6) END
         WHERE tenant_id = $1 AND lead_id = $2 AND clock = $3",
    )
    .bind(tenant.uuid())
    .bind(open.lead_id)
    .bind(&open.clock)
    .bind(now)
    .bind(deadlines.at_risk_at)
    .bind(deadlines.due_at)
    .execute(connection)
    .await?;
    Ok(deadlines.due_at)
}
