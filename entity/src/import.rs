//! A file on its way in.

use sea_orm::entity::prelude::*;

/// A file on its way in. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "import")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose records they are.
    pub source_id: Uuid,
    /// As its sender calls it, without folders.
    #[sea_orm(column_type = "Text")]
    pub file_name: String,
    /// As sent.
    pub file_bytes: i64,
    /// SHA-256 of the file as it was sent: the same file is recognised, an interrupted import is found again.
    pub file_hash: Vec<u8>,
    /// Where the file waits, relative to the data folder; null when a command reads it where it lies.
    #[sea_orm(column_type = "Text", nullable)]
    pub stored_as: Option<String>,
    /// `received`, `running`, `done`, `failed` or `cancelled`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Why it failed and what to do.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Its name in the WHATWG Encoding Standard.
    #[sea_orm(column_type = "Text", nullable)]
    pub encoding: Option<String>,
    /// `csv`, `json_array`, `ndjson` or `json_objects`.
    #[sea_orm(column_type = "Text", nullable)]
    pub format: Option<String>,
    /// The header of a CSV file, for the export and the correction of refused records.
    pub columns: Option<Vec<String>>,
    /// The character between the cells of a CSV file.
    #[sea_orm(column_type = "Text", nullable)]
    pub delimiter: Option<String>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was done, failed or was cancelled.
    pub finished_at: Option<DateTimeUtc>,
    /// Who works on it and until when that holds; another may take over after that.
    pub leased_until: Option<DateTimeUtc>,
    /// Names the hold: who finds another one here has lost it.
    pub lease: Option<Uuid>,
    /// Runs in a row that ended with an error; too many end the import.
    pub failures: i16,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
