//! A file of a report.

use sea_orm::entity::prelude::*;

/// A file of a report. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_report_file")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Report id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub report_id: Uuid,
    /// Format.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub format: String,
    /// Where the object storage has it.
    #[sea_orm(column_type = "Text")]
    pub stored_as: String,
    /// Bytes.
    pub bytes: i64,
    /// Sha256.
    pub sha256: Vec<u8>,
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
