//! How a destination is reconciled.

use sea_orm::entity::prelude::*;

/// How a destination is reconciled. Columns and their meaning: migration 000005.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_plan")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Destination id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    /// How their list is read (`domain::reconciliation::Mapping`).
    #[sea_orm(column_type = "JsonBinary")]
    pub mapping: Json,
    /// Their API's base, as in `https://app.getbonzo.com/api/v3`; null: lists come as files only.
    #[sea_orm(column_type = "Text", nullable)]
    pub api_url: Option<String>,
    /// Sealed: the bearer token of their API.
    pub api_token_sealed: Option<Vec<u8>>,
    /// The hour of the tenant's day at which a run begins by itself; null: on demand only.
    pub nightly_hour: Option<i16>,
    /// What is missing is sent again without asking, up to this many a run; 0: a person decides.
    pub auto_resend_max: i32,
    /// Updated at.
    pub updated_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
