//! A user or campaign of a destination's service.

use sea_orm::entity::prelude::*;

/// A user or campaign of a destination's service. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_record")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Destination id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    /// Kind.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub kind: String,
    /// Remote id.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub remote_id: String,
    /// Name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Email.
    #[sea_orm(column_type = "Text", nullable)]
    pub email: Option<String>,
    /// Whether the service still has it and calls it active.
    pub active: bool,
    /// What else the service says of it.
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    /// First seen at.
    pub first_seen_at: DateTimeUtc,
    /// Changed at.
    pub changed_at: DateTimeUtc,
    /// Synced at.
    pub synced_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
