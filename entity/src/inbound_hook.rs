//! A report as it came in, kept before anybody reads it; and what came of reading it.

use sea_orm::entity::prelude::*;

/// A report as it came in, kept before anybody reads it; and what came of reading it. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_hook")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Destination id.
    pub destination_id: Uuid,
    /// Received at.
    pub received_at: DateTimeUtc,
    /// The sender's id of the message, or a hash of what makes it one.
    #[sea_orm(column_type = "Text")]
    pub dedupe_key: String,
    /// Body.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// The lead that it was about.
    pub lead_id: Option<Uuid>,
    /// What was done, or why nothing was.
    #[sea_orm(column_type = "Text", nullable)]
    pub result: Option<String>,
    /// Processed at.
    pub processed_at: Option<DateTimeUtc>,
    /// What the service's own API says of it.
    #[sea_orm(column_type = "Text", nullable)]
    pub confirmation: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
