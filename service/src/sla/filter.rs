//! Which clocks a read is about.

use domain::ids::{DestinationId, SourceId};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

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

/// The conditions but those on name and sources, for a query of `sla_clock c`.
pub(super) fn push_filter(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    let texts = [
        ("c.lead_type", &filter.lead_types),
        ("c.state", &filter.states),
        ("c.campaign", &filter.campaigns),
        ("c.agent", &filter.agents),
        ("c.team", &filter.teams),
    ];
    for (column, wanted) in texts {
        if !wanted.is_empty() {
            query.push(format!(" AND {column} = ANY(")).push_bind(wanted.clone()).push(")");
        }
    }
    if !filter.destinations.is_empty() {
        let ids: Vec<Uuid> = filter.destinations.iter().map(|id| id.uuid()).collect();
        query.push(" AND c.destination_id = ANY(").push_bind(ids).push(")");
    }
}

/// The conditions on name and sources, where the index of sources does not help, and all others.
pub(super) fn push_sources(query: &mut QueryBuilder<Postgres>, filter: &ClockFilter) {
    if !filter.clock.is_empty() {
        query.push(" AND c.clock = ").push_bind(filter.clock.clone());
    }
    if !filter.sources.is_empty() {
        let ids: Vec<Uuid> = filter.sources.iter().map(|id| id.uuid()).collect();
        query.push(" AND c.source_id = ANY(").push_bind(ids).push(")");
    }
    push_filter(query, filter);
}
