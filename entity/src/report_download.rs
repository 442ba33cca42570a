//! Who fetched which file of a report.

use sea_orm::entity::prelude::*;

/// Who fetched which file of a report. Columns and their meaning: the migration of billing.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "report_download")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Report id.
    pub report_id: Uuid,
    /// Format.
    #[sea_orm(column_type = "Text")]
    pub format: String,
    /// At.
    pub at: DateTimeUtc,
    /// A person, a key, or the link.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
