//! What one batch of an import came to.

use sea_orm::entity::prelude::*;

/// What one batch of an import came to. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "import_batch")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Import id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_id: Uuid,
    /// Batch.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch: i32,
    /// Bytes read.
    pub bytes_read: i64,
    /// Records.
    pub records: i32,
    /// Accepted.
    pub accepted: i32,
    /// Warned.
    pub warned: i32,
    /// Updated.
    pub updated: i32,
    /// Duplicates.
    pub duplicates: i32,
    /// Rejected.
    pub rejected: i32,
    /// Skipped.
    pub skipped: i32,
    /// Committed at.
    pub committed_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
