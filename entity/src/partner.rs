//! A company that is billed for its leads' actions.

use sea_orm::entity::prelude::*;

/// A company that is billed for its leads' actions. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "partner")]
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
    /// Lower case. Where its reports are announced.
    #[sea_orm(column_type = "Text")]
    pub email: String,
    /// ISO 4217.
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    /// An IANA name: its billing periods begin at that zone's midnight.
    #[sea_orm(column_type = "Text")]
    pub time_zone: String,
    /// Plan id.
    pub plan_id: Uuid,
    /// Whether a period is closed by itself once it is over.
    pub closes_itself: bool,
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
