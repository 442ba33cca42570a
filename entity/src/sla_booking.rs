//! A booking of help.

use sea_orm::entity::prelude::*;

/// A booking of help. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_booking")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Case id.
    pub case_id: Uuid,
    /// Slot id.
    pub slot_id: Option<Uuid>,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Starts at.
    pub starts_at: Option<DateTimeUtc>,
    /// Note.
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
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
