//! A closed report.

use sea_orm::entity::prelude::*;

/// A closed report. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_report")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Partner id.
    pub partner_id: Uuid,
    /// The first day of the period and the first one after it, in the zone.
    pub period_start: Date,
    /// Period end.
    pub period_end: Date,
    /// Time zone.
    #[sea_orm(column_type = "Text")]
    pub time_zone: String,
    /// Counts from 1 within partner and period.
    pub version: i32,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// The report that this one replaces.
    pub replaces: Option<Uuid>,
    /// Plan id.
    pub plan_id: Uuid,
    /// Plan version.
    pub plan_version: i32,
    /// ISO 4217; amounts are its minor units.
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    /// Line count.
    pub line_count: i64,
    /// Gross.
    pub gross: i64,
    /// Billed.
    pub billed: i64,
    /// Duplicates.
    pub duplicates: i64,
    /// Over cap.
    pub over_cap: i64,
    /// Not billable.
    pub not_billable: i64,
    /// Of the billed amount, what late actions of earlier periods add.
    pub adjusted: i64,
    /// Everything that the lines add up to, as the files and pages show it.
    #[sea_orm(column_type = "JsonBinary")]
    pub summary: Json,
    /// SHA-256 of the plan and of the actions that it was rated from.
    pub input_hash: Vec<u8>,
    /// SHA-256 of its lines.
    pub line_hash: Vec<u8>,
    /// Closed at.
    pub closed_at: DateTimeUtc,
    /// Closed by.
    #[sea_orm(column_type = "Text")]
    pub closed_by: String,
    /// Why it was issued again.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// Voided at.
    pub voided_at: Option<DateTimeUtc>,
    /// Voided by.
    #[sea_orm(column_type = "Text", nullable)]
    pub voided_by: Option<String>,
    /// Void reason.
    #[sea_orm(column_type = "Text", nullable)]
    pub void_reason: Option<String>,
    /// The partner's name at the close; none of a report from before it was kept.
    #[sea_orm(column_type = "Text", nullable)]
    pub partner_name: Option<String>,
    /// The tenant's name at the close; none of a report from before it was kept.
    #[sea_orm(column_type = "Text", nullable)]
    pub tenant_name: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
