//! A difference on its way to its end.

use sea_orm::entity::prelude::*;

/// A difference on its way to its end. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_exception")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Destination id.
    pub destination_id: Uuid,
    /// Kind.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// What it is about: a lead's id, or a record of theirs.
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    /// Lead id.
    pub lead_id: Option<Uuid>,
    /// Delivery id.
    pub delivery_id: Option<Uuid>,
    /// Remote id.
    #[sea_orm(column_type = "Text", nullable)]
    pub remote_id: Option<String>,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Owner.
    #[sea_orm(column_type = "Text", nullable)]
    pub owner: Option<String>,
    /// Why it was accepted, or how it was resolved.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// First run id.
    pub first_run_id: Uuid,
    /// The last run that saw it, where its evidence stands.
    pub last_run_id: Uuid,
    /// Opened at.
    pub opened_at: DateTimeUtc,
    /// Updated at.
    pub updated_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
