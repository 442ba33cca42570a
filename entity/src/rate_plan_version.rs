//! A version of a rate plan.

use sea_orm::entity::prelude::*;

/// A version of a rate plan. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_plan_version")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Plan id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub plan_id: Uuid,
    /// Version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// Effective from.
    pub effective_from: Date,
    /// Prices, overrides, cap, duplicates, recognition: docs/billing.md.
    #[sea_orm(column_type = "JsonBinary")]
    pub spec: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Created by.
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
