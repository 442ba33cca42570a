//! A step of a lead's journey that no other row says.

use sea_orm::entity::prelude::*;

/// A step of a lead's journey that no other row says. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead_event")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Whose journey it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lead_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// One of the kinds in `domain::journey`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// When it happened.
    pub at: DateTimeUtc,
    /// The user or key that did it, when a person or a program asked for it.
    #[sea_orm(column_type = "Text", nullable)]
    pub actor: Option<String>,
    /// The file that caused it.
    pub import_id: Option<Uuid>,
    /// The number of the record in that file.
    pub record: Option<i32>,
    /// Of the record that caused it: the same record again causes nothing.
    pub fingerprint: Option<Uuid>,
    /// What else the kind says, by name.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub data: Option<Json>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
