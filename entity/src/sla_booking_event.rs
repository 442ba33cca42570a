//! What happened to a booking.

use sea_orm::entity::prelude::*;

/// What happened to a booking. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_booking_event")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Booking id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub booking_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// At.
    pub at: DateTimeUtc,
    /// Actor.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// Note.
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
