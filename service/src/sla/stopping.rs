//! Clocks stop with the event that they wait for, in the transaction of the event.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, TenantId};
use domain::sla::Event;
use sqlx::PgConnection;
use uuid::Uuid;

use super::open::{OPEN, Occurrence, Open, terms};
use super::steps::{Deadline, Steps};
use crate::error::Error;
use crate::runtime::Ids;

/// Of several events of one lead the first counts.
fn first_of(occurrences: &[Occurrence]) -> HashMap<Uuid, &Occurrence> {
    let mut first: HashMap<Uuid, &Occurrence> = HashMap::with_capacity(occurrences.len());
    for one in occurrences {
        let kept = first.entry(one.lead.uuid()).or_insert(one);
        if one.at < kept.at {
            *kept = one;
        }
    }
    first
}

/// Stops the clocks that wait for that event of those leads.
pub(super) async fn stop(
    connection: &mut PgConnection,
    tenant: TenantId,
    event: Event,
    occurrences: &[Occurrence],
    now: DateTime<Utc>,
    ids: &Ids,
) -> Result<(), Error> {
    let first = first_of(occurrences);
    let leads: Vec<Uuid> = first.keys().copied().collect();
    // In one order, so that two that stop clocks of the same leads wait for each other and do not deadlock.
    let sql = format!("{OPEN} AND stops_with = $3 ORDER BY lead_id, clock FOR UPDATE");
    let open: Vec<Open> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(leads)
        .bind(event.as_str())
        .fetch_all(&mut *connection)
        .await?;
    if open.is_empty() {
        return Ok(());
    }
    let terms = terms(connection, tenant, &open).await?;
    let mut steps = Steps::default();
    let mut stopped = Stopped::default();
    for clock in &open {
        let (Some(ready), Some(what)) =
            (terms.get(&(clock.policy_id, clock.version)), first.get(&clock.lead_id))
        else {
            continue;
        };
        // What is told to have happened before the clock began took no time.
        let at = what.at.max(clock.running_from);
        let used = TimeDelta::microseconds(clock.used_us);
        let (elapsed, in_target) = match (clock.paused_at, clock.due_at) {
            (None, Some(due)) => (used + ready.terms.elapsed(clock.running_from, at), at <= due),
            _ => (used, used <= ready.terms.target()),
        };
        let breached = if in_target { None } else { clock.breached_at.or(clock.due_at) };
        let mut next = None;
        if let (false, None, Some(due_at)) = (in_target, clock.breached_at, clock.due_at) {
            let deadline = Deadline {
                lead: clock.lead_id,
                clock: &clock.clock,
                at_risk_at: clock.at_risk_at.unwrap_or(due_at),
                due_at,
            };
            steps.ran_out(ids, now, &deadline, clock.next_at == Some(due_at));
            // A miss that no round has seen: the next one finds it by its index and looks whether a case opens.
            next = Some(due_at);
        }
        stopped.leads.push(clock.lead_id);
        stopped.clocks.push(clock.clock.clone());
        stopped.ats.push(at);
        stopped.elapsed.push(elapsed.num_microseconds().unwrap_or(i64::MAX));
        stopped.in_target.push(in_target);
        stopped.breached.push(breached);
        stopped.nexts.push(next);
        stopped.agents.push(what.agent.clone());
        stopped.teams.push(what.team.clone());
        stopped.destinations.push(what.destination.map(DestinationId::uuid));
    }
    stopped.write(connection, tenant).await?;
    steps.insert(connection, tenant).await
}

/// Clocks that stop, one array a column.
#[derive(Default)]
struct Stopped {
    leads: Vec<Uuid>,
    clocks: Vec<String>,
    ats: Vec<DateTime<Utc>>,
    elapsed: Vec<i64>,
    in_target: Vec<bool>,
    breached: Vec<Option<DateTime<Utc>>>,
    nexts: Vec<Option<DateTime<Utc>>>,
    agents: Vec<Option<String>>,
    teams: Vec<Option<String>>,
    destinations: Vec<Option<Uuid>>,
}

impl Stopped {
    async fn write(self, connection: &mut PgConnection, tenant: TenantId) -> Result<(), Error> {
        sqlx::query(
            "UPDATE sla_clock c
             SET stopped_at = t.at, elapsed_us = t.elapsed, in_target = t.in_target, breached_at = t.breached, next_at = t.next,
                 reason = CASE WHEN t.in_target THEN NULL ELSE c.reason END,
                 agent = coalesce(t.agent, c.agent), team = coalesce(t.team, c.team),
                 destination_id = coalesce(t.destination, c.destination_id)
             FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::boolean[], $7::timestamptz[], $8::text[],
                         $9::text[], $10::uuid[], $11::timestamptz[])
                  AS t(lead_id, clock, at, elapsed, in_target, breached, agent, team, destination, next)
             WHERE c.tenant_id = $1 AND c.lead_id = t.lead_id AND c.clock = t.clock",
        )
        .bind(tenant.uuid())
        .bind(self.leads)
        .bind(self.clocks)
        .bind(self.ats)
        .bind(self.elapsed)
        .bind(self.in_target)
        .bind(self.breached)
        .bind(self.agents)
        .bind(self.teams)
        .bind(self.destinations)
        .bind(self.nexts)
        .execute(connection)
        .await?;
        Ok(())
    }
}
