//! What happened to a difference.

use sea_orm::entity::prelude::*;

/// What happened to a difference. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_step")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Exception id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub exception_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// At.
    pub at: DateTimeUtc,
    /// Actor.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// The state that it brought; unchanged when somebody took it over or wrote a note.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Note.
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
