//! Leads as they are listed and loaded.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};
use domain::ids::{ImportId, LeadId, SourceId};
use domain::lead::Status;
use service::intake::leads::{self, EventRow, LeadRow};
use service::intake::listing;
use uuid::Uuid;

use super::crm::CrmFilter;
use super::deliveries;
use super::delivery::Delivery;
use super::error::ApiError;
use super::id::{Id, each};
use super::imports::{self, Import};
use super::journey;
use super::lead::{Lead, LeadStatus};
use super::operation::{Reads, operation};
use super::page::{COUNTED_MAX, Listed, Window, connection, counted, page_cost};
use super::sources::{self, Source};
use super::wants::{DeliveryWants, DestinationWants, LeadWants, Selected, Wants};

/// The leads of those rows, in their order, with what is wanted of them.
pub(super) async fn load(
    reads: &Reads,
    rows: Vec<LeadRow>,
    wants: &LeadWants,
) -> Result<Vec<Arc<Lead>>, ApiError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut around = Around::load(reads, &rows, wants).await?;
    rows.into_iter().map(|row| around.lead(row, wants)).collect()
}

/// What belongs to the leads of a page, one statement each, by the id that it is found by.
#[derive(Default)]
struct Around {
    states: HashMap<Uuid, Vec<String>>,
    deliveries: HashMap<Uuid, Vec<Arc<Delivery>>>,
    events: HashMap<Uuid, Vec<EventRow>>,
    sources: HashMap<Uuid, Arc<Source>>,
    imports: HashMap<Uuid, Arc<Import>>,
}

impl Around {
    async fn load(reads: &Reads, rows: &[LeadRow], wants: &LeadWants) -> Result<Self, ApiError> {
        let ids: Vec<LeadId> = rows.iter().map(|row| LeadId(row.id)).collect();
        let mut around = Self::default();
        if let Some(wanted) = delivery_wants(wants) {
            let found = service::delivery::reads::of_leads(reads, &ids).await?;
            around.deliveries = by_lead(deliveries::load(reads, found, &wanted).await?);
        } else if wants.status {
            around.states = states_by_lead(leads::delivery_states(reads, &ids).await?);
        }
        if wants.events {
            around.events = journey::by_lead(listing::events_of(reads, &ids).await?);
        }
        if let Some(wanted) = wants.source {
            around.sources = sources::by_ids(reads, rows.iter().map(|row| row.source_id), wanted).await?;
        }
        if let Some(wanted) = wants.import {
            around.imports =
                imports::by_ids(reads, rows.iter().filter_map(|row| row.import_id), wanted).await?;
        }
        Ok(around)
    }

    fn lead(&mut self, row: LeadRow, wants: &LeadWants) -> Result<Arc<Lead>, ApiError> {
        let deliveries = self.deliveries.remove(&row.id).unwrap_or_default();
        let status = wants.status.then(|| match self.states.get(&row.id) {
            Some(words) => Status::of(words.iter().map(String::as_str)),
            None => Status::of(deliveries.iter().map(|delivery| delivery.row.state.as_str())),
        });
        let events = if wants.events {
            Some(journey::events(&row, self.events.remove(&row.id).unwrap_or_default(), &deliveries)?)
        } else {
            None
        };
        let import = row.import_id.and_then(|id| self.imports.get(&id).map(Arc::clone));
        Ok(Arc::new(Lead {
            status: status.map(Into::into),
            source: self.sources.get(&row.source_id).map(Arc::clone),
            import: wants.import.map(|_| import),
            events,
            deliveries: wants.deliveries.is_some().then_some(deliveries),
            row,
        }))
    }
}

/// The deliveries that are needed: those that are asked for, and for the journey their attempts and destinations.
fn delivery_wants(wants: &LeadWants) -> Option<DeliveryWants> {
    let asked = wants.deliveries.as_deref().cloned();
    if !wants.events {
        return asked;
    }
    let mut needed = asked.unwrap_or_default();
    needed.attempts = true;
    needed.destination.get_or_insert(DestinationWants::default());
    Some(needed)
}

fn by_lead(deliveries: Vec<Arc<Delivery>>) -> HashMap<Uuid, Vec<Arc<Delivery>>> {
    let mut by_lead: HashMap<Uuid, Vec<Arc<Delivery>>> = HashMap::with_capacity(deliveries.len());
    for delivery in deliveries {
        by_lead.entry(delivery.row.lead_id).or_default().push(delivery);
    }
    by_lead
}

