//! Whose a lead is at a destination's service, and in which campaigns it is there.

use sea_orm::entity::prelude::*;

/// Whose a lead is at a destination's service, and in which campaigns it is there. Columns and their meaning: migration 000010.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_link")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Destination id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    /// `user` or `campaign`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub kind: String,
    /// The service's id of the user or campaign.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub remote_id: String,
    /// The lead.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lead_id: Uuid,
    /// When it was first reported so.
    pub since: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
