//! What a policy promises, from one moment on.

use sea_orm::entity::prelude::*;

/// What a policy promises, from one moment on. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_policy_version")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Policy id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub policy_id: Uuid,
    /// Version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// `{sources, lead_types, states, campaigns, channels, fields: [{field, is}]}`.
    #[sea_orm(column_type = "JsonBinary")]
    pub conditions: Json,
    /// Target s.
    pub target_s: i32,
    /// At risk percent.
    pub at_risk_percent: i16,
    /// Business time: the calendar and its content then. Both null: calendar time.
    pub calendar_id: Option<Uuid>,
    /// Calendar.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub calendar: Option<Json>,
    /// Why a clock may be paused; empty: it may not.
    pub pause_reasons: Vec<String>,
    /// Created at.
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
