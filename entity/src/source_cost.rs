//! What each new lead of a source costs from a day on.

use sea_orm::entity::prelude::*;

/// What each new lead of a source costs from a day on. Columns and their meaning: the second migration of billing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "source_cost")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The source.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    /// The first day, in the tenant's zone.
    #[sea_orm(primary_key, auto_increment = false)]
    pub effective_from: Date,
    /// ISO 4217.
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    /// Minor units.
    pub per_lead: i64,
    /// When it was said.
    pub created_at: DateTimeUtc,
    /// Who said it.
    #[sea_orm(column_type = "Text")]
    pub created_by: String,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
