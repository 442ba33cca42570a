//! Where leads are delivered.

use sea_orm::entity::prelude::*;

/// Where leads are delivered. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "destination")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Short name in addresses and commands.
    #[sea_orm(column_type = "Text")]
    pub slug: String,
    /// As people see it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The form of its requests: `bonzo` or `webhook`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Sealed: the address of a webhook is a secret that lets anybody post leads.
    pub url_sealed: Vec<u8>,
    /// What a person may see of it.
    #[sea_orm(column_type = "Text")]
    pub url_masked: String,
    /// Sealed: the secret that signs requests (Standard Webhooks); null where the kind has none.
    pub signing_sealed: Option<Vec<u8>>,
    /// What stands for a missing first name; null holds such a lead.
    #[sea_orm(column_type = "Text", nullable)]
    pub first_name_fallback: Option<String>,
    /// Whether new leads go there.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// What differs from the profile of its kind.
    #[sea_orm(column_type = "JsonBinary")]
    pub settings: Json,
    /// Sealed: the named secrets that its templates ask for.
    pub credentials_sealed: Option<Vec<u8>>,
    /// Sealed: the signing secret before the present one.
    pub signing_old_sealed: Option<Vec<u8>>,
    /// Until then the older signing secret signs too.
    pub signing_old_until: Option<DateTimeUtc>,
    /// `closed`, `open` or `held`.
    #[sea_orm(column_type = "Text")]
    pub breaker: String,
    /// Why it is open or held.
    #[sea_orm(column_type = "Text", nullable)]
    pub breaker_reason: Option<String>,
    /// Since when.
    pub breaker_since: Option<DateTimeUtc>,
    /// When one delivery is tried, to see whether it answers again.
    pub probe_at: Option<DateTimeUtc>,
    /// How many such tries have failed.
    pub probes: i16,
    /// With a rate limit: from when on the next request may be made.
    pub slot_at: Option<DateTimeUtc>,
    /// How often a person has changed or resumed it.
    pub version: i32,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
