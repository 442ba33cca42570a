//! Users and campaigns of the destinations' services, as they are kept here, and which leads are theirs.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, LeadId};
use entity::crm_change;
use serde_json::Value;
use service::intake::leads;
use service::reconciliation::curated::{self, CrmRow};
use service::reconciliation::links::{self, LinkRow};

use super::error::{ApiError, UserError, expected, stored};
use super::id::Id;
use super::operation::operation;
use super::page::list_cost;
use super::wants::Selected;

/// Changes of one list at most.
const CHANGES_MAX: u64 = 200;

/// What is kept of a service.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum CrmKind {
    User,
    Campaign,
}

impl CrmKind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Campaign => "campaign",
        }
    }

    fn of(word: &str) -> Option<Self> {
        match word {
            "user" => Some(Self::User),
            "campaign" => Some(Self::Campaign),
            _ => None,
        }
    }
}

/// A user or campaign of a destination's service.
#[derive(InputObject)]
pub struct CrmFilter {
    destination_id: Id<DestinationId>,
    kind: CrmKind,
    /// The service's id of it.
    remote_id: String,
}

impl From<CrmFilter> for leads::CrmFilter {
    fn from(filter: CrmFilter) -> Self {
        Self { destination: filter.destination_id.0, kind: filter.kind.word(), remote_id: filter.remote_id }
    }
}

/// A user or campaign of a destination's service.
#[derive(SimpleObject)]
pub struct CrmRecord {
    destination_id: ID,
    kind: CrmKind,
    /// The service's id of it.
    remote_id: String,
    name: String,
    email: Option<String>,
    /// Whether the service still has it and calls it active.
    active: bool,
    /// What else the service says of it.
    data: Value,
    first_seen_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    synced_at: DateTime<Utc>,
    /// Leads that are this user's, or in this campaign, as the service last reported; counted up to 1,000.
    leads: i32,
}

fn record(row: CrmRow) -> Result<CrmRecord, ApiError> {
    let kind = CrmKind::of(&row.kind);
    Ok(CrmRecord {
        kind: stored("crm_record.kind", row.destination_id, &row.kind, kind)?,
        destination_id: ID(DestinationId(row.destination_id).to_string()),
        remote_id: row.remote_id,
        name: row.name,
        email: row.email,
        active: row.active,
        data: row.data,
        first_seen_at: row.first_seen_at,
        changed_at: row.changed_at,
        synced_at: row.synced_at,
        leads: i32::try_from(row.leads).unwrap_or(i32::MAX),
    })
}

/// What became of a user or campaign.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum CrmChangeKind {
    Added,
    Changed,
    Removed,
}

/// A change of a user or campaign.
#[derive(SimpleObject)]
pub struct CrmChange {
    destination_id: ID,
    kind: CrmKind,
    remote_id: String,
    at: DateTime<Utc>,
    change: CrmChangeKind,
    /// {field: [was, is]}
    fields: Value,
}

fn change(row: crm_change::Model) -> Result<CrmChange, ApiError> {
    let word = match row.change.as_str() {
        "added" => Some(CrmChangeKind::Added),
        "changed" => Some(CrmChangeKind::Changed),
        "removed" => Some(CrmChangeKind::Removed),
        _ => None,
    };
    Ok(CrmChange {
        kind: stored("crm_change.kind", row.id, &row.kind, CrmKind::of(&row.kind))?,
        change: stored("crm_change.change", row.id, &row.change, word)?,
        destination_id: ID(DestinationId(row.destination_id).to_string()),
        remote_id: row.remote_id,
        at: row.at,
        fields: row.fields,
    })
}

/// Whose a lead is at a destination's service, or a campaign that it is in there.
#[derive(SimpleObject)]
pub struct CrmLink {
    destination_id: ID,
    kind: CrmKind,
    remote_id: String,
    /// Its id, when the service's list is not known yet.
    name: String,
    /// Since when it was reported so.
    since: DateTime<Utc>,
}

fn link(row: LinkRow) -> Result<CrmLink, ApiError> {
    Ok(CrmLink {
        kind: stored("crm_link.kind", row.lead_id, &row.kind, CrmKind::of(&row.kind))?,
        destination_id: ID(DestinationId(row.destination_id).to_string()),
        remote_id: row.remote_id,
        name: row.name,
        since: row.since,
    })
}

#[derive(Default)]
pub(super) struct CrmQueries;

#[Object]
impl CrmQueries {
    /// Users and campaigns by name, up to 500.
    #[graphql(complexity = "100 + 50 * child_complexity")]
    async fn crm_records(
        &self,
        context: &Context<'_>,
        destination_id: Option<Id<DestinationId>>,
        kind: Option<CrmKind>,
        #[graphql(
            default = false,
            desc = "Also those that the service does not have or call active any more."
        )]
        inactive: bool,
        #[graphql(desc = "Part of the name or the e-mail.")] search: Option<String>,
    ) -> Result<Vec<CrmRecord>, ApiError> {
        let filter = curated::CrmFilter {
            destination: destination_id.map(|id| id.0),
            kind: kind.map(|kind| kind.word().to_owned()),
            inactive,
            search,
            count: Selected::here(context).has("leads"),
        };
        let open = operation(context)?.read().await?;
        curated::shown(&open, &filter).await?.into_iter().map(record).collect()
    }

    /// What changed of a destination's users and campaigns, newest first.
    #[graphql(complexity = "list_cost(first, child_complexity)")]
    async fn crm_changes(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
        #[graphql(default = 50)] first: i32,
    ) -> Result<Vec<CrmChange>, ApiError> {
        let rows = u64::try_from(first)
            .ok()
            .filter(|rows| *rows <= CHANGES_MAX)
            .ok_or_else(|| ApiError::limit(format!("`first` is {first}; it is 0 to {CHANGES_MAX}")))?;
        let open = operation(context)?.read().await?;
        let changes = curated::latest_changes(&open, destination_id.0, rows).await?;
        changes.into_iter().map(change).collect()
    }

    /// Whose a lead is at the destinations' services, and in which campaigns it is there.
    #[graphql(complexity = "20 + 20 * child_complexity")]
    async fn lead_crm_links(
        &self,
        context: &Context<'_>,
        lead_id: Id<LeadId>,
    ) -> Result<Vec<CrmLink>, ApiError> {
        let open = operation(context)?.read().await?;
        links::of_lead(&open, lead_id.0).await?.into_iter().map(link).collect()
    }
}

#[derive(Default, SimpleObject)]
struct SyncCrmPayload {
    /// Users and campaigns that were not known.
    added: Option<i32>,
    /// Those that say something else.
    changed: Option<i32>,
    /// Those that the service does not have any more.
    removed: Option<i32>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct CrmMutations;

#[Object]
impl CrmMutations {
    /// Reads the users and campaigns of a destination's service from its API, now.
    async fn sync_crm(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<SyncCrmPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let syncing = curated::sync(&operation.app, tenant, destination_id.0);
        let number = |count: u64| Some(i32::try_from(count).unwrap_or(i32::MAX));
        Ok(match expected(operation.change(syncing).await)? {
            Ok(synced) => SyncCrmPayload {
                added: number(synced.added),
                changed: number(synced.changed),
                removed: number(synced.removed),
                error: None,
            },
            Err(error) => SyncCrmPayload { error: Some(error), ..SyncCrmPayload::default() },
        })
    }
}
