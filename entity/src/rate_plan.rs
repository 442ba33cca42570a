//! What actions cost.

use sea_orm::entity::prelude::*;

/// What actions cost. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_plan")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Slug.
    #[sea_orm(column_type = "Text")]
    pub slug: String,
    /// Name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
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
