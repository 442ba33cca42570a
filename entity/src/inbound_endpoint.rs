//! How a destination reports back.

use sea_orm::entity::prelude::*;

/// How a destination reports back. Columns and their meaning: the migration of tracking.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_endpoint")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Destination id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    /// bonzo: event hooks with a static code. standard: Standard Webhooks. npa: status of a lead, with a static code.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Sealed: the code, or the secret of the signature.
    pub secret_sealed: Vec<u8>,
    /// Sealed: the one before, which is taken as well until the sender has the new one.
    pub previous_sealed: Option<Vec<u8>>,
    /// Enabled.
    pub enabled: bool,
    /// Created at.
    pub created_at: DateTimeUtc,
    /// The sender's own words → steps.
    #[sea_orm(column_type = "JsonBinary")]
    pub status_map: Json,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
