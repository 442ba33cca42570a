//! What one channel is told: of an alert, or of a day.

use sea_orm::entity::prelude::*;

/// What one channel is told: of an alert, or of a day. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_notice")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Channel id.
    pub channel_id: Uuid,
    /// Alert id.
    pub alert_id: Option<Uuid>,
    /// The day that it sums up, in the tenant's zone.
    pub day: Option<Date>,
    /// Title.
    #[sea_orm(column_type = "Text")]
    pub title: String,
    /// Body.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// State.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Why it was not sent; its last try.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Created at.
    pub created_at: DateTimeUtc,
    /// Sent at.
    pub sent_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
