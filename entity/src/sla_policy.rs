//! Which service-level clock runs for which leads.

use sea_orm::entity::prelude::*;

/// Which service-level clock runs for which leads. Columns and their meaning: the migration of service levels.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sla_policy")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// processing, response, or a name of the tenant's own. Of the policies of one clock the first that fits a lead counts.
    #[sea_orm(column_type = "Text")]
    pub clock: String,
    /// Starts with.
    #[sea_orm(column_type = "Text")]
    pub starts_with: String,
    /// Stops with.
    #[sea_orm(column_type = "Text")]
    pub stops_with: String,
    /// Smaller comes first.
    pub place: i32,
    /// Enabled.
    pub enabled: bool,
    /// Created at.
    pub created_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
