//! The answer that was given for an idempotency key.

use sea_orm::entity::prelude::*;

/// The answer that was given for an idempotency key. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The source that it belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    /// As the sender chose it.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub key: String,
    /// SHA-256 of the body that came with it.
    pub request_hash: Vec<u8>,
    /// What was answered, to be answered again.
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
