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
    /// Whose record it is.
    pub source_id: Uuid,
    /// The file that it came in; null when it came alone.
    pub import_id: Option<Uuid>,
    /// Its number in the file, from 1.
    pub record: i32,
    /// The line of the file that it begins on, from 1.
    pub line: i64,
    /// The record as it was sent, decoded.
    #[sea_orm(column_type = "Text")]
    pub raw: String,
    /// Hash of file and record number, or of the raw text of a single record: refused once, listed once.
    pub fingerprint: Uuid,
    /// [{field, code, message, value}], every reason.
    #[sea_orm(column_type = "JsonBinary")]
    pub reasons: Json,
    /// `open`, `corrected` or `dismissed`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was corrected or dismissed.
    pub resolved_at: Option<DateTimeUtc>,
    /// Who did that: a user or a key.
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
