//! What is watched, and from where on it is an alert.

use sea_orm::entity::prelude::*;

/// What is watched, and from where on it is an alert. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_rule")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Kind.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Of one destination, of one source; of all when null.
    pub destination_id: Option<Uuid>,
    /// Source id.
    pub source_id: Option<Uuid>,
    /// `failed_leads`, `reconciliation`: more than so many; `success_rate`: below so many percent; `silent_source`: for so many hours; `destination_held`: always 0.
    pub threshold: i32,
    /// `success_rate`: of the leads that were first sent within so many minutes.
    pub window_minutes: Option<i32>,
    /// Ids of the channels that hear of it; every enabled one when null.
    pub channels: Option<Vec<Uuid>>,
    /// Enabled.
    pub enabled: bool,
    /// Created at.
    pub created_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
