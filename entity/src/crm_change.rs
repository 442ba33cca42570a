//! What changed of a user or campaign of a destination's service.

use sea_orm::entity::prelude::*;

/// What changed of a user or campaign of a destination's service. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_change")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Destination id.
    pub destination_id: Uuid,
    /// Kind.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Remote id.
    #[sea_orm(column_type = "Text")]
    pub remote_id: String,
    /// At.
    pub at: DateTimeUtc,
    /// Change.
    #[sea_orm(column_type = "Text")]
    pub change: String,
    /// `{field: [was, is]}`
    #[sea_orm(column_type = "JsonBinary")]
    pub fields: Json,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
