//! Whom alerts reach.

use sea_orm::entity::prelude::*;

/// Whom alerts reach. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_channel")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// Kind.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Sealed: the mail address or the URL, which may be a secret.
    pub target_sealed: Vec<u8>,
    /// What a person may see of it: the mail address, the masked URL.
    #[sea_orm(column_type = "Text")]
    pub target_shown: String,
    /// Sealed: the secret that signs a webhook's requests (Standard Webhooks).
    pub signing_sealed: Option<Vec<u8>>,
    /// Whether it gets the summary of each day.
    pub daily_summary: bool,
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
