//! A condition that holds, or held: raised once, told once, until it clears.

use sea_orm::entity::prelude::*;

/// A condition that holds, or held: raised once, told once, until it clears. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The rule that found it; null when a part of Baton did without one, or when the rule is gone.
    pub rule_id: Option<Uuid>,
    /// Kind.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// What tells conditions apart, such as the rule's id.
    #[sea_orm(column_type = "Text")]
    pub condition: String,
    /// Title.
    #[sea_orm(column_type = "Text")]
    pub title: String,
    /// Detail.
    #[sea_orm(column_type = "Text")]
    pub detail: String,
    /// Raised at.
    pub raised_at: DateTimeUtc,
    /// Cleared at.
    pub cleared_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
