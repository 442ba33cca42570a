//! A lead as it stands now.

use sea_orm::entity::prelude::*;

/// A lead as it stands now. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Source id.
    pub source_id: Uuid,
    /// Import id.
    pub import_id: Option<Uuid>,
    /// Number of the record in its import, from 1; of two records of one lead the later one wins, whichever commits first.
    pub record: Option<i32>,
    /// Received at.
    pub received_at: DateTimeUtc,
    /// 128-bit hash of source and external id, or of source and content when there is none: names the lead.
    pub identity: Uuid,
    /// 128-bit hash of all normalised content: the same record again changes nothing.
    pub fingerprint: Uuid,
    /// Within these the phone, the e-mail names one lead: the source, the tenant, or (no such rule) the lead itself.
    pub phone_scope: Option<Uuid>,
    /// Email scope.
    pub email_scope: Option<Uuid>,
    /// External id.
    #[sea_orm(column_type = "Text", nullable)]
    pub external_id: Option<String>,
    /// Lead type.
    #[sea_orm(column_type = "Text", nullable)]
    pub lead_type: Option<String>,
    /// Channel.
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    /// First name.
    #[sea_orm(column_type = "Text", nullable)]
    pub first_name: Option<String>,
    /// Last name.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_name: Option<String>,
    /// E.164.
    #[sea_orm(column_type = "Text", nullable)]
    pub phone: Option<String>,
    /// Phone ext.
    #[sea_orm(column_type = "Text", nullable)]
    pub phone_ext: Option<String>,
    /// Alt phones.
    pub alt_phones: Option<Vec<String>>,
    /// Email.
    #[sea_orm(column_type = "Text", nullable)]
    pub email: Option<String>,
    /// Alt emails.
    pub alt_emails: Option<Vec<String>>,
    /// Address.
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    /// City.
    #[sea_orm(column_type = "Text", nullable)]
    pub city: Option<String>,
    /// State.
    #[sea_orm(column_type = "Text", nullable)]
    pub state: Option<String>,
    /// Zip.
    #[sea_orm(column_type = "Text", nullable)]
    pub zip: Option<String>,
    /// Zip4.
    #[sea_orm(column_type = "Text", nullable)]
    pub zip4: Option<String>,
    /// Further fields by name, typed: numbers are exact decimals, days are ISO 8601.
    #[sea_orm(column_type = "JsonBinary")]
    pub details: Json,
    /// Columns that the mapping does not name and raw text that could not be read.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub extra: Option<Json>,
    /// [{field, code, message, value}].
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub warnings: Option<Json>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
