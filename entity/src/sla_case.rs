//! Adherence that fell below its threshold.

use sea_orm::entity::prelude::*;

/// Adherence that fell below its threshold. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_case")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Clock.
    #[sea_orm(column_type = "Text")]
    pub clock: String,
    /// Opened at.
    pub opened_at: DateTimeUtc,
    /// Closed at.
    pub closed_at: Option<DateTimeUtc>,
    /// Who closed it; null while it is open and where adherence has recovered.
    #[sea_orm(column_type = "Text", nullable)]
    pub closed_by: Option<String>,
    /// Why they did.
    #[sea_orm(column_type = "Text", nullable)]
    pub close_reason: Option<String>,
    /// At the opening, and at the last look.
    pub met: i32,
    /// Missed.
    pub missed: i32,
    /// Met now.
    pub met_now: i32,
    /// Missed now.
    pub missed_now: i32,
    /// The leads whose journeys tell of it: the last that were missed.
    pub lead_ids: Vec<Uuid>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
