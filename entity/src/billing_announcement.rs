//! Whether the partner was told of a report.

use sea_orm::entity::prelude::*;

/// Whether the partner was told of a report. Columns and their meaning: the second migration of billing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_announcement")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The report.
    #[sea_orm(primary_key, auto_increment = false)]
    pub report_id: Uuid,
    /// The partner's address when it was ordered.
    #[sea_orm(column_type = "Text")]
    pub email: String,
    /// `pending`, `sent`, `failed`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Why it was not sent.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// When it was ordered.
    pub created_at: DateTimeUtc,
    /// When the mail server took it.
    pub sent_at: Option<DateTimeUtc>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
