//! The last lookup of what was sent again, and how far it is.

use sea_orm::entity::prelude::*;

/// The last lookup of what was sent again, and how far it is. Columns and their meaning: migration 000013.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_proof")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Destination id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    /// Actor.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Error.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Leads to look up when the work began.
    pub total: i32,
    /// Found there.
    pub found: i32,
    /// Not there.
    pub absent: i32,
    /// Not handed over yet.
    pub waiting: i32,
    /// Started at.
    pub started_at: DateTimeUtc,
    /// Finished at.
    pub finished_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
