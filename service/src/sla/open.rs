//! Something that happens to leads, and the open clocks that it concerns.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, LeadId, TenantId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::policies::{self, Ready};
use crate::error::Error;

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

/// A clock that runs or is paused.
#[derive(FromRow)]
pub(super) struct Open {
    pub(super) lead_id: Uuid,
    pub(super) clock: String,
    pub(super) policy_id: Uuid,
    pub(super) version: i32,
    pub(super) running_from: DateTime<Utc>,
    pub(super) used_us: i64,
    pub(super) at_risk_at: Option<DateTime<Utc>>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) next_at: Option<DateTime<Utc>>,
    pub(super) paused_at: Option<DateTime<Utc>>,
    pub(super) breached_at: Option<DateTime<Utc>>,
}

/// The open clocks `$2` of a tenant; more conditions may follow.
pub(super) const OPEN: &str = "SELECT lead_id, clock, policy_id, version, running_from, used_us, at_risk_at, due_at, next_at, paused_at,
        breached_at
     FROM sla_clock WHERE tenant_id = $1 AND lead_id = ANY($2) AND stopped_at IS NULL";

/// What those clocks promise, by policy and version.
pub(super) async fn terms(
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
