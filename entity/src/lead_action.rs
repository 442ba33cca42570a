//! What a lead user did.

use sea_orm::entity::prelude::*;

/// What a lead user did. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead_action")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Made of partner and key, so that the same action is the same row, whichever way and however often it comes in.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Partner id.
    pub partner_id: Uuid,
    /// Lead user id.
    pub lead_user_id: Uuid,
    /// Product id.
    pub product_id: Uuid,
    /// The lead that the user came of, when the sender says so.
    pub lead_id: Option<Uuid>,
    /// Lead type.
    #[sea_orm(column_type = "Text")]
    pub lead_type: String,
    /// Action type.
    #[sea_orm(column_type = "Text")]
    pub action_type: String,
    /// Level.
    #[sea_orm(column_type = "Text")]
    pub level: String,
    /// Occurred at.
    pub occurred_at: DateTimeUtc,
    /// Received at.
    pub received_at: DateTimeUtc,
    /// Its period was closed when it came in: it is billed as an adjustment of a later one.
    pub late: bool,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
