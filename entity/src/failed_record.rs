//! A record that was refused, with every reason.

use sea_orm::entity::prelude::*;

/// A record that was refused, with every reason. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "failed_record")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Source id.
    pub source_id: Uuid,
    /// Import id.
    pub import_id: Option<Uuid>,
    /// Record.
    pub record: i32,
    /// Line.
    pub line: i64,
    /// The record as it was sent, decoded.
    #[sea_orm(column_type = "Text")]
    pub raw: String,
    /// Hash of file and record number, or of the raw text of a single record: refused once, listed once.
    pub fingerprint: Uuid,
    /// [{field, code, message, value}], every reason.
    #[sea_orm(column_type = "JsonBinary")]
    pub reasons: Json,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Resolved at.
    pub resolved_at: Option<DateTimeUtc>,
    /// Resolved by.
    #[sea_orm(column_type = "Text", nullable)]
    pub resolved_by: Option<String>,
    /// The lead that came of its correction.
    pub lead_id: Option<Uuid>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