fn states_by_lead<D>(states: Vec<(LeadId, D, String)>) -> HashMap<Uuid, Vec<String>> {
    let mut by_lead: HashMap<Uuid, Vec<String>> = HashMap::with_capacity(states.len());
    for (lead, _, state) in states {
        by_lead.entry(lead.uuid()).or_default().push(state);
    }
    by_lead
}

/// The leads of those ids by id.
pub(super) async fn by_ids(
    reads: &Reads,
    ids: impl IntoIterator<Item = Uuid>,
    wants: &LeadWants,
) -> Result<HashMap<Uuid, Arc<Lead>>, ApiError> {
    let ids: Vec<LeadId> = sources::distinct(ids).map(LeadId).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = leads::by_ids(reads, &ids).await?;
    Ok(load(reads, rows, wants).await?.into_iter().map(|lead| (lead.row.id, lead)).collect())
}

/// The lead of that id, when there is one.
pub(super) async fn by_id(
    reads: &Reads,
    id: LeadId,
    wants: &LeadWants,
) -> Result<Option<Arc<Lead>>, ApiError> {
    Ok(load(reads, leads::by_ids(reads, &[id]).await?, wants).await?.pop())
}

/// Which leads.
#[derive(Default, InputObject)]
pub struct LeadFilter {
    source_ids: Option<Vec<Id<SourceId>>>,
    /// Two-letter state codes.
    states: Option<Vec<String>>,
    statuses: Option<Vec<LeadStatus>>,
    import_id: Option<Id<ImportId>>,
    received_from: Option<DateTime<Utc>>,
    /// Exclusive.
    received_before: Option<DateTime<Utc>>,
    warned: Option<bool>,
    /// Of that user, or in that campaign, of a destination's service.
    crm: Option<CrmFilter>,
    /// Part of a name, a phone in any form, or the beginning of an e-mail.
    search: Option<String>,
}

impl From<LeadFilter> for leads::LeadFilter {
    fn from(filter: LeadFilter) -> Self {
        let upper = |state: String| state.trim().to_ascii_uppercase();
        Self {
            sources: each(filter.source_ids.as_ref()),
            states: filter.states.into_iter().flatten().map(upper).collect(),
            statuses: filter.statuses.into_iter().flatten().map(Into::into).collect(),
            import: filter.import_id.map(|id| id.0),
            received_from: filter.received_from,
            received_before: filter.received_before,
            warned: filter.warned,
            crm: filter.crm.map(Into::into),
            search: filter.search,
        }
    }
}

connection! {
    /// A page of leads.
    LeadConnection, LeadEdge, Lead {
        /// Counted up to 10,000; null when not asked for.
        total_count: Option<i32>,
        total_is_exact: bool,
    }
}

#[derive(Default)]
pub(super) struct LeadQueries;

#[Object]
impl LeadQueries {
    /// Leads of the tenant, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn leads(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<LeadFilter>,
    ) -> Result<LeadConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), last, before: before.as_deref() }.page()?;
        let filter = leads::LeadFilter::from(filter.unwrap_or_default());
        let selected = Selected::here(context);
        let wants = LeadWants::read(&selected.nodes());
        let reads = operation(context)?.read().await?;
        let (total_count, total_is_exact) = if selected.has("totalCount") || selected.has("totalIsExact") {
            let (count, exact) = counted(leads::count(&reads, &filter, COUNTED_MAX).await?);
            (Some(count), exact)
        } else {
            (None, false)
        };
        let mut rows = leads::list(&reads, &filter, page).await?;
        let nodes = load(&reads, std::mem::take(&mut rows.rows), &wants).await?;
        let listed = Listed::new(nodes, |lead| lead.row.id, (rows.more_after, rows.more_before));
        Ok(LeadConnection { page_info: listed.info(), listed, total_count, total_is_exact })
    }

    async fn lead(&self, context: &Context<'_>, id: Id<LeadId>) -> Result<Option<Arc<Lead>>, ApiError> {
        let wants = LeadWants::read(&Selected::here(context));
        by_id(&operation(context)?.read().await?, id.0, &wants).await
    }
}
