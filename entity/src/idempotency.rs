//! The answer that was given for an idempotency key.

use sea_orm::entity::prelude::*;

/// The answer that was given for an idempotency key. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Source id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    /// Key.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub key: String,
    /// Request hash.
    pub request_hash: Vec<u8>,
    /// Response.
    #[sea_orm(column_type = "JsonBinary")]
    pub response: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
