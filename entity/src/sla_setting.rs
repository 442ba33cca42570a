//! When missed service levels open help.

use sea_orm::entity::prelude::*;

/// When missed service levels open help. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_setting")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Clock.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub clock: String,
    /// Below this share in target, of at least so many decided clocks of the window.
    pub threshold_percent: i16,
    /// Window minutes.
    pub window_minutes: i32,
    /// Clocks min.
    pub clocks_min: i32,
    /// Where help is booked elsewhere; null: Baton's own slots.
    #[sea_orm(column_type = "Text", nullable)]
    pub booking_url: Option<String>,
    /// Updated at.
    pub updated_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
