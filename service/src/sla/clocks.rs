//! Clocks start and stop with the events of a journey, in the transaction of the event.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, LeadId, TenantId};
use domain::journey::Step;
use domain::lead::{Lead, Value};
use domain::sla::{Deadlines, Event, Facts};
use serde_json::Value as Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::policies::{self, Ready};
use super::steps::{Deadline, Steps};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::runtime::Ids;

/// Something that happened to a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Whose journey.
    pub lead: LeadId,
    /// When it happened, which may be some time ago.
    pub at: DateTime<Utc>,
    /// Which destination took the lead.
    pub destination: Option<DestinationId>,
    /// Who reached it.
    pub agent: Option<String>,
    /// Of which team.
    pub team: Option<String>,
}

impl Occurrence {
    /// Without more to know.
    pub fn of(lead: LeadId, at: DateTime<Utc>) -> Self {
        Self { lead, at, destination: None, agent: None, team: None }
    }
}

/// The text of a lead's further field.
type Field<'a> = Box<dyn Fn(&str) -> Option<String> + Send + Sync + 'a>;

/// A lead whose clocks may start: what policies ask about.
struct Starting<'a> {
    lead: Uuid,
    at: DateTime<Utc>,
    source: Uuid,
    lead_type: Option<String>,
    state: Option<String>,
    channel: String,
    destination: Option<Uuid>,
    field: Field<'a>,
}

/// A lead that was just stored.
#[derive(Clone, Copy, Debug)]
pub struct NewLead<'a> {
    /// Its id.
    pub id: LeadId,
    /// What it says.
    pub lead: &'a Lead,
    /// How it arrived.
    pub channel: &'a str,
}

/// Starts the clocks of leads that were just stored. For tenants that have policies: the caller has asked already.
pub async fn received(
    connection: &mut PgConnection,
    tenant: TenantId,
    source: Uuid,
    at: DateTime<Utc>,
    leads: &[NewLead<'_>],
) -> Result<(), Error> {
    let policies = policies::ready(policies::list(connection, tenant).await?)?;
    let starting = leads.iter().map(|new| Starting {
        lead: new.id.uuid(),
        at,
        source,
        lead_type: new.lead.lead_type.as_ref().map(ToString::to_string),
        state: new.lead.state.as_ref().map(ToString::to_string),
        channel: new.channel.to_owned(),
        destination: None,
        field: Box::new(|name| new.lead.detail(name).map(text_of)),
    });
    let starting: Vec<Starting<'_>> = starting.collect();
    start(connection, tenant, &policies, Event::Received, &starting).await
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Date(value) => value.to_string(),
        Value::Text(value) => value.to_string(),
    }
}

fn json_text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Tells the clocks of one event of several leads: those that wait for it stop, those that begin with it start. Part of the
/// caller's transaction, which also stores the event. Costs one statement for a tenant without policies.
pub async fn occurred(
    connection: &mut PgConnection,
    tenant: TenantId,
    event: Event,
    occurrences: &[Occurrence],
    now: DateTime<Utc>,
    ids: &Ids,
) -> Result<(), Error> {
    if occurrences.is_empty() {
        return Ok(());
    }
    let policies = policies::list(connection, tenant).await?;
    if policies.is_empty() {
        return Ok(());
    }
    stop(connection, tenant, event, occurrences, now, ids).await?;
    let policies = policies::ready(policies)?;
    if !policies.iter().any(|policy| policy.row.enabled && policy.row.starts_with == event.as_str()) {
        return Ok(());
    }
    let facts = facts(connection, tenant, occurrences).await?;
    let mut starting = Vec::with_capacity(occurrences.len());
    for occurrence in occurrences {
        let Some(row) = facts.get(&occurrence.lead.uuid()) else { continue };
        starting.push(Starting {
            lead: row.id,
            at: occurrence.at,
            source: row.source_id,
            lead_type: row.lead_type.clone(),
            state: row.state.clone(),
            channel: row.channel.clone(),
            destination: occurrence.destination.map(DestinationId::uuid),
            field: Box::new(|name| row.details.get(name).and_then(json_text)),
        });
    }
    start(connection, tenant, &policies, event, &starting).await
}

#[derive(FromRow)]
struct LeadFactsRow {
    id: Uuid,
    source_id: Uuid,
    lead_type: Option<String>,
    state: Option<String>,
    channel: String,
    details: Json,
}

