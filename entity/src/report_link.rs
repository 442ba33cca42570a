//! A link to one file of a report.

use sea_orm::entity::prelude::*;

/// A link to one file of a report. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "report_link")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Report id.
    pub report_id: Uuid,
    /// Format.
    #[sea_orm(column_type = "Text")]
    pub format: String,
    /// SHA-256 of the link's secret.
    pub secret_hash: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Created by.
    #[sea_orm(column_type = "Text")]
    pub created_by: String,
    /// Expires at.
    pub expires_at: DateTimeUtc,
    /// Revoked at.
    pub revoked_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
