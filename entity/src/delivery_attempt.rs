//! One request to a destination and what came of it.

use sea_orm::entity::prelude::*;

/// One request to a destination and what came of it. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery_attempt")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// The delivery that was tried.
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: Uuid,
    /// From 1, in the order of the attempts.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i16,
    /// When the connection was begun.
    pub started_at: DateTimeUtc,
    /// From connecting to the end of the answer, in microseconds.
    pub duration_us: i32,
    /// `delivered`, `refused`, `retryable` or `unknown`.
    #[sea_orm(column_type = "Text")]
    pub outcome: String,
    /// Of the answer; null when none came.
    pub http_status: Option<i16>,
    /// Why no answer came: `timeout`, `connect`, `tls`, `private_address`, …
    #[sea_orm(column_type = "Text", nullable)]
    pub error_kind: Option<String>,
    /// The headers of interest, secrets redacted.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub response_headers: Option<Json>,
    /// Capped, decoded as UTF-8 with replacements.
    #[sea_orm(column_type = "Text", nullable)]
    pub response_body: Option<String>,
    /// What was found when the destination was asked before sending again.
    #[sea_orm(column_type = "Text", nullable)]
    pub looked_up: Option<String>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
