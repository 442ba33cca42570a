//! One service-level clock of one lead.

use sea_orm::entity::prelude::*;

/// One service-level clock of one lead. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_clock")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Lead id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lead_id: Uuid,
    /// Clock.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub clock: String,
    /// Policy id.
    pub policy_id: Uuid,
    /// Version.
    pub version: i32,
    /// Stops with.
    #[sea_orm(column_type = "Text")]
    pub stops_with: String,
    /// Source id.
    pub source_id: Uuid,
    /// Lead type.
    #[sea_orm(column_type = "Text", nullable)]
    pub lead_type: Option<String>,
    /// State.
    #[sea_orm(column_type = "Text", nullable)]
    pub state: Option<String>,
    /// Channel.
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    /// Campaign.
    #[sea_orm(column_type = "Text", nullable)]
    pub campaign: Option<String>,
    /// Agent.
    #[sea_orm(column_type = "Text", nullable)]
    pub agent: Option<String>,
    /// Team.
    #[sea_orm(column_type = "Text", nullable)]
    pub team: Option<String>,
    /// Which destination took the lead, once one has.
    pub destination_id: Option<Uuid>,
    /// Started at.
    pub started_at: DateTimeUtc,
    /// Since when it runs now; with `used_us`, the time that counted before the last pause.
    pub running_from: DateTimeUtc,
    /// Used us.
    pub used_us: i64,
    /// Null while it is paused.
    pub at_risk_at: Option<DateTimeUtc>,
    /// Due at.
    pub due_at: Option<DateTimeUtc>,
    /// When something has to be recorded next: `at_risk_at`, then `due_at`, then never. Of one that stopped late before that was
    /// recorded: `due_at`, until a round has looked whether a case opens.
    pub next_at: Option<DateTimeUtc>,
    /// Paused at.
    pub paused_at: Option<DateTimeUtc>,
    /// Pause reason.
    #[sea_orm(column_type = "Text", nullable)]
    pub pause_reason: Option<String>,
    /// Stopped at.
    pub stopped_at: Option<DateTimeUtc>,
    /// The time that counted, once it has stopped.
    pub elapsed_us: Option<i64>,
    /// Null: not decided yet. A clock that has run out is decided, though it goes on.
    pub in_target: Option<bool>,
    /// Breached at.
    pub breached_at: Option<DateTimeUtc>,
    /// Why it ran out, as far as Baton can tell.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
