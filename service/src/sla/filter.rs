//! Which clocks a read is about, and which leads.
//!
//! A read of clocks asks what the clock is counted by. A read of leads – what a source brought – asks the lead itself, so that a
//! lead without a clock counts too; only agent and team are nowhere but in its clock.

use domain::ids::{DestinationId, SourceId};
use domain::sla::Period;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::intake::leads::first_id_of;

/// Which clocks. Empty lists: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockFilter {
    /// `processing`, `response`, or the tenant's own.
    pub clock: String,
    /// Of leads of these sources.
    pub sources: Vec<SourceId>,
    /// Of these lead types.
    pub lead_types: Vec<String>,
    /// Of these states.
    pub states: Vec<String>,
    /// Of these campaigns.
    pub campaigns: Vec<String>,
    /// Of these agents.
    pub agents: Vec<String>,
    /// Of these teams.
    pub teams: Vec<String>,
    /// Of leads that these destinations took.
    pub destinations: Vec<DestinationId>,
}

impl ClockFilter {
    /// Whether it asks for what only leads have. Of a refused record the source is known and nothing else, so none fits.
    pub fn asks_of_leads(&self) -> bool {
        let texts = [&self.lead_types, &self.states, &self.campaigns, &self.agents, &self.teams];
        texts.iter().any(|wanted| !wanted.is_empty()) || !self.destinations.is_empty()
    }
}

/// The ids of the sources; none: all.
pub(super) fn source_ids(filter: &ClockFilter) -> Vec<Uuid> {
    filter.sources.iter().map(|id| id.uuid()).collect()
}

/// The ids of the destinations; none: all.
pub(super) fn destination_ids(filter: &ClockFilter) -> Vec<Uuid> {
    filter.destinations.iter().map(|id| id.uuid()).collect()
}

/// Where a query takes the leads `l` that fit and were received in the period: ids are in the order of receipt, so the period is
/// a range of the primary key. Those of a destination were meant for it, whether it has them or not.
pub(super) fn push_leads(
    query: &mut QueryBuilder<Postgres>,
    tenant: Uuid,
    filter: &ClockFilter,
    period: Period,
) {
    query.push(" FROM lead l WHERE l.tenant_id = ").push_bind(tenant);
    query.push(" AND l.id >= ").push_bind(first_id_of(period.from));
    query.push(" AND l.id < ").push_bind(first_id_of(period.until));
    if !filter.sources.is_empty() {
        query.push(" AND l.source_id = ANY(").push_bind(source_ids(filter)).push(")");
    }
    let texts = [
        ("l.lead_type", &filter.lead_types),
        ("l.state", &filter.states),
        // Where a clock has it from.
        ("coalesce(l.details ->> 'campaign', l.details ->> 'custom.campaign')", &filter.campaigns),
    ];
    push_texts(query, &texts);
    if !filter.destinations.is_empty() {
        query
            .push(" AND EXISTS (SELECT FROM delivery d WHERE d.tenant_id = l.tenant_id AND d.lead_id = l.id");
        query.push(" AND d.destination_id = ANY(").push_bind(destination_ids(filter)).push("))");
    }
    if !filter.agents.is_empty() || !filter.teams.is_empty() {
        query.push(
            " AND EXISTS (SELECT FROM sla_clock c WHERE c.tenant_id = l.tenant_id AND c.lead_id = l.id",
        );
        if !filter.clock.is_empty() {
            query.push(" AND c.clock = ").push_bind(filter.clock.clone());
        }
        push_texts(query, &[("c.agent", &filter.agents), ("c.team", &filter.teams)]);
        query.push(")");
    }
}

fn push_texts(query: &mut QueryBuilder<Postgres>, texts: &[(&str, &Vec<String>)]) {
    for (column, wanted) in texts {
        if !wanted.is_empty() {
            query.push(format!(" AND {column} = ANY(")).push_bind((*wanted).clone()).push(")");
        }
    }
}

/// The conditions but those on name and sources, for a query of `sla_clock c`.
pub(super) fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    let texts = [
        ("c.lead_type", &filter.lead_types),
        ("c.state", &filter.states),
        ("c.campaign", &filter.campaigns),
        ("c.agent", &filter.agents),
        ("c.team", &filter.teams),
    ];
    push_texts(query, &texts);
    if !filter.destinations.is_empty() {
        query.push(" AND c.destination_id = ANY(").push_bind(destination_ids(filter)).push(")");
    }
}

/// The conditions on name and sources, where the index of sources does not help, and all others.
pub(super) fn push_sources(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    if !filter.clock.is_empty() {
        query.push(" AND c.clock = ").push_bind(filter.clock.clone());
    }
    if !filter.sources.is_empty() {
        query.push(" AND c.source_id = ANY(").push_bind(source_ids(filter)).push(")");
    }
    push_filter(query, filter);
}
