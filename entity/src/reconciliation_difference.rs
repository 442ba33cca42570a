//! What a run saw of a difference, both sides as they were.

use sea_orm::entity::prelude::*;

/// What a run saw of a difference, both sides as they were. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_difference")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Run id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// Exception id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub exception_id: Uuid,
    /// `[{field, ours, theirs}]`
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub fields: Option<Json>,
    /// Ours.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub ours: Option<Json>,
    /// Theirs.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub theirs: Option<Json>,
    /// Another lead's record there has this lead's phone, e-mail or id: two people may have become one.
    pub merge_suspected: bool,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
