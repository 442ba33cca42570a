//! Clocks start with the events of a journey, in the transaction of the event; how they stop: [`super::stopping`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, LeadId, TenantId};
use domain::lead::{Lead, Value};
use domain::sla::{Deadlines, Event, Facts};
use serde_json::Value as Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

pub use super::open::Occurrence;
use super::policies::{self, Ready};
use super::stopping;
use crate::error::Error;
use crate::runtime::Ids;

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
    stopping::stop(connection, tenant, event, occurrences, now, ids).await?;
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
