//! A line of a closed report.

use sea_orm::entity::prelude::*;

/// A line of a closed report. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bill_line")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Report id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub report_id: Uuid,
    /// From 1, in the order of lead user, time and id; adjustments come last.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i32,
    /// Action id.
    pub action_id: Uuid,
    /// Lead user id.
    pub lead_user_id: Uuid,
    /// Product id.
    pub product_id: Uuid,
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
    /// Minor units: before duplicates and cap; charged; taken away by the cap.
    pub price: i64,
    /// Billed.
    pub billed: i64,
    /// Over cap.
    pub over_cap: i64,
    /// Fate.
    #[sea_orm(column_type = "Text")]
    pub fate: String,
    /// Of a duplicate: the action that it repeats.
    pub duplicate_of: Option<Uuid>,
    /// Why it is not billable.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// Its action was late.
    pub late: bool,
    /// Of an adjustment: its own period, as in 2026-10.
    #[sea_orm(column_type = "Text", nullable)]
    pub own_period: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
