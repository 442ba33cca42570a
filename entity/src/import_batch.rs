//! What one batch of an import came to.

use sea_orm::entity::prelude::*;

/// What one batch of an import came to. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "import_batch")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The import.
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_id: Uuid,
    /// From 0, by the number of the first record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch: i32,
    /// How far into the file, as sent, the batch reaches.
    pub bytes_read: i64,
    /// The sum of the six outcomes.
    pub records: i32,
    /// New leads without warnings.
    pub accepted: i32,
    /// New leads with warnings.
    pub warned: i32,
    /// New revisions of leads that were there.
    pub updated: i32,
    /// Leads that were there, unchanged.
    pub duplicates: i32,
    /// Refused records.
    pub rejected: i32,
    /// Blank records and repeated headers.
    pub skipped: i32,
    /// When its rows became visible.
    pub committed_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