async fn facts(
    connection: &mut PgConnection,
    tenant: TenantId,
    occurrences: &[Occurrence],
) -> Result<HashMap<Uuid, LeadFactsRow>, Error> {
    let leads: Vec<Uuid> = occurrences.iter().map(|one| one.lead.uuid()).collect();
    let rows: Vec<LeadFactsRow> = sqlx::query_as(
        "SELECT id, source_id, lead_type, state, channel, details FROM lead WHERE tenant_id = $1 AND id = ANY($2)",
    )
    .bind(tenant.uuid())
    .bind(leads)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Clocks to insert, one array a column.
#[derive(Default)]
struct Columns {
    leads: Vec<Uuid>,
    clocks: Vec<String>,
    policies: Vec<Uuid>,
    versions: Vec<i32>,
    stops: Vec<String>,
    sources: Vec<Uuid>,
    lead_types: Vec<Option<String>>,
    states: Vec<Option<String>>,
    channels: Vec<String>,
    campaigns: Vec<Option<String>>,
    agents: Vec<Option<String>>,
    teams: Vec<Option<String>>,
    destinations: Vec<Option<Uuid>>,
    started: Vec<DateTime<Utc>>,
    at_risk: Vec<DateTime<Utc>>,
    due: Vec<DateTime<Utc>>,
}

/// A lead's event that came after what its clock would wait for starts no clock.
const NOT_OVER: &str = "AND NOT EXISTS (SELECT FROM lead_event e
                        WHERE e.tenant_id = $1 AND e.lead_id = t.lead_id AND e.kind = t.stops_with)
        AND NOT (t.stops_with = 'delivered' AND EXISTS (SELECT FROM delivery d
                 WHERE d.tenant_id = $1 AND d.lead_id = t.lead_id AND d.state = 'delivered'))";

async fn start(
    connection: &mut PgConnection,
    tenant: TenantId,
    policies: &[Ready],
    event: Event,
    starting: &[Starting<'_>],
) -> Result<(), Error> {
    let mine: Vec<&Ready> = policies
        .iter()
        .filter(|policy| policy.row.enabled && policy.row.starts_with == event.as_str())
        .collect();
    let mut columns = Columns::default();
    let mut reckoned: HashMap<(Uuid, DateTime<Utc>), Deadlines> = HashMap::new();
    for lead in starting {
        choose(&mine, lead, &mut columns, &mut reckoned);
    }
    if columns.leads.is_empty() {
        return Ok(());
    }
    let not_over = if event == Event::Received { "" } else { NOT_OVER };
    let sql = format!(
        "INSERT INTO sla_clock (tenant_id, lead_id, clock, policy_id, version, stops_with, source_id, lead_type, state, channel,
                                campaign, agent, team, destination_id, started_at, running_from, at_risk_at, due_at, next_at)
         SELECT $1, t.lead_id, t.clock, t.policy_id, t.version, t.stops_with, t.source_id, t.lead_type, t.state, t.channel,
                t.campaign, t.agent, t.team, t.destination_id, t.started_at, t.started_at, t.at_risk_at, t.due_at,
                least(t.at_risk_at, t.due_at)
         FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::integer[], $6::text[], $7::uuid[], $8::text[], $9::text[],
                     $10::text[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::timestamptz[], $16::timestamptz[],
                     $17::timestamptz[])
              AS t(lead_id, clock, policy_id, version, stops_with, source_id, lead_type, state, channel, campaign, agent,
                   team, destination_id, started_at, at_risk_at, due_at)
         WHERE true {not_over}
         ON CONFLICT DO NOTHING"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(columns.leads)
        .bind(columns.clocks)
        .bind(columns.policies)
        .bind(columns.versions)
        .bind(columns.stops)
        .bind(columns.sources)
        .bind(columns.lead_types)
        .bind(columns.states)
        .bind(columns.channels)
        .bind(columns.campaigns)
        .bind(columns.agents)
        .bind(columns.teams)
        .bind(columns.destinations)
        .bind(columns.started)
        .bind(columns.at_risk)
        .bind(columns.due)
        .execute(connection)
        .await?;
    Ok(())
}

/// For each clock the first policy that is about the lead.
fn choose(
    policies: &[&Ready],
    lead: &Starting<'_>,
    columns: &mut Columns,
    reckoned: &mut HashMap<(Uuid, DateTime<Utc>), Deadlines>,
) {
    let field = |name: &str| (lead.field)(name).or_else(|| (lead.field)(&format!("custom.{name}")));
    let campaign = field("campaign");
    let (agent, team) = (field("agent").or_else(|| field("owner")), field("team"));
    let facts = Facts {
        source: lead.source,
        lead_type: lead.lead_type.as_deref(),
        state: lead.state.as_deref(),
        campaign: campaign.as_deref(),
        channel: &lead.channel,
        field: &|name| (lead.field)(name),
    };
    let mut taken: Vec<&str> = Vec::new();
    for policy in policies {
        let row = &policy.row;
        if taken.contains(&row.clock.as_str()) || !row.conditions.hold(&facts) {
            continue;
        }
        taken.push(&row.clock);
        let key = (row.id, lead.at);
        let deadlines = match reckoned.get(&key) {
            Some(known) => *known,
            None => match policy.terms.start(lead.at) {
                Ok(deadlines) => *reckoned.entry(key).or_insert(deadlines),
                // The calendar's holidays outlast everybody: nothing can be promised, and the lead must not be lost for it.
                Err(error) => {
                    tracing::warn!(policy.id = %row.id, %error, "a clock does not start");
                    continue;
                }
            },
        };
        columns.leads.push(lead.lead);
        columns.clocks.push(row.clock.clone());
        columns.policies.push(row.id);
        columns.versions.push(row.version);
        columns.stops.push(row.stops_with.clone());
        columns.sources.push(lead.source);
        columns.lead_types.push(lead.lead_type.clone());
        columns.states.push(lead.state.clone());
        columns.channels.push(lead.channel.clone());
        columns.campaigns.push(campaign.clone());
        columns.agents.push(agent.clone());
        columns.teams.push(team.clone());
        columns.destinations.push(lead.destination);
        columns.started.push(lead.at);
        columns.at_risk.push(deadlines.at_risk_at);
        columns.due.push(deadlines.due_at);
    }
}

/// A clock that runs or is paused.
#[derive(FromRow)]
struct Open {
    lead_id: Uuid,
    clock: String,
    policy_id: Uuid,
    version: i32,
    running_from: DateTime<Utc>,
    used_us: i64,
    at_risk_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    next_at: Option<DateTime<Utc>>,
    paused_at: Option<DateTime<Utc>>,
    breached_at: Option<DateTime<Utc>>,
}

const OPEN: &str = "SELECT lead_id, clock, policy_id, version, running_from, used_us, at_risk_at, due_at, next_at, paused_at,
        breached_at
     FROM sla_clock WHERE tenant_id = $1 AND lead_id = ANY($2) AND stopped_at IS NULL";

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

async fn stop(
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
        if let (false, None, Some(due_at)) = (in_target, clock.breached_at, clock.due_at) {
            let deadline = Deadline {
                lead: clock.lead_id,
                clock: &clock.clock,
                at_risk_at: clock.at_risk_at.unwrap_or(due_at),
                due_at,
            };
            steps.ran_out(ids, now, &deadline, clock.next_at == Some(due_at));
        }
        stopped.leads.push(clock.lead_id);
        stopped.clocks.push(clock.clock.clone());
        stopped.ats.push(at);
        stopped.elapsed.push(elapsed.num_microseconds().unwrap_or(i64::MAX));
        stopped.in_target.push(in_target);
        stopped.breached.push(breached);
        stopped.agents.push(what.agent.clone());
        stopped.teams.push(what.team.clone());
        stopped.destinations.push(what.destination.map(DestinationId::uuid));
    }
    stopped.write(connection, tenant).await?;
    steps.insert(connection, tenant).await
}

