//! One comparison of what we handed over with what a destination has.

use sea_orm::entity::prelude::*;

/// One comparison of what we handed over with what a destination has. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_run")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Destination id.
    pub destination_id: Uuid,
    /// Where their list came from: a file, or their API.
    #[sea_orm(column_type = "Text")]
    pub origin: String,
    /// File name.
    #[sea_orm(column_type = "Text", nullable)]
    pub file_name: Option<String>,
    /// SHA-256 of the list as it was read, page after page for an API.
    pub list_hash: Option<Vec<u8>>,
    /// Leads handed over in that period, over that channel; null: all.
    pub since: Option<DateTimeUtc>,
    /// Before.
    pub before: Option<DateTimeUtc>,
    /// Channel.
    #[sea_orm(column_type = "Text", nullable)]
    pub channel: Option<String>,
    /// Their list is of this time: what we handed over later is not missing.
    pub as_of: DateTimeUtc,
    /// Actor.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Error.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Created at.
    pub created_at: DateTimeUtc,
    /// Finished at.
    pub finished_at: Option<DateTimeUtc>,
    /// Our deliveries within its scope, and the rows of their list.
    pub ours: i32,
    /// Theirs.
    pub theirs: i32,
    /// Skipped.
    pub skipped: i32,
    /// Matched.
    pub matched: i32,
    /// Mismatched.
    pub mismatched: i32,
    /// Missing.
    pub missing: i32,
    /// Merge suspected.
    pub merge_suspected: i32,
    /// Unconfirmed.
    pub unconfirmed: i32,
    /// Duplicated.
    pub duplicated: i32,
    /// Unexpected.
    pub unexpected: i32,
    /// Extra known.
    pub extra_known: i32,
    /// Pre existing.
    pub pre_existing: i32,
    /// Enriched.
    pub enriched: i32,
    /// Opted out.
    pub opted_out: i32,
    /// Where the list waits, relative to the data folder.
    #[sea_orm(column_type = "Text", nullable)]
    pub stored_as: Option<String>,
    /// It goes on by itself.
    pub background: bool,
    /// What it does now.
    #[sea_orm(column_type = "Text", nullable)]
    pub phase: Option<String>,
    /// Records of their list so far.
    pub records: i32,
    /// How often it was tried.
    pub tries: i32,
    /// Whether `as_of` was said, or is their API's; else it is the time at which the list came.
    pub as_of_known: bool,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
