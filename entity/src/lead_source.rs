//! Where leads come from.

use sea_orm::entity::prelude::*;

/// Where leads come from. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead_source")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Short name in addresses and commands.
    #[sea_orm(column_type = "Text")]
    pub slug: String,
    /// As people see it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// `experian`, `transunion`, `leadsource`, `npa` or `generic`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Of kind generic: the tenant's own mapping. The built-in kinds carry theirs in the program.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub mapping: Option<Json>,
    /// Whether it takes leads.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
