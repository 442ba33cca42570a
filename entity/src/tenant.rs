//! A client whose leads Baton runs.

use sea_orm::entity::prelude::*;

/// A client whose leads Baton runs. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Short name in addresses and commands.
    #[sea_orm(column_type = "Text")]
    pub slug: String,
    /// As people see it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// An IANA name, as in America/Denver.
    #[sea_orm(column_type = "Text")]
    pub time_zone: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Since when nobody gets in and nothing is delivered.
    pub suspended_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::Id;
}