async fn terms(
    connection: &mut PgConnection,
    tenant: TenantId,
    open: &[Open],
) -> Result<HashMap<(Uuid, i32), Ready>, Error> {
    let mut wanted: Vec<(Uuid, i32)> = open.iter().map(|clock| (clock.policy_id, clock.version)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = policies::terms_of(connection, tenant, &wanted).await?;
    Ok(found.into_iter().map(|ready| ((ready.row.id, ready.row.version), ready)).collect())
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
    agents: Vec<Option<String>>,
    teams: Vec<Option<String>>,
    destinations: Vec<Option<Uuid>>,
}

impl Stopped {
    async fn write(self, connection: &mut PgConnection, tenant: TenantId) -> Result<(), Error> {
        sqlx::query(
            "UPDATE sla_clock c
             SET stopped_at = t.at, elapsed_us = t.elapsed, in_target = t.in_target, breached_at = t.breached, next_at = NULL,
                 reason = CASE WHEN t.in_target THEN NULL ELSE c.reason END,
                 agent = coalesce(t.agent, c.agent), team = coalesce(t.team, c.team),
                 destination_id = coalesce(t.destination, c.destination_id)
             FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[], $6::boolean[], $7::timestamptz[], $8::text[],
                         $9::text[], $10::uuid[])
                  AS t(lead_id, clock, at, elapsed, in_target, breached, agent, team, destination)
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
        .execute(connection)
        .await?;
        Ok(())
    }
}

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
    let (step, data) = match (reason, open.paused_at) {
        (Some(_), Some(_)) => return Err(Error::Conflict("the clock is paused already".into())),
        (None, None) => return Err(Error::Conflict("the clock is running".into())),
        (Some(reason), None) => {
            pause(tx.connection(), tenant, &open, ready, reason, now).await?;
            (Step::Paused, serde_json::json!({ "clock": clock, "reason": reason }))
        }
        (None, Some(_)) => {
            let due_at = resume(tx.connection(), tenant, &open, ready, now).await?;
            (Step::Resumed, serde_json::json!({ "clock": clock, "due_at": due_at }))
        }
    };
    let mut steps = Steps::default();
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
    // One that was at risk before it was paused has told so; what it tells again is that it still is.
    sqlx::query(
        "UPDATE sla_clock SET running_from = $4, paused_at = NULL, pause_reason = NULL, at_risk_at = $5, due_at = $6,
                              next_at = least($5, $6)
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
